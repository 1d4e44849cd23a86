"""Jobs: what is done for all households at a time of the day. Each is safe to repeat, and tells what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import (
    MILLI,
    QUARTER_US,
    QUARTERS_PER_HOUR,
    S_PER_MINUTE,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_S,
)
from statistics_manager_service.errors import StatisticsError, Unavailable
from statistics_manager_service.services.events.producing import (
    Producers,
    Wish,
    forecast_wish,
    mock_curve_wish,
    real_data_wish,
)
from statistics_manager_service.services.events.relaying import Lease
from statistics_manager_service.services.forecasts.forecasting import (
    MEASURE,
    Forecasts,
    civil_day,
    lacking,
    measured_quarters,
)
from statistics_manager_service.services.measuring import sources
from statistics_manager_service.services.ports import Channel, Household, Store
from statistics_manager_service.services.telemetry.verifying import households_of

_LOG = structlog.get_logger()
#: Households that are looked at together, and put or posted at once.
_AT_ONCE: Final = 200
#: A household that has sent nothing for so long is not forecast.
_SILENT_DAYS: Final = 7
#: A forecast that was asked for and is not there after so long is asked for again.
_ASKED_AGAIN_US: Final = 6 * US_PER_HOUR

#: Households and their days of which a forecast need not be looked for until an instant (microseconds UTC).
Settled = dict[tuple[str, date], int]


@dataclass(slots=True)
class Summary:
    """What a job did: of how many households, how many had nothing to do, and whose failed and why."""

    done: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, done: Sequence[bool]) -> None:
        """Of each household, whether there was something to do."""
        self.done += sum(done)
        self.skipped += len(done) - sum(done)

    def fail(self, households: Sequence[str], error: Exception) -> None:
        """Note why these failed. What was not foreseen is logged as well."""
        if isinstance(error, StatisticsError):
            self.failed += [(one, error.sentence) for one in households]
        else:
            _LOG.error("job_failed_for_household", households=households[:10], exc_info=error)
            self.failed += [(one, f"{type(error).__name__}: {error}") for one in households]


class MeasuredSink(Protocol):
    """Where measured powers are posted to."""

    def post_measured(self, measured: Mapping[str, tuple[Int64, Float64]]) -> None:
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
        self, *days_ahead: int, again: bool = False, only: str | None = None, settled: Settled | None = None
    ) -> Summary:
        """Ask for the forecasts of days, counted from each household's today, that are lacking and can be had; with
        `again` also where there is one.

        settled: what need not be looked at; what is found to be there, or is asked for, is added.
        """

        def put(page: Sequence[Household]) -> list[bool]:
            now_us, memory = self._now_us(), {} if settled is None else settled
            wanted = [(one, local_day(one, now_us, ahead)) for one in page for ahead in days_ahead]
            wanted = [(one, day) for one, day in wanted if memory.get((one.id, day), 0) <= now_us]
            asked = self._forecasts_to_ask(wanted, now_us, again, memory) if wanted else []
            self._producers.put([forecast_wish(one.id, day.isoformat()) for one, day in asked])
            memory.update({(one.id, day): now_us + _ASKED_AGAIN_US for one, day in asked})
            households = {one.id for one, _ in asked}
            return [one.id in households for one in page]

        return self._by_pages(only, put)

    def _forecasts_to_ask(
        self, wanted: Sequence[tuple[Household, date]], now_us: int, again: bool, settled: Settled
    ) -> list[tuple[Household, date]]:
        """Those that can be had, are not there, and are not waited for."""
        with self._store.reading() as view:
            channels = view.channels_of(list({one.household_no for one, _ in wanted}))
            some = [
                (one, day) for one, day in wanted if self._can_be_forecast(one, day, channels[one.household_no], now_us)
            ]
            if again:
                return some
            out = []
            for (one, day), is_lacking in zip(some, lacking(view, some), strict=True):
                if not is_lacking:
                    settled[one.id, day] = now_us + 2 * US_PER_DAY
                elif not view.is_waiting(one.id):
                    out.append((one, day))
        return out

    def _can_be_forecast(self, household: Household, day: date, channels: Sequence[Channel], now_us: int) -> bool:
        """Whether a household is metered and a service makes its forecasts; or whether it was measured of late, and for
        a day before the wanted one and now, so that a forecast can be made here."""
        if self._forecasts.are_fetched and (household.api_key or household.meter_id):
            return True
        known_us = min(now_us, civil_day(day, household.timezone)[0]) - US_PER_DAY
        silent_us = now_us - _SILENT_DAYS * US_PER_DAY
        found = [(c.first_us, c.last_us) for c in sources(channels, MEASURE).channels]
        return any(
            first_us is not None and last_us is not None and first_us <= known_us and last_us >= silent_us
            for first_us, last_us in found
        )

    def trigger_real_data(self, look_back_minutes: int, only: str | None = None) -> Summary:
        """Ask for the telemetry of the last minutes, of all households that have a dongle or a smart meter."""
        end_us = self._now_us()
        start_us = end_us - look_back_minutes * S_PER_MINUTE * US_PER_S

        def wish(one: Household) -> Wish | None:
            return real_data_wish(one.id, start_us, end_us) if one.api_key or one.meter_id else None

        return self._put_each(only, wish)

    def mock_curves(self, days_ahead: int, delivery_time_minutes: int, only: str | None = None) -> Summary:
        """Ask for the mock curve of a day of all households."""

        def wish(one: Household) -> Wish:
            start_us, _ = civil_day(local_day(one, self._now_us(), days_ahead), one.timezone)
            return mock_curve_wish(one.id, start_us, delivery_time_minutes)

        return self._put_each(only, wish)

    def post_measured(self, days_ahead: int, sink: MeasuredSink, only: str | None = None) -> Summary:
        """Post the mean power of each quarter-hour of a day (−1: yesterday) that is measured, of all households.

        A batch that the other side does not take is told of each of its households.
        """
        out = Summary()
        for page in _pages(self._store, only):
            batch: dict[str, tuple[Int64, Float64]] = {}
            for one in page:
                try:
                    at_us, power_w = self._measured_w(one, local_day(one, self._now_us(), days_ahead))
                except Exception as error:
                    out.fail([one.id], error)
                    continue
                if len(at_us):
                    batch[one.id] = (at_us, power_w)
                else:
                    out.skipped += 1
            if batch:
                try:
                    sink.post_measured(batch)
                    out.done += len(batch)
                except StatisticsError as error:
                    out.fail(list(batch), error)
        return out

    def _measured_w(self, household: Household, day: date) -> tuple[Int64, Float64]:
        start_us, end_us = civil_day(day, household.timezone)
        first, count = quarter_of(start_us), quarter_after(end_us) - quarter_of(start_us)
        with self._store.reading() as view:
            energy_milliwh = measured_quarters(view, household, first, count, with_estimated=False)
        known = np.flatnonzero(np.isfinite(energy_milliwh))
        return (first + known) * QUARTER_US, energy_milliwh[known] * QUARTERS_PER_HOUR / MILLI

    def _put_each(self, only: str | None, wish: Callable[[Household], Wish | None]) -> Summary:
        """Put an event of each household, or None where there is nothing to do."""

        def put(page: Sequence[Household]) -> list[bool]:
            wishes = [wish(one) for one in page]
            self._producers.put([one for one in wishes if one is not None])
            return [one is not None for one in wishes]

        return self._by_pages(only, put)

    def _by_pages(self, only: str | None, put: Callable[[Sequence[Household]], Sequence[bool]]) -> Summary:
        """Do something for many households at once; where that fails for them together, for each alone."""
        out = Summary()
        for page in _pages(self._store, only):
            try:
                out.count(put(page))
            except Unavailable as error:  # the store, for one household as for many
                out.fail([one.id for one in page], error)
            except Exception:
                for one in page:
                    try:
                        out.count(put([one]))
                    except Exception as error:
                        out.fail([one.id], error)
        return out


def _pages(store: Store, only: str | None) -> Iterator[list[Household]]:
    households = households_of(store, only)
    while page := list(islice(households, _AT_ONCE)):
        yield page


def each_household(store: Store, only: str | None, do: Callable[[Household], object]) -> Summary:
    """Do something for each household, or for one; None is returned where there is nothing to do."""
    out = Summary()
    for one in households_of(store, only):
        try:
            out.count([do(one) is not None])
        except Exception as error:
            out.fail([one.id], error)
    return out


class DailyForecasts:
    """Asks for the forecasts of today and tomorrow that are lacking; one process at a time does.

    What is there or was asked for is remembered, so that a step costs little more than reading the list of households.
    """

    def __init__(self, jobs: Jobs, lease: Lease, now_us: Callable[[], int]) -> None:
        self._jobs, self._lease, self._now_us = jobs, lease, now_us
        self._settled: Settled = {}

    def step(self) -> int:
        """Ask for them; 0, so that there is a rest. Raises Unavailable."""
        if self._lease.is_held():
            now_us = self._now_us()
            self._settled = {key: until_us for key, until_us in self._settled.items() if until_us > now_us}
            failed = self._jobs.trigger_forecasts(0, 1, settled=self._settled).failed
            if failed:
                _LOG.warning("forecasts_not_asked_for", households=len(failed), first=failed[0])
        return 0
