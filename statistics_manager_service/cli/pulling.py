"""`statistics-manager pull …`: telemetry that another store has, fetched and recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.feeds import puller_of
from statistics_manager_service.cli.opening import existing_store, settings
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.errors import BadInput, Fault, StatisticsError
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.events.jobs import Summary, each_household
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.telemetry.pulling import NO_SOURCE, Pulled, RefusedRow

pull_app = typer.Typer(no_args_is_help=True, help="Telemetry that another store has. Safe to repeat.")
_MOST_SHOWN = 20


@pull_app.command("influxdb")
def pull_influxdb(
    since: Annotated[
        str | None,
        typer.Option(
            help="A date of the household's zone, or a date-time; an hour before the end of the last pull unless given."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(help="In the same form; now unless given.")] = None,
    household: Annotated[str | None, typer.Option(help="This household alone.")] = None,
) -> None:
    """Fetch telemetry from the InfluxDB 2 of INFLUX_URL and record it, a household after the other.

    Exit code 1 where it failed for a household.
    """
    found = settings()
    configure_logging(found.log_level, found.log_format)  # to standard error: the summary stands alone
    _check(since, until)
    if not found.influx_url:
        raise StatisticsError(NO_SOURCE)
    store = existing_store(household)
    puller = puller_of(found, store, bootstrap.recorder_of(store), bootstrap.now_us)
    pulled = Pulled()

    def do(one: Household) -> object:
        if household is None and not (one.api_key or one.meter_id):
            return None
        mine = Pulled()
        try:
            puller.pull_on(one, _moment(since, one, "since"), _moment(until, one, "until"), mine)
        finally:  # what was recorded until an error is kept
            mine.named = [RefusedRow(f"{one.id}: {row.name}", row.reason) for row in mine.named]
            pulled.add(mine)
        return mine

    _tell(each_household(store, household, do), pulled)


def _check(since: str | None, until: str | None) -> None:
    """Raises BadInput where either can't be read, in whatever zone."""
    faults: list[Fault] = []
    for name, text in (("since", since), ("until", until)):
        try:
            if text is not None:
                parse_moment(text, "UTC", name)
        except BadInput as error:
            faults += error.faults
    if faults:
        raise BadInput.of(faults)


def _moment(text: str | None, owner: Household, name: str) -> int | None:
    return None if text is None else parse_moment(text, owner.timezone, name)


def _tell(summary: Summary, pulled: Pulled) -> None:
    """Print what became of the pull. Exit code 1 where it failed for a household."""
    print(f"{summary.done} households: pulled; {summary.skipped} had nothing to do; {len(summary.failed)} failed")
    print(
        f"{pulled.rows} rows: accepted {pulled.accepted}, known already {pulled.duplicates}, "
        f"set aside {pulled.set_aside} of the accepted, refused {pulled.refused}"
    )
    for row in pulled.named:
        print(f"  refused: {row.name}: {row.reason}")
    if pulled.refused > len(pulled.named):
        print(f"  and {pulled.refused - len(pulled.named)} more")
    for household, reason in summary.failed[:_MOST_SHOWN]:
        print(f"  failed: {household}: {reason}")
    if len(summary.failed) > _MOST_SHOWN:
        print(f"  and {len(summary.failed) - _MOST_SHOWN} more")
    if summary.failed:
        raise typer.Exit(1)
