"""What is fetched from other services, by the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.feeds.account_manager import AccountManager
from statistics_manager_service.feeds.electricity_maps import ElectricityMaps
from statistics_manager_service.feeds.entsoe_generation import EntsoeMix
from statistics_manager_service.feeds.forecast_service import ForecastService
from statistics_manager_service.feeds.influxdb import InfluxDb
from statistics_manager_service.feeds.intensity_csv import IntensityOptions as IntensityOptions
from statistics_manager_service.feeds.intensity_csv import decode_intensities as decode_intensities
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


#: The sources of carbon intensities, by the names of their series.
CARBON_SOURCES = ("electricity_maps", "entsoe", "neso", "sentinel")


def carbon_source(settings: Settings) -> IntensitySource | None:
    """Where carbon intensities are fetched from, if anywhere. Raises StatisticsError where a setting of it lacks."""
    chosen = settings.carbon_source or ("sentinel" if settings.host_sentinel else "none")
    return None if chosen == "none" else carbon_source_of(chosen, settings)


def carbon_source_of(name: str, settings: Settings) -> IntensitySource:
    """A source of CARBON_SOURCES. Raises StatisticsError where a setting of it lacks."""
    host, timeout_s = settings.host_sentinel, settings.carbon_timeout_s
    if name == "electricity_maps":
        headers = {"auth-token": _token(settings.electricity_maps_token, name, "ELECTRICITY_MAPS_TOKEN")}
        url = settings.electricity_maps_url
        service = upstream("Electricity Maps", "ELECTRICITY_MAPS_URL", url, timeout_s, headers=headers)
        return ElectricityMaps(service, settings.carbon_boundary, settings.electricity_maps_horizon_h)
    if name == "neso":
        return Neso(upstream("NESO", "NESO_URL", settings.neso_url, timeout_s))
    if name == "entsoe":
        token = _token(settings.entsoe_token, name, "ENTSOE_TOKEN")
        service = upstream("ENTSO-E", "ENTSOE_URL", settings.entsoe_url, timeout_s)
        return EntsoeMix(service, without_slash(settings.entsoe_url), token, settings.carbon_boundary)
    if not host:
        raise StatisticsError("the source of carbon intensity is sentinel: set HOST_SENTINEL, too")
    secret = settings.sentinel_token and settings.sentinel_token.get_secret_value()
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return Sentinel(upstream("the sentinel API", "HOST_SENTINEL", host, timeout_s, headers=headers), host)


def without_slash(url: str) -> str:
    """A URL to be asked as it is: the client would end its path with a slash, at which there may be nothing."""
    return urlsplit(url)._replace(query="", fragment="").geturl()


def _token(told: SecretStr | None, source: str, setting: str) -> str:
    """Raises StatisticsError where there is none."""
    token = told.get_secret_value() if told else ""
    if not token:
        raise StatisticsError(f"the source of carbon intensity is {source}: set {setting}, too")
    return token
