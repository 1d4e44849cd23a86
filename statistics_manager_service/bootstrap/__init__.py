"""The one place that chooses the adapters and joins them: here the service's answers, in `events` what runs beside."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from statistics_manager_service.api.app import Service
from statistics_manager_service.api.app import create_app as create_api
from statistics_manager_service.bootstrap.events import Running
from statistics_manager_service.bootstrap.explainers import explainers
from statistics_manager_service.bootstrap.feeds import account_manager, carbon_source, forecast_service
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.ingest.json_body import decode_json
from statistics_manager_service.ingest.line_protocol import decode_line_protocol
from statistics_manager_service.ingest.tables import decode_arrow, decode_csv, decode_parquet
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.accounts.accounts import Accounts
from statistics_manager_service.services.accounts.blacklisting import Blacklist
from statistics_manager_service.services.accounts.keys import PublicKeys
from statistics_manager_service.services.accounts.tokens import Keys, SharedKey, Tokens
from statistics_manager_service.services.app import AppServices, DecodedLines
from statistics_manager_service.services.asking import Asking
from statistics_manager_service.services.balance.balances import Balances
from statistics_manager_service.services.balance.batteries import Batteries
from statistics_manager_service.services.balance.battery_books import BatteryBooks
from statistics_manager_service.services.balance.battery_prices import BatteryPrices
from statistics_manager_service.services.balance.energy_flows import EnergyFlowsOfHomes
from statistics_manager_service.services.balance.sheets import BalanceSheets
from statistics_manager_service.services.carbon.battery_carbon import BatteryCarbon
from statistics_manager_service.services.carbon.carbon import CarbonForecasts
from statistics_manager_service.services.carbon.emissions import Emissions
from statistics_manager_service.services.carbon.intensity_columns import GridIntensities
from statistics_manager_service.services.carbon.stored_carbon import StoredCarbons
from statistics_manager_service.services.column_sources import ColumnSource
from statistics_manager_service.services.events.jobs import Jobs
from statistics_manager_service.services.events.producing import Producers
from statistics_manager_service.services.events.working import Duty, Workers
from statistics_manager_service.services.explaining.explaining import Explaining
from statistics_manager_service.services.forecasts.forecasting import Forecasts
from statistics_manager_service.services.groups.comparing_homes import HomesCompared
from statistics_manager_service.services.groups.group_statistics import GroupStatistics
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.groups.sharing import Shares
from statistics_manager_service.services.groups.telling import Telling
from statistics_manager_service.services.households import Households
from statistics_manager_service.services.insight.data_quality import DataQuality
from statistics_manager_service.services.insight.degree_days import DegreeDaysOfHomes
from statistics_manager_service.services.insight.goal_progress import GoalsInTime
from statistics_manager_service.services.insight.goals import Goals
from statistics_manager_service.services.insight.heat_maps import HeatMaps
from statistics_manager_service.services.insight.insights import Insights
from statistics_manager_service.services.insight.loads import Loads
from statistics_manager_service.services.insight.records import Records
from statistics_manager_service.services.insight.voltages import Voltages
from statistics_manager_service.services.money.bills import Bills
from statistics_manager_service.services.money.comparing import Comparing
from statistics_manager_service.services.money.costing import Costs
from statistics_manager_service.services.money.live_costs import LiveCosts
from statistics_manager_service.services.money.projecting import Projecting
from statistics_manager_service.services.money.reconciling import Reconciling
from statistics_manager_service.services.money.statements import Statements
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.prices.contracts import Contracts
from statistics_manager_service.services.prices.price_series import PriceColumns
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.telemetry.fields import KNOWN_FIELDS
from statistics_manager_service.services.telemetry.kept_readings import KeptReadings
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.telemetry import resolve_series
from statistics_manager_service.settings import Settings
from statistics_manager_service.statements.html import to_html
from statistics_manager_service.statements.pdf import to_pdf
from statistics_manager_service.storage.blacklist import TokenBlacklist
from statistics_manager_service.storage.database import SqlStore, open_engine
from statistics_manager_service.storage.migrate import migrate
from statistics_manager_service.tariffs.statement import Statement

DECODERS = {
    "application/json": decode_json,
    "text/csv": decode_csv,
    "application/vnd.apache.arrow.stream": decode_arrow,
    "application/vnd.apache.parquet": decode_parquet,
}
RENDERERS: dict[str, Callable[[Statement], bytes]] = {
    "text/html": lambda statement: to_html(statement).encode(),
    "application/pdf": to_pdf,
}
#: A key that is shorter can be guessed from a token.
SHORTEST_KEY_BYTES = 32
_LOG = structlog.get_logger()


def now_us() -> int:
    """The present in microseconds UTC."""
    return time.time_ns() // 1000


def keys_of(settings: Settings) -> Keys | None:
    """Where keys of JWTs are found. Raises StatisticsError where nobody could be let in."""
    if settings.jwt_algorithm == "HS512":
        if settings.jwt_sign_key is not None and settings.jwt_sign_key.get_secret_value():
            return SharedKey(settings.jwt_sign_key.get_secret_value())
        wanted = "JWT_SIGN_KEY (the key of HS512 tokens; make one with: openssl rand -hex 64)"
    else:
        if settings.jwt_jwks:
            return PublicKeys(settings.jwt_jwks)
        wanted = f"JWT_JWKS (the URL or file of the public keys for {settings.jwt_algorithm})"
    if settings.trust_unauthenticated:
        return None
    raise StatisticsError(f"the service can't tell who calls: set {wanted}")


@dataclass(frozen=True, slots=True)
class LineDecoder:
    """Line protocol to readings of households' channels."""

    store: Store
    now_us: Callable[[], int]

    def __call__(self, body: bytes, precision: str, only: str | None) -> DecodedLines:
        """What a body holds, for a writer who may write for all households or for one `only`."""
        series, refused = decode_line_protocol(body, precision, known_fields=KNOWN_FIELDS, now_us=self.now_us())
        with self.store.reading() as view:
            found = resolve_series(series, view, only)
        count = body.count(b"\n") + (not body.endswith(b"\n"))
        return DecodedLines(found.readings, [*refused, *found.refused], count, found.any_foreign, found.unknown)


def open_store(settings: Settings) -> SqlStore:
    """The store of the settings."""
    return SqlStore(open_engine(settings.store_url))


def blacklist_of(settings: Settings) -> Blacklist | None:
    """The list of withdrawn tokens, where there is one. Raises StatisticsError where its URL can't be used."""
    url = settings.token_blacklist_database_url
    if url is None or not url.get_secret_value():
        return None
    try:
        source = TokenBlacklist(url.get_secret_value(), settings.token_blacklist_column)
    except (ValueError, SQLAlchemyError):
        raise StatisticsError(
            "TOKEN_BLACKLIST_DATABASE_URL is no URL such as sqlite:///path or postgresql://user:password@host/name"
        ) from None  # the cause may show the password
    while_unreachable = settings.token_blacklist_unreachable
    return Blacklist(source, settings.token_blacklist_cache_s, accept_unreachable=while_unreachable == "accept")


def in_turn(*steps: Callable[[], None]) -> Callable[[], None]:
    """Steps as one."""

    def do() -> None:
        for step in steps:
            step()

    return do


def tokens_of(settings: Settings, store: SqlStore) -> Tokens:
    """Who calls, by the tokens of the settings and the store. Raises StatisticsError where nobody could be let in."""
    return Tokens(
        store,
        now_us,
        keys_of(settings),
        settings.jwt_algorithm,
        settings.jwt_leeway_s,
        settings.trust_unauthenticated,
        blacklist_of(settings),
    )


def build(settings: Settings, store: SqlStore | None = None) -> AppServices:
    """The services over the store of the settings."""
    store = store or open_store(settings)
    recorder = Recorder(store, now_us)
    beside = Running(settings, store, recorder, now_us)
    accounts = Accounts(store, account_manager(settings), settings.account_ttl_s)
    refreshing = Workers([] if accounts.state is None else [Duty("accounts", accounts.refresh, accounts.rest_s)])
    tariffs = Tariffs(store, now_us)
    columns = PriceColumns()
    bills = Bills(tariffs, columns)
    statements = Statements(store, bills, now_us)
    sheets, books = BalanceSheets(), BatteryBooks()
    intensities = grid_intensities(settings)
    sources = column_sources(bills, intensities, sheets, books)
    asking = Asking(store, now_us, sources, settings.max_households_per_query, settings.kept_answers_bytes)
    live_costs = LiveCosts(store, bills, statements, Projecting(columns), now_us)
    return AppServices(
        settings=settings,
        store=store,
        store_is_embedded=store.is_embedded,
        households=Households(store, recorder, now_us),
        tokens=tokens_of(settings, store),
        recorder=recorder,
        kept_readings=KeptReadings(store),
        asking=asking,
        explaining=Explaining(store, asking, explainers(bills, intensities, sheets, books, now_us)),
        energy_flows=EnergyFlowsOfHomes(store, sources, sheets, books),
        statements=statements,
        live_costs=live_costs,
        records=Records(asking),
        goals=Goals(store, now_us),
        goals_in_time=GoalsInTime(store, asking, live_costs, now_us),
        data_quality=DataQuality(store, now_us),
        reconciling=Reconciling(store, bills, statements),
        comparing=Comparing(store, bills, tariffs, now_us),
        loads=Loads(store),
        heat_maps=HeatMaps(asking),
        voltages=Voltages(store),
        degree_days=DegreeDaysOfHomes(store),
        renderers=dict(RENDERERS),
        producers=Producers(store, now_us),
        accounts=accounts,
        groups=Groups(store),
        group_statistics=GroupStatistics(store, asking, settings.kept_answers_bytes),
        telling=Telling(store, asking, now_us),
        homes_compared=HomesCompared(store, asking, now_us),
        tariffs=tariffs,
        contracts=Contracts(store, tariffs, now_us),
        carbon=CarbonForecasts(store, carbon_source(settings), settings.carbon_zone, settings.carbon_ttl_s, now_us),
        decoders=dict(DECODERS),
        decode_lines=LineDecoder(store, now_us),
        begin=in_turn(beside.start, refreshing.start),
        end=in_turn(refreshing.stop, beside.stop),
        state_beside=beside.state,
    )


def create_app(settings: Settings | None = None) -> Service:
    """The ASGI application; without settings, those of the environment (as a server's worker makes it)."""
    settings = settings or Settings()
    configure_logging(settings.log_level, settings.log_format)
    return create_api(build(settings))


def served_app(settings: Settings | None = None) -> Service:
    """The application of a process that serves until it ends."""
    app = create_app(settings)
    # The modules, routes and models live as long as the process: a garbage collection need not walk through them each
    # time. It takes a tenth off a large answer. What is garbage already is not to be kept with them.
    gc.collect()
    gc.freeze()
    return app


def serve(settings: Settings) -> None:
    """Migrate the store if wished, and serve until stopped. Raises StatisticsError where it can't start."""
    configure_logging(settings.log_level, settings.log_format)
    keys_of(settings)
    key = settings.jwt_sign_key
    if key is not None and len(key.get_secret_value().encode()) < SHORTEST_KEY_BYTES:
        _LOG.warning("key_of_tokens_is_short", setting="JWT_SIGN_KEY", least_bytes=SHORTEST_KEY_BYTES)
    if settings.trust_unauthenticated:
        _LOG.warning("unauthenticated_requests_are_trusted", setting="TRUST_UNAUTHENTICATED")
    if settings.migrate_on_start:
        migrate(settings.store_url)
    _LOG.info("starting", host=settings.host, port=settings.port, workers=settings.workers)
    several = settings.workers > 1
    uvicorn.run(
        "statistics_manager_service.bootstrap:served_app" if several else served_app(settings),
        factory=several,  # each worker makes its own from the environment
        workers=settings.workers if several else None,
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        log_config=None,  # its lines go the way of all lines
    )


def recorder_of(store: SqlStore) -> Recorder:
    """The recorder of a store, for commands."""
    return Recorder(store, now_us)


def households_of(store: SqlStore) -> Households:
    """The register of households of a store, for commands."""
    return Households(store, recorder_of(store), now_us)


def device_tokens_of(store: SqlStore) -> Tokens:
    """Device tokens of a store, for commands: no JWT is verified there."""
    return Tokens(store, now_us, None, "HS512", 0)


def contracts_of(store: SqlStore) -> Contracts:
    """Contracts of a store's households, for commands."""
    return Contracts(store, Tariffs(store, now_us), now_us)


def tariffs_of(store: SqlStore) -> Tariffs:
    """The register of tariffs of a store, for commands and benchmarks."""
    return Tariffs(store, now_us)


def statements_of(store: SqlStore) -> Statements:
    """Statements of a store's households, for commands and benchmarks."""
    return Statements(store, Bills(tariffs_of(store)), now_us)


def asking_of(store: SqlStore, most_kept_bytes: int = 0, settings: Settings | None = None) -> Asking:
    """Statistics of a store, for commands and benchmarks."""
    sources = column_sources(Bills(Tariffs(store, now_us)), grid_intensities(settings or Settings()))
    return Asking(store, now_us, sources, most_kept_bytes=most_kept_bytes)


def grid_intensities(settings: Settings) -> GridIntensities:
    """The intensities that emissions are of."""
    source = carbon_source(settings)
    return GridIntensities(settings.carbon_zone, None if source is None else source.name)


def column_sources(
    bills: Bills,
    intensities: GridIntensities,
    sheets: BalanceSheets | None = None,
    books: BatteryBooks | None = None,
) -> list[ColumnSource]:
    """What makes the measures that are not plain ones of channels."""
    sheets, books = sheets or BalanceSheets(), books or BatteryBooks()
    return [
        Costs(bills, now_us),
        Insights(),
        Balances(sheets),
        Batteries(books),
        Shares(),
        BatteryPrices(bills, books),
        BatteryCarbon(intensities, books, StoredCarbons(books, intensities)),
        Emissions(intensities, sheets, books, now_us),
    ]


def forecasts_of(settings: Settings, store: SqlStore) -> Forecasts:
    """Forecasts of a store, for commands and jobs."""
    return Forecasts(store, forecast_service(settings), now_us)


def jobs_of(settings: Settings, store: SqlStore) -> Jobs:
    """The jobs over a store, for commands."""
    return Jobs(store, Producers(store, now_us), forecasts_of(settings, store), now_us)
