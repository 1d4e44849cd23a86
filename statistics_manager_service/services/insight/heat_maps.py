"""Heat maps: a measure by civil day and time of day, made of the same statistics as every other answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.day_times import clock_labels, date_labels, day_times
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import QUARTER_S, S_PER_DAY, S_PER_HOUR
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import Asking, Question, Statistics, parse_measures
from statistics_manager_service.services.insight.asked_time import AskedTime

#: Steps of the time of day, by the grouping that makes them.
STEPS: Final = {"15_mins": QUARTER_S, "hourly": S_PER_HOUR}


@dataclass(frozen=True, slots=True)
class HeatMapQuestion:
    """Which measure, of one meter or the home, in which steps of the day."""

    time: AskedTime
    measure: str
    meter: str | None = None
    step: str = "15_mins"


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """A measure by d civil days and s times of day.

    values: (d, s) float64, NaN where unknown, where the time is not asked for, and where the clock skips it: those are
    `skipped`, rows and columns. repeated: the places in the statistics of what stands a second time on the clock, whose
    first pass is in the values; repeated_at: their rows and columns.
    """

    statistics: Statistics
    dates: list[str]
    times: list[str]
    values: Float64
    skipped: tuple[Int64, Int64]
    repeated: Int64
    repeated_at: tuple[Int64, Int64]


def check_measure(text: str) -> None:
    """Raises BadInput for what is not a single measure."""
    try:
        measures = parse_measures(text)
    except BadInput as error:
        raise BadInput.of([Fault("measure", fault.why) for fault in error.faults]) from error
    if len(measures) > 1:
        raise BadInput.of([Fault("measure", "a heat map is of one measure")])


class HeatMaps:
    """Makes heat maps of homes."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def of(self, household_id: str, question: HeatMapQuestion) -> HeatMap:
        """A measure of a home by day and time of day. Raises BadInput, NotFound."""
        time = question.time
        time.whole(time.timezone or self._asking.timezone_of(household_id))
        asked = Question(
            question.measure, time.start, time.end, question.step, time.timezone, question.meter, as_of=time.as_of
        )
        return laid_out(self._asking.statistics(household_id, asked), STEPS[question.step])


def laid_out(statistics: Statistics, step_s: int) -> HeatMap:
    """The single column of some statistics by day and time of day."""
    cal = statistics.calendar
    times = day_times(cal.edges_us[:-1], cal.offset_s[:-1], step_s)
    days, row = np.unique(times.day, return_inverse=True)
    columns = S_PER_DAY // step_s
    cell = row * columns + times.slot
    values = np.full(len(days) * columns, np.nan)
    first = ~times.again
    values[cell[first]] = statistics.columns[0].value[first]
    exists = np.zeros(len(values), np.bool_)
    exists[cell] = True
    exists[: cell[0]] = exists[cell[-1] + 1 :] = True  # before and behind the time that is asked for
    repeated = np.flatnonzero(times.again)
    return HeatMap(
        statistics=statistics,
        dates=date_labels(days),
        times=clock_labels(step_s),
        values=values.reshape(len(days), columns),
        skipped=_rows_and_columns(np.flatnonzero(~exists), columns),
        repeated=repeated,
        repeated_at=_rows_and_columns(cell[repeated], columns),
    )


def _rows_and_columns(cell: Int64, columns: int) -> tuple[Int64, Int64]:
    row, column = np.divmod(cell, columns)
    return row, column
