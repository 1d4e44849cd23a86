"""Measures by the hour, as the projection of a period's end takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import numpy as np

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar
from statistics_manager_service.core.end_of_period import FAR_DAYS, Hours
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.spans import civil_date, midnight_us
from statistics_manager_service.core.units import S_PER_DAY, S_PER_HOUR, US_PER_DAY, US_PER_HOUR, US_PER_S
from statistics_manager_service.services.insight.compared import KNOWN_SHARE
from statistics_manager_service.services.measuring import Column

#: What is looked at before a period begins: where its end is far ahead two years and the weeks before them, else the
#: weeks that are usual, the longest time ahead, and the days from which it was tried.
_DAYS_BEFORE_FAR: Final = 2 * 364 + 56 + 7
_DAYS_BEFORE: Final = 56 + 33 + 182
_HOURS_PER_DAY: Final = S_PER_DAY // S_PER_HOUR

#: A column of a measure over buckets.
MakeColumn = Callable[[Calendar, str], Column]


class HoursOfMeasures:
    """The hours of measures up to an instant, worked out once each.

    make: the column of a measure. first_us: of a home's first reading.
    """

    def __init__(self, zone: str, at_us: int, first_us: int, make: MakeColumn) -> None:
        self._zone, self._at_us, self._first_us, self._make = zone, at_us, first_us, make
        self._kept: dict[tuple[str, int], tuple[Calendar, Float64, Float64]] = {}

    def begin_us(self, start_us: int, end_us: int) -> int:
        """From when on the hours are looked at for a period: a midnight."""
        days = _DAYS_BEFORE_FAR if end_us - self._at_us > FAR_DAYS * US_PER_DAY else _DAYS_BEFORE
        first = civil_date(self._zone, max(start_us - days * US_PER_DAY, min(self._first_us, start_us)))
        return midnight_us(self._zone, first)

    def of(self, measure: str, begin_us: int, end_us: int) -> Hours:
        """The hours of a measure from a midnight up to the end of a period, known up to the instant."""
        told = self._told(measure, begin_us)
        ahead = calendar(self._zone, GroupBy.HOURLY, self._at_us, end_us)
        base = self._wall_hours(told[0])[0]
        cells, lengths = self._wall_hours(told[0]) - base, np.diff(told[0].edges_us) / US_PER_HOUR
        cells_ahead, lengths_ahead = self._wall_hours(ahead) - base, np.diff(ahead.edges_us) / US_PER_HOUR
        size = -(-(int(cells_ahead[-1]) + 1) // _HOURS_PER_DAY) * _HOURS_PER_DAY
        _, value, share = told
        is_known = np.isfinite(value) & (share >= KNOWN_SHARE)
        hours = np.zeros(size)
        hours += np.bincount(cells, lengths, size) + np.bincount(cells_ahead, lengths_ahead, size)
        known = np.zeros(size)
        known += np.bincount(cells, lengths * np.where(np.isfinite(value), share, 0.0), size)
        counted = np.bincount(cells, lengths * is_known, size)
        sums = np.bincount(cells, np.where(is_known, value, 0.0), size)
        per_hour = np.where(counted > 0, sums / np.where(counted > 0, counted, 1.0), np.nan)
        now = (civil_date(self._zone, self._at_us) - civil_date(self._zone, begin_us)) // timedelta(days=1)
        shape = (-1, _HOURS_PER_DAY)
        return Hours(per_hour.reshape(shape), hours.reshape(shape), known.reshape(shape), now)

    def _told(self, measure: str, begin_us: int) -> tuple[Calendar, Float64, Float64]:
        """The hours up to the instant, values, and the shares of them that are known."""
        key = (measure, begin_us)
        if key not in self._kept:
            cal = calendar(self._zone, GroupBy.HOURLY, begin_us, max(self._at_us, begin_us + US_PER_S))
            column = self._make(cal, measure)
            self._kept[key] = cal, column.value, np.minimum(column.coverage + column.estimated, 1.0)
        return self._kept[key]

    def _wall_hours(self, cal: Calendar) -> Int64:
        """Hours of the wall clock, since 1970, in which buckets begin."""
        hours: Int64 = (cal.edges_us[:-1] // US_PER_S + cal.offset_s[:-1]) // S_PER_HOUR
        return hours
