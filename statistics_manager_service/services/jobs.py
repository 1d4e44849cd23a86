"""Jobs: what is done for all households at a time of the day. Each is safe to repeat, and tells what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import (
    MILLI,
    QUARTER_US,
    QUARTERS_PER_HOUR,
    S_PER_MINUTE,
    US_PER_DAY,
    US_PER_S,
)
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.forecasting import MEASURE, Forecasts, civil_day, measured_quarters
from statistics_manager_service.services.ports import Household, Store
from statistics_manager_service.services.producing import Producers
from statistics_manager_service.services.relaying import Lease
from statistics_manager_service.services.verifying import households_of

_POSTED_AT_ONCE: Final = 200
#: A household that has sent nothing for so long is not forecast.
_SILENT_DAYS: Final = 7


@dataclass(slots=True)
class Summary:
    """What a job did: of how many households, how many had nothing to do, and whose failed and why."""

    done: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


class MeasuredSink(Protocol):
    """Where measured powers are posted to."""

    def post_measured(self, measured: dict[str, tuple[Int64, Float64]]) -> None:
        """Of each household the instants and the mean powers from then on, W. Raises Unavailable, Declined."""
        ...


def local_day(household: Household, now_us: int, days_ahead: int) -> date:
    """A civil day of a household, counted from today."""
    return datetime.fromtimestamp(now_us / US_PER_S, UTC).astimezone(ZoneInfo(household.timezone)).date() + timedelta(
        days=days_ahead
    )


class Jobs:
    """The jobs over a store."""

    def __init__(self, store: Store, producers: Producers, forecasts: Forecasts, now_us: Callable[[], int]) -> None:
        self._store, self._producers, self._forecasts, self._now_us = store, producers, forecasts, now_us

    def trigger_forecasts(
        self,
        days_ahead: int,
        *,
        again: bool = False,
        only: str | None = None,
        asked: dict[tuple[str, date], int] | None = None,
    ) -> Summary:
        """Ask for the forecast of a day, counted from each household's today, of all that are measured and have none
        of it yet (with `again`: of all that are measured).

        asked: households and days that were asked for before, with when; they are left out, and the others added.
        """
        now_us = self._now_us()

        def put(one: Household) -> object:
            day = local_day(one, now_us, days_ahead)
            if asked is not None and (one.id, day) in asked:
                return None
            if not self._is_measured(one, now_us) or not (again or self._forecasts.lacking(one, day)):
                return None
            if asked is not None:
                asked[one.id, day] = now_us
            return self._producers.forecast(one.id, day.isoformat())

        return self._each(only, put)

    def _is_measured(self, household: Household, now_us: int) -> bool:
        """Whether enough was measured of late that a forecast can be made."""
        with self._store.reading() as view:
            channels = [c for c in view.channels(household.household_no) if c.quantity == MEASURE and c.first_us]
        return any(
            (c.first_us or 0) <= now_us - US_PER_DAY and (c.last_us or 0) >= now_us - _SILENT_DAYS * US_PER_DAY
            for c in channels
        )

    def trigger_real_data(self, look_back_minutes: int, only: str | None = None) -> Summary:
        """Ask for the telemetry of the last minutes, of all households that have a dongle or a smart meter."""
        end_us = self._now_us()
        start_us = end_us - look_back_minutes * S_PER_MINUTE * US_PER_S
        return self._each(
            only,
            lambda one: self._producers.real_data(one.id, start_us, end_us) if one.api_key or one.meter_id else None,
        )

    def mock_curves(self, days_ahead: int, delivery_time_minutes: int, only: str | None = None) -> Summary:
        """Ask for the mock curve of a day of all households."""

        def put(one: Household) -> object:
            start_us, _ = civil_day(local_day(one, self._now_us(), days_ahead), one.timezone)
            return self._producers.mock_curve(one.id, start_us, delivery_time_minutes)

        return self._each(only, put)

    def post_measured(self, days_ahead: int, sink: MeasuredSink, only: str | None = None) -> Summary:
        """Post the mean power of each quarter-hour of a day (−1: yesterday) that is measured, of all households.

        A batch that the other side does not take is told of each of its households.
        """
        out = Summary()
        batch: dict[str, tuple[Int64, Float64]] = {}

        def post() -> None:
            try:
                sink.post_measured(dict(batch))
                out.done += len(batch)
            except StatisticsError as error:
                out.failed += [(household, error.sentence) for household in batch]
            batch.clear()

        for one in households_of(self._store, only):
            at_us, power_w = self._measured_w(one, local_day(one, self._now_us(), days_ahead))
            if not len(at_us):
                out.skipped += 1
                continue
            batch[one.id] = (at_us, power_w)
            if len(batch) == _POSTED_AT_ONCE:
                post()
        if batch:
            post()
        return out

    def _measured_w(self, household: Household, day: date) -> tuple[Int64, Float64]:
        start_us, end_us = civil_day(day, household.timezone)
        first, count = quarter_of(start_us), quarter_after(end_us) - quarter_of(start_us)
        with self._store.reading() as view:
            energy_milliwh = measured_quarters(view, household, first, count)
        known = np.flatnonzero(np.isfinite(energy_milliwh))
        return (first + known) * QUARTER_US, energy_milliwh[known] * QUARTERS_PER_HOUR / MILLI

    def _each(self, only: str | None, put: Callable[[Household], object]) -> Summary:
        return each_household(self._store, only, put)


def each_household(store: Store, only: str | None, do: Callable[[Household], object]) -> Summary:
    """Do something for each household, or for one; None is returned where there is nothing to do."""
    out = Summary()
    for one in households_of(store, only):
        try:
            if do(one) is None:
                out.skipped += 1
            else:
                out.done += 1
        except StatisticsError as error:
            out.failed.append((one.id, error.sentence))
    return out


class DailyForecasts:
    """Asks for the forecasts of today and tomorrow that are lacking, once for each day; one process at a time does."""

    def __init__(self, jobs: Jobs, lease: Lease, now_us: Callable[[], int]) -> None:
        self._jobs, self._lease, self._now_us = jobs, lease, now_us
        self._asked: dict[tuple[str, date], int] = {}

    def step(self) -> int:
        """Ask for them; 0, so that there is a rest. Raises Unavailable."""
        if self._lease.is_held():
            now_us = self._now_us()
            self._asked = {key: at_us for key, at_us in self._asked.items() if now_us - at_us < 2 * US_PER_DAY}
            for days_ahead in (0, 1):
                self._jobs.trigger_forecasts(days_ahead, asked=self._asked)
        return 0
