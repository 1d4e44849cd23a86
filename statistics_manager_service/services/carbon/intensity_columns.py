"""Intensities by the quarter-hour for accounts: laid out by the fall-back, and remembered until an intensity changes.

Whoever explains a figure asks `factors_of` (services/carbon/explained_factors.py): of a time each intensity, the step
that told it, and where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from statistics_manager_service.core.carbon import DAYS_USED, LONGEST_US
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.intensity_steps import Told, joined, told_on_quarters, with_annual, with_same_hours
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_S
from statistics_manager_service.core.zones import offsets_between
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.carbon.carbon import ZONE_PATTERN, time_zone_of
from statistics_manager_service.services.carbon.carbon_rows import IntensityRows, IntensitySeries, Method
from statistics_manager_service.services.carbon.shipped_factors import AnnualMeans, annual_means
from statistics_manager_service.services.column_sources import Way
from statistics_manager_service.services.ports import Household, State
from statistics_manager_service.services.remembering import Remembered

#: UTC days that are remembered together.
_CHUNK_DAYS: Final = 512
_CHUNK_QUARTERS: Final = _CHUNK_DAYS * QUARTERS_PER_DAY
_MOST_KEPT_BYTES: Final = 64 * 2**20
_SERIES_BYTES: Final = 512
#: The civil days before, and the one that an offset may shift a day by.
_BEFORE_QUARTERS: Final = (DAYS_USED + 2) * QUARTERS_PER_DAY
AVERAGE, MARGINAL = "average", "marginal"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which intensities a home's accounts are of. source, boundary: None where any may do. is_asked: whether a question
    names them, and not a setting."""

    zone: str
    source: str | None
    boundary: str | None
    is_asked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What an account is made of. One series of average intensities an account: methods are not mixed but where the
    annual mean has to step in, and the answer says so.

    series: of the steps before the annual mean; None where the zone has none that may be used. annual: of the last
    step; None where the country has none. marginal: the series of marginal intensities of the same boundary; None where
    the zone has none.
    """

    zone: str
    series: IntensitySeries | None
    annual: AnnualMeans | None
    marginal: IntensitySeries | None

    @property
    def method(self) -> Method:
        """Of the series, or else of the annual means."""
        if self.series is not None:
            return Method(self.series.basis, self.series.boundary, self.series.scope)
        return Method() if self.annual is None else self.annual.method


class GridIntensities:
    """Finds the intensities of homes, as those of `CarbonForecasts` are found: the household's zone, or else its
    country, or else `zone`; the series of `source` before others. Threads may share it."""

    def __init__(self, zone: str, source: str | None, most_bytes: int = _MOST_KEPT_BYTES) -> None:
        self._zone, self._source = zone, source
        self._series: Remembered[list[IntensitySeries]] = Remembered(most_bytes // 16)
        self._chunks: Remembered[Told] = Remembered(most_bytes)

    def wanted(self, household: Household, way: Way) -> Wanted:
        """Whose intensities count: those that the question names, be it by one of the two words, or else the
        household's settings."""
        zone = household.zone
        if zone is None or not re.fullmatch(ZONE_PATTERN, zone):
            zone = household.country or self._zone
        more = household.more.get
        is_asked = way.carbon_source is not None or way.carbon_boundary is not None
        source = way.carbon_source if is_asked else more("carbon_source")
        boundary = way.carbon_boundary if is_asked else more("carbon_boundary")
        return Wanted(zone, source, boundary, is_asked)

    def chosen(
        self, view: IntensityRows, wanted: Wanted, start_us: int, end_us: int, until_us: int | None = None
    ) -> Chosen:
        """Of the series that may be used the first that a source tells of some of start ≤ instant < end; else the first
        of which the days before tell; else the first.

        until_us: as it was known then. Raises BadInput where a question names a source or a boundary of which the zone
        has nothing.
        """
        every = self._all_series(view, wanted.zone, (0, view.carbon_state()))

        def told_by(series: IntensitySeries) -> Told:
            return self.told(view, wanted.zone, series, quarter_of(start_us), quarter_after(end_us), until_us)

        found = Chosen(wanted.zone, _first(_allowed(every, wanted), told_by), annual_means(wanted.zone), None)
        beside = [one for one in every if (one.basis, one.boundary) == (MARGINAL, found.method.boundary)]
        return replace(found, marginal=_first(beside, told_by))

    def told(
        self,
        view: IntensityRows,
        zone: str,
        series: IntensitySeries | None,
        first_quarter: int,
        end_quarter: int,
        until_us: int | None = None,
    ) -> Told:
        """The intensity of the quarter-hours first_quarter … end_quarter − 1 by a series of the zone, or by annual
        means alone; by one of marginal intensities without annual means, which are of the average. The arrays can't be
        written to. What was known earlier (until_us) is not remembered."""
        if until_us is not None:
            return _laid_out(view, zone, series, first_quarter, end_quarter, until_us)
        state = (0, view.carbon_state() if series else 0)  # annual means change with the program, not with the store
        end = max(end_quarter, first_quarter + 1)
        chunks = range(first_quarter // _CHUNK_QUARTERS, -(-end // _CHUNK_QUARTERS))
        found = joined([self._chunk(view, zone, series, one, state) for one in chunks])
        begin = first_quarter - chunks[0] * _CHUNK_QUARTERS
        return found.slice(begin, begin + end_quarter - first_quarter)

    def _all_series(self, view: IntensityRows, zone: str, state: State) -> list[IntensitySeries]:
        """The series of a zone, the configured source's first, then the oldest."""
        found = self._series.get(zone, state)
        if found is None:
            found = sorted(view.intensity_series(zone), key=lambda one: one.source != self._source)
            self._series.put(zone, state, found, _SERIES_BYTES * len(found))
        return found

    def _chunk(self, view: IntensityRows, zone: str, series: IntensitySeries | None, chunk: int, state: State) -> Told:
        key = (series.series_no if series else zone, chunk)
        found = self._chunks.get(key, state)
        if found is None:
            first = chunk * _CHUNK_QUARTERS
            found = _laid_out(view, zone, series, first, first + _CHUNK_QUARTERS, None)
            found.mg_per_kwh.flags.writeable = found.step.flags.writeable = False
            self._chunks.put(key, state, found, found.mg_per_kwh.nbytes + found.step.nbytes)
        return found


def _allowed(every: Sequence[IntensitySeries], wanted: Wanted) -> list[IntensitySeries]:
    """The series that an account may be made of. Raises BadInput."""
    some = [one for one in every if one.basis == AVERAGE]
    found = [one for one in some if wanted.source in (None, one.source) and wanted.boundary in (None, one.boundary)]
    if found or not wanted.is_asked:
        return found
    means = annual_means(wanted.zone)
    if wanted.source is None and means is not None and means.method.boundary == wanted.boundary:
        return []  # the annual means are of it
    there = ", ".join(f"{one.source} ({one.boundary})" for one in some) or "none"
    what = ", ".join(filter(None, (wanted.source, wanted.boundary)))
    where = "carbon_boundary" if wanted.source is None else "carbon_source"
    why = f"the zone {wanted.zone} has no series of average intensities of {what}; there are: {there}"
    raise BadInput.of([Fault(where, why)])


def _first(some: Sequence[IntensitySeries], told_by: Callable[[IntensitySeries], Told]) -> IntensitySeries | None:
    if len(some) <= 1:  # there is nothing to choose
        return next(iter(some), None)
    told = [(one, told_by(one)) for one in some]
    for one, found in told:
        if found.any_from_source:
            return one
    return next((one for one, found in told if found.any_by_series), some[0])


def _laid_out(
    view: IntensityRows, zone: str, series: IntensitySeries | None, first: int, end: int, until_us: int | None
) -> Told:
    """Every step of the fall-back, over the quarter-hours first … end − 1; of a marginal series without annual means,
    which are of the average."""
    before = 0 if series is None else _BEFORE_QUARTERS
    begin, count = first - before, end - first + before
    quarter_us = np.arange(begin, end, dtype=np.int64) * QUARTER_US
    offset_s = offsets_between(time_zone_of(zone), int(quarter_us[0]), int(quarter_us[-1])).at(quarter_us) // US_PER_S
    told = Told(np.zeros(count, np.int64), np.zeros(count, np.int8))
    if series is not None:
        rows = view.intensity_columns(series.series_no, begin * QUARTER_US - LONGEST_US, end * QUARTER_US, until_us)
        told = with_same_hours(told_on_quarters(begin, count, *rows), quarter_us, offset_s)
    told = told.slice(before, count)
    means = annual_means(zone)
    if means is None or (series is not None and series.basis != AVERAGE):
        return told
    return with_annual(told, quarter_us[before:], offset_s[before:], means.years, means.mg_per_kwh)
