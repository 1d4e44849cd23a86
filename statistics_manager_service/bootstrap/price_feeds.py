"""Where prices come from, by the settings: files of known forms, and services that are asked."""

from __future__ import annotations

from statistics_manager_service.bootstrap.feeds import upstream, without_slash
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.feeds.entsoe import Entsoe
from statistics_manager_service.feeds.esios import PVPC, SURPLUS, Esios
from statistics_manager_service.feeds.octopus import RATES, Octopus
from statistics_manager_service.feeds.omie import Omie
from statistics_manager_service.feeds.price_formats import PRICE_FORMATS, PriceFormat
from statistics_manager_service.settings import Settings

__all__ = ["PRICE_FORMATS", "PVPC", "RATES", "SURPLUS", "PriceFormat", "entsoe", "esios", "octopus", "omie"]


def octopus(settings: Settings) -> Octopus:
    """Octopus's API."""
    return Octopus(upstream("Octopus", "OCTOPUS_URL", settings.octopus_url, settings.price_timeout_s))


def omie(settings: Settings) -> Omie:
    """OMIE's day files."""
    return Omie(upstream("OMIE", "OMIE_URL", settings.omie_url, settings.price_timeout_s))


def entsoe(settings: Settings) -> Entsoe:
    """ENTSO-E's platform. Raises StatisticsError where its token lacks."""
    token = settings.entsoe_token
    if token is None or not token.get_secret_value():
        raise StatisticsError(
            "ENTSOE_TOKEN is not set: ENTSO-E tells prices to those alone who have a token (ask for one on its "
            "Transparency Platform)"
        )
    service = upstream("ENTSO-E", "ENTSOE_URL", settings.entsoe_url, settings.price_timeout_s)
    return Entsoe(service, without_slash(settings.entsoe_url), token.get_secret_value())


def esios(settings: Settings) -> Esios:
    """ESIOS; PVPC without a token, indicators with one."""
    token = settings.esios_token.get_secret_value() if settings.esios_token else None
    headers = {"Accept": "application/json; application/vnd.esios-api-v2+json"}
    if token:
        headers["x-api-key"] = token
    service = upstream("ESIOS", "ESIOS_URL", settings.esios_url, settings.price_timeout_s, headers=headers)
    return Esios(service, token or None)
