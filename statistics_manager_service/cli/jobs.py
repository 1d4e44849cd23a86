"""`statistics-manager job …`: what is done for all households at a time of the day; and `statistics-manager forecast`.

Each is safe to repeat, prints a summary, and ends with code 1 where it failed for a household.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import numpy as np
import typer

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.feeds import forecast_service
from statistics_manager_service.cli.opening import existing_store, settings
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.events.jobs import Jobs, Summary, each_household, local_day
from statistics_manager_service.services.events.mock_telemetry import MockTelemetry
from statistics_manager_service.services.forecasts.forecasting import day_of
from statistics_manager_service.settings import Settings

job_app = typer.Typer(no_args_is_help=True, help="Work for all households, for a scheduler. Safe to repeat.")
OnlyHousehold = Annotated[str | None, typer.Option("--household", help="This household alone.")]
_MOST_MINUTES = 366 * 24 * 60
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_MOST_SHOWN = 20


class Coming(StrEnum):
    """A day whose forecast may be asked for."""

    TODAY = "today"
    TOMORROW = "tomorrow"


class Past(StrEnum):
    """A day of which something may be measured."""

    YESTERDAY = "yesterday"
    TODAY = "today"


class Near(StrEnum):
    """A day of a mock curve."""

    YESTERDAY = "yesterday"
    TODAY = "today"
    TOMORROW = "tomorrow"


def _settings() -> Settings:
    """The settings; what is logged from now on goes the way that they tell, and a summary stands alone."""
    found = settings()
    configure_logging(found.log_level, found.log_format)
    return found


def _jobs(household: str | None) -> Jobs:
    return bootstrap.jobs_of(_settings(), existing_store(household))


def _tell(summary: Summary, done: str) -> None:
    """Print what a job did. Exit code 1 where it failed for a household."""
    print(f"{summary.done} households: {done}; {summary.skipped} had nothing to do; {len(summary.failed)} failed")
    for household, reason in summary.failed[:_MOST_SHOWN]:
        print(f"  {household}: {reason}")
    if len(summary.failed) > _MOST_SHOWN:
        print(f"  and {len(summary.failed) - _MOST_SHOWN} more")
    if summary.failed:
        raise typer.Exit(1)


@job_app.command("forecasts")
def forecasts(
    day: Annotated[Coming, typer.Option(help="By each household's zone.")] = Coming.TOMORROW,
    again: Annotated[bool, typer.Option(help="Also where a forecast of the day is stored already.")] = False,
    household: OnlyHousehold = None,
) -> None:
    """Ask for the forecasts of a day; the service fetches or makes them."""
    _tell(_jobs(household).trigger_forecasts(_DAYS[day], again=again, only=household), f"asked for {day}")


@job_app.command("real-data")
def real_data(
    look_back_minutes: Annotated[int, typer.Option(min=1, max=_MOST_MINUTES, help="How far to look back.")] = 90,
    household: OnlyHousehold = None,
) -> None:
    """Ask for the telemetry of the last minutes; the service fetches it from InfluxDB."""
    summary = _jobs(household).trigger_real_data(look_back_minutes, household)
    _tell(summary, f"asked for the last {look_back_minutes} minutes")


@job_app.command("post-measured")
def post_measured(
    day: Annotated[Past, typer.Option(help="By each household's zone.")] = Past.YESTERDAY,
    household: OnlyHousehold = None,
) -> None:
    """Post the measured consumption of a day to the forecast service."""
    service = forecast_service(_settings())
    if service is None:
        raise StatisticsError("FORECAST_API_URL is not set: there is no forecast service to post to")
    _tell(_jobs(household).post_measured(_DAYS[day], service, household), f"posted {day}")


@job_app.command("mock-curves")
def mock_curves(
    day: Annotated[Near, typer.Option(help="By each household's zone.")] = Near.TODAY,
    delivery_time: Annotated[int, typer.Option(min=15, help="Minutes that a power is kept for.")] = 15,
    household: OnlyHousehold = None,
) -> None:
    """For test systems: ask for a mock forecast and measured curve of a day."""
    _tell(_jobs(household).mock_curves(_DAYS[day], delivery_time, household), f"asked for {day}")


@job_app.command("mock-telemetry")
def mock_telemetry(
    look_back_minutes: Annotated[int, typer.Option(min=15, max=_MOST_MINUTES, help="How far to look back.")] = 60,
    household: OnlyHousehold = None,
) -> None:
    """For test systems: record what the dongles and smart meters of the households would have sent."""
    _settings()
    store = existing_store(household)
    mock = MockTelemetry(store, bootstrap.recorder_of(store), bootstrap.now_us)
    _tell(each_household(store, household, lambda one: mock.record(one, look_back_minutes)), "recorded")


def forecast(
    household: Annotated[str, typer.Option(help="Id of the household.")],
    day: Annotated[str, typer.Option(help="A date of its zone, such as 2026-11-26; or today, tomorrow.")] = "tomorrow",
) -> None:
    """Make the forecast of a household's day here, from what was measured, and store it."""
    store = existing_store(household)
    owner = bootstrap.households_of(store).get(household)
    wanted = local_day(owner, bootstrap.now_us(), _DAYS[day]) if day in _DAYS else day_of(day)
    energy_milliwh = bootstrap.forecasts_of(settings(), store).make(household, wanted).energy_milliwh
    known = np.isfinite(energy_milliwh)
    print(f"{household}: {np.nansum(energy_milliwh) / MILLIWH_PER_KWH:.3f} kWh from the grid on {wanted}", end="")
    print("" if known.all() else f", over {known.sum()} of {len(known)} quarter-hours")
