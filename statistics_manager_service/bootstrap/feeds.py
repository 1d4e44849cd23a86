"""What is fetched from other services, by the settings."""

from __future__ import annotations

from statistics_manager_service.feeds.forecast_service import ForecastService
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.settings import Settings


def forecast_service(settings: Settings) -> ForecastService | None:
    """The forecast service, where there is one."""
    if not settings.forecast_api_url:
        return None
    return ForecastService(
        Upstream("the forecast service", settings.forecast_api_url, timeout_s=settings.forecast_timeout_s)
    )
