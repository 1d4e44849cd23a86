"""What is fetched from other services, by the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.feeds.account_manager import AccountManager
from statistics_manager_service.feeds.electricity_maps import ElectricityMaps
from statistics_manager_service.feeds.forecast_service import ForecastService
from statistics_manager_service.feeds.influxdb import InfluxDb
from statistics_manager_service.feeds.neso import Neso
from statistics_manager_service.feeds.sentinel import Sentinel
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.carbon.carbon import IntensitySource
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.telemetry.pulling import Puller
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.settings import Settings

#: People wait for the account manager, so it is found again soon.
ACCOUNT_RESET_S = 10


def upstream(
    name: str,
    setting: str,
    url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    reset_s: float = 30,
) -> Upstream:
    """A service at the URL that a setting tells. Raises StatisticsError where it is none."""
    try:
        parsed = urlsplit(url)
        is_good = parsed.scheme in ("http", "https") and bool(parsed.hostname) and parsed.port != 0
    except ValueError:
        is_good = False
    if not is_good:  # it is not shown: it may hold a password
        raise StatisticsError(f"{setting} is no URL such as http://host:8080/path")
    return Upstream(name, url, timeout_s=timeout_s, headers=headers, reset_s=reset_s)


def account_manager(settings: Settings) -> AccountManager | None:
    """The account manager, where there is one."""
    if not settings.account_manager_endpoint:
        return None
    url, timeout_s = settings.account_manager_endpoint, settings.account_timeout_s
    service = upstream("the account manager", "ACCOUNT_MANAGER_ENDPOINT", url, timeout_s, reset_s=ACCOUNT_RESET_S)
    return AccountManager(service, 2 * timeout_s)


def forecast_service(settings: Settings) -> ForecastService | None:
    """The forecast service, where there is one."""
    if not settings.forecast_api_url:
        return None
    url, timeout_s = settings.forecast_api_url, settings.forecast_timeout_s
    return ForecastService(upstream("the forecast service", "FORECAST_API_URL", url, timeout_s))


def influxdb(settings: Settings) -> InfluxDb | None:
    """The InfluxDB 2 that telemetry is fetched from, where there is one."""
    if not settings.influx_url:
        return None
    token = settings.influx_token
    headers = {"Accept": "application/csv"}
    if token is not None and token.get_secret_value():
        headers["Authorization"] = f"Token {token.get_secret_value()}"
    service = upstream("InfluxDB", "INFLUX_URL", settings.influx_url, settings.influx_timeout_s, headers=headers)
    return InfluxDb(service, settings.influx_org, settings.influx_bucket)


def puller_of(settings: Settings, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> Puller:
    """What fetches telemetry into a store."""
    return Puller(store, recorder, influxdb(settings), now_us)


def carbon_source(settings: Settings) -> IntensitySource | None:
    """Where carbon intensities are fetched from, if anywhere. Raises StatisticsError where a setting of it lacks."""
    chosen, host, timeout_s = settings.carbon_source, settings.host_sentinel, settings.carbon_timeout_s
    if chosen == "electricity_maps":
        token = settings.electricity_maps_token
        if token is None or not token.get_secret_value():
            raise StatisticsError("CARBON_SOURCE is electricity_maps: set ELECTRICITY_MAPS_TOKEN, too")
        headers = {"auth-token": token.get_secret_value()}
        name, url = "Electricity Maps", settings.electricity_maps_url
        return ElectricityMaps(upstream(name, "ELECTRICITY_MAPS_URL", url, timeout_s, headers=headers))
    if chosen == "neso":
        return Neso(upstream("NESO", "NESO_URL", settings.neso_url, timeout_s))
    if host and chosen in (None, "sentinel"):
        token = settings.sentinel_token
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token and token.get_secret_value() else {}
        return Sentinel(upstream("the sentinel API", "HOST_SENTINEL", host, timeout_s, headers=headers), host)
    if chosen == "sentinel":
        raise StatisticsError("CARBON_SOURCE is sentinel: set HOST_SENTINEL, too")
    return None
