"""`statistics-manager demo`: three homes with thirteen months of telemetry, and links to look at them."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import Annotated

import jwt
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from statistics_manager_service import bootstrap
from statistics_manager_service.core.units import QUARTER_US, S_PER_DAY, US_PER_S
from statistics_manager_service.demo import DemoHome, carbon, count, first_month, homes, price_series, readings
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.carbon.intensities import keep
from statistics_manager_service.services.events.jobs import local_day
from statistics_manager_service.services.forecasts.forecasting import civil_day
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.prices.price_series import keep_prices
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

_TOKEN_DAYS = 7
_FORECAST_DAYS = 30


def demo(
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its store and its key.")] = Path("var/demo"),
    serve: Annotated[bool, typer.Option(help="Start the service on it.")] = False,
    port: Annotated[int, typer.Option(help="Port of the service.")] = 8080,
) -> None:
    """Fill a store of its own with three homes, and print links that work. It makes its own key."""
    directory.mkdir(parents=True, exist_ok=True)
    end_us = int(time.time()) * US_PER_S // QUARTER_US * QUARTER_US
    since = first_month(end_us)
    settings = Settings(
        host="127.0.0.1",
        port=port,
        # the registers begin anew with the first month, so each has a store of its own
        database_url=f"sqlite:///{directory / f'since-{since}.sqlite3'}",
        jwt_sign_key=SecretStr(_key(directory / "key")),
        log_format="console",
        log_level="WARNING",
    )
    migrate(settings.store_url)
    store = bootstrap.open_store(settings)
    found = homes(end_us)
    _fill_prices(store, end_us)
    _fill_intensities(store, end_us)
    _fill(settings, store, found, end_us)
    _print_links(settings, found, since)
    if serve:
        print("\nThe service is running; stop it with Ctrl-C.", flush=True)
        bootstrap.serve(settings)


def _month_start(now_s: int) -> int:
    """The first second of a month, UTC."""
    now = time.gmtime(now_s)
    return now_s - (now.tm_mday - 1) * S_PER_DAY - now_s % S_PER_DAY


def _key(path: Path) -> str:
    """The demo's own key, made once, readable by its owner alone."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(64))
    return path.read_text().strip()


def _fill_prices(store: SqlStore, end_us: int) -> None:
    """The prices that the homes' contracts hang on, so that a bill can be worked out at once."""
    for one in price_series(end_us):
        with store.writing() as view:
            keep_prices(view, one.series, one.told, bootstrap.now_us())


def _fill_intensities(store: SqlStore, end_us: int) -> None:
    """What the homes' emissions are reckoned with."""
    with store.writing() as view:
        keep(view, carbon.ZONE, carbon.SOURCE, carbon.METHOD, carbon.intensities(end_us), bootstrap.now_us())


def _fill(settings: Settings, store: SqlStore, found: list[DemoHome], end_us: int) -> None:
    households, recorder = bootstrap.households_of(store), bootstrap.recorder_of(store)
    contracts = bootstrap.contracts_of(store)
    columns = (TextColumn("{task.description:<12}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for home in found:
            task = progress.add_task(home.id, total=count(home, end_us))
            households.put(home.id, home.settings)
            for meter, declaration in home.declarations:
                households.declare(home.id, meter, declaration)
            for meter, event in home.events:
                known = [(one.at_us, one.quantity) for one, _ in households.events(home.id, meter)]
                if not known:
                    households.add_event(home.id, meter, event)
            contracts.put(home.id, {"contracts": home.contracts})
            for piece in readings(home, end_us):
                recorder.record([piece])
                progress.advance(task, len(piece.at_us))
            _forecast(settings, store, households.get(home.id), end_us)


def _forecast(settings: Settings, store: SqlStore, household: Household, end_us: int) -> None:
    """Forecasts of the last days, each as it would have been issued at its midnight; those of today and tomorrow are
    asked for by events, which the service handles once it runs."""
    forecasts, jobs = bootstrap.forecasts_of(settings, store), bootstrap.jobs_of(settings, store)
    for days_ago in range(_FORECAST_DAYS, 0, -1):
        day = local_day(household, end_us, -days_ago)
        if forecasts.lacking(household, day):
            forecasts.make(household.id, day, issued_us=civil_day(day, household.timezone)[0])
    for days_ahead in (0, 1):
        jobs.trigger_forecasts(days_ahead, only=household.id)


def _print_links(settings: Settings, found: list[DemoHome], since: str) -> None:
    key = settings.jwt_sign_key
    if key is None:
        raise StatisticsError("the demo has no key")
    now_s = int(time.time())
    base = f"http://{settings.host}:{settings.port}/api/statistics"
    print(f"\nThe API, to try it out:  {base}/docs")
    print("There, Authorize takes one of these tokens, each of one home:\n")
    next_year = time.gmtime(now_s).tm_year + 1
    days = "group_by=daily&start={}&end={}".format(
        *(time.strftime("%Y-%m-%d", time.gmtime(now_s + d * S_PER_DAY)) for d in (-6, 2))
    )
    last_month = time.strftime("%Y-%m-01", time.gmtime(_month_start(now_s) - S_PER_DAY))
    month = f"start={last_month}&end={time.strftime('%Y-%m-01', time.gmtime(now_s))}"
    for home in found:
        claims = {"sub": home.id, "iat": now_s, "exp": now_s + _TOKEN_DAYS * S_PER_DAY}
        token = jwt.encode(claims, key.get_secret_value(), algorithm="HS512")
        calls = {
            f"statistics?measures=energy_import&group_by=monthly&start={since}-01&end={next_year}-01-01": "",
            f"forecast?{days}": "",
            f"statement?format=pdf&{month}": " -o bill.pdf",
            f"energy-flows?{month}": "",
            f"explain?measure=emissions_import&{month}": "",
        }
        print(f"{home.id}: {home.about}\n  {token}")
        for call, into in calls.items():
            print(f"  curl -H 'Authorization: Bearer {token}' '{base}/households/{home.id}/{call}'{into}")
        print()
