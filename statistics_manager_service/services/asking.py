"""Questions and their answers: statistics of one household or of many."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from statistics_manager_service.core.civil import Calendar, GroupBy, calendar, check_zone, parse_moment
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.core.earlier import Compare, earlier
from statistics_manager_service.core.quantities import is_of_phase
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.carbon.carbon_rows import BOUNDARIES, SOURCE_PATTERN
from statistics_manager_service.services.column_sources import ColumnSource, Way
from statistics_manager_service.services.homes import Home, Homes, known_household, known_state
from statistics_manager_service.services.insight.compared import Comparison, MakeColumns, comparisons
from statistics_manager_service.services.measuring import Column, Measurer, columns_of_each, needed
from statistics_manager_service.services.ports import Billing, ReadView, Store
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.sums_of_homes import sum_of_comparisons, sums_of_homes
from statistics_manager_service.services.telemetry.as_known import as_known
from statistics_manager_service.services.totals import Totals

#: Of one answer: households × measures × buckets. So many take some hundred megabytes on the way out.
MOST_VALUES = 4_000_000
#: All that can be asked for.
ALL_MEASURES = tuple(DEFINITIONS)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: What `group_by` may be here; seven-day windows are FlexiHome's own meaning of weekly.
GROUPINGS = tuple(one.value for one in GroupBy if one is not GroupBy.WINDOWS)

END_NOT_AFTER_START = Fault("end", "the end is not after the start")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one household, or of many: texts as the caller sent them."""

    measures: str
    start: str
    end: str
    group_by: str = "daily"
    timezone: str | None = None
    meter: str | None = None
    week_start: str = "monday"
    as_of: str | None = None
    carbon_source: str | None = None
    carbon_boundary: str | None = None
    compare: str | None = None


@dataclass(slots=True)
class Statistics:
    """The answer for one household. `start` and `end` are what was asked. comparison: with an earlier time."""

    household: str
    timezone: str
    group_by: str
    start: str
    end: str
    calendar: Calendar
    columns: list[Column]
    comparison: Comparison | None = None


@lru_cache(maxsize=256)
def parse_measures(text: str) -> tuple[str, ...]:
    """Names of measures, in order. Raises BadInput that names every unknown one and the known ones."""
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in ALL_MEASURES]
    if unknown:
        allowed = (
            ", ".join(name for name in ALL_MEASURES if not is_of_phase(name)) + ", and those of a phase, as voltage_l1"
        )
        raise BadInput.of([Fault("measures", f"{name[:60]!r} is no measure; there are {allowed}") for name in unknown])
    return tuple(dict.fromkeys(names))


def parse_group_by(text: str, allowed: Sequence[str] = GROUPINGS) -> GroupBy:
    """A grouping. Raises BadInput that names the allowed ones."""
    if text not in allowed:
        raise BadInput.of([Fault("group_by", f"{text[:60]!r} is no grouping; allowed are {', '.join(allowed)}")])
    return GroupBy(text)


def parse_week_start(text: str) -> int:
    """0 Monday … 6 Sunday. Raises BadInput that names the days."""
    if text not in _WEEKDAYS:
        raise BadInput.of([Fault("week_start", f"{text[:20]!r} is none of {', '.join(_WEEKDAYS)}")])
    return _WEEKDAYS.index(text)


def check_compare(text: str) -> None:
    """Raises BadInput for what nothing can be compared with."""
    if text not in list(Compare):
        why = f"{text[:20]!r} is not one of {', '.join(Compare)}"
        raise BadInput.of([Fault("compare", why)])


def check_carbon_source(text: str) -> None:
    """Raises BadInput for what is no name of a source of intensities."""
    if not re.fullmatch(SOURCE_PATTERN, text):
        raise BadInput.of([Fault("carbon_source", f"{text[:40]!r} is not a name of a-z, 0-9 and _, such as neso")])


def check_carbon_boundary(text: str) -> None:
    """Raises BadInput for what is no boundary of intensities."""
    if text not in BOUNDARIES:
        raise BadInput.of([Fault("carbon_boundary", f"{text[:40]!r} is not one of {', '.join(BOUNDARIES)}")])


class Sources:
    """The sources of those measures that are not plain ones of channels."""

    def __init__(self, sources: Sequence[ColumnSource]) -> None:
        self._sources = sources
        self._of = {measure: source for source in sources for measure in source.measures}

    def plain(self, measures: Sequence[str]) -> list[str]:
        """Those measures that channels tell."""
        return [one for one in measures if one not in self._of]

    def hang_on_home_alone(self, measures: Sequence[str]) -> bool:
        """Whether answers are good as long as nothing of the household changes."""
        return all(self._of[one].hangs_on_home_alone for one in measures if one in self._of)

    def refuse_meter(self, measures: Sequence[str]) -> None:
        """Raises BadInput where one of them can't be told of a single meter."""
        bad = [one for one in measures if one in self._of and one not in self._of[one].of_meters]
        if bad:
            why = f"{', '.join(bad)} of a single meter can't be told: it is of the household"
            raise BadInput.of([Fault("meter", why)])

    def columns(
        self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], way: Way
    ) -> dict[str, Column]:
        """The columns of those measures that are not plain."""
        found: dict[str, Column] = {}
        for source in self._sources:
            mine = [one for one in measures if self._of.get(one) is source]
            if mine:
                found |= zip(mine, source.columns(view, home, cal, mine, way), strict=True)
        return found


def _statistics(view: ReadView, home: Home, question: Question, sources: Sources) -> Statistics:
    household = home.household
    measures, cal = parsed(question, household.timezone, household.billing)
    columns = _columns(view, home, cal, measures, question, sources)
    comparison = None
    if question.compare is not None:

        def make(cal: Calendar, measures: Sequence[str], *, of_home: bool = False) -> list[list[Column]]:
            asked = replace(question, meter=None) if of_home else question
            return [_columns(view, home, cal, measures, asked, sources)]

        (comparison,) = _comparisons(question, cal, [columns], measures, make)
    return Statistics(household.id, cal.zone, question.group_by, question.start, question.end, cal, columns, comparison)


def _columns(
    view: ReadView, home: Home, cal: Calendar, measures: Sequence[str], question: Question, sources: Sources
) -> list[Column]:
    """Measures of a home over buckets, asked for as a question says."""
    until_us = None if question.as_of is None else parse_moment(question.as_of, home.household.timezone, "as_of")
    way = _way(question, until_us, sources, measures)
    made = sources.columns(view, home, cal, measures, way)
    plain = sources.plain(measures)
    if plain:
        past, known = (view, home) if until_us is None else as_known(view, home, until_us)
        measurer = Measurer(Totals(past, cal.edges_us), known.channels)
        made |= {one: measurer.column(one, question.meter) for one in plain}
    return [made[measure] for measure in measures]


def _comparisons(
    question: Question, cal: Calendar, columns: Sequence[list[Column]], measures: Sequence[str], make: MakeColumns
) -> list[Comparison]:
    """The comparison of each of some homes. Raises BadInput where there is no earlier time, or too much to match."""
    found = earlier(Compare(question.compare or ""), cal)
    _check_size(len(columns) * len(measures) * len(found.pair))
    return comparisons(found, columns, measures, make)


def _way(question: Question, until_us: int | None, sources: Sources, measures: Sequence[str]) -> Way:
    """How the measures are asked for. Raises BadInput."""
    if question.meter is not None:
        sources.refuse_meter(measures)
    return Way(question.meter, until_us, question.carbon_source, question.carbon_boundary)


def parsed(question: Question, zone: str, billing: Billing, households: int = 1) -> tuple[tuple[str, ...], Calendar]:
    """The measures and the buckets of a question. Raises BadInput with all its faults at once."""
    asked = _read(question, zone)
    buckets = calendar(
        asked.zone,
        asked.group_by,
        asked.start_us,
        asked.end_us,
        week_start=asked.week_start,
        billing_day=billing.day,
        billing_dates=billing.dates,
    )
    _check_size(households * len(asked.measures) * (len(buckets.edges_us) - 1))
    return asked.measures, buckets


def _check_size(values: int) -> None:
    """Raises BadInput where so many values (households × measures × buckets) are too many for one answer."""
    if values > MOST_VALUES:
        raise BadInput.of(
            [
                Fault(
                    "end",
                    f"the answer would have {values:,} values (households × measures × buckets); at most "
                    f"{MOST_VALUES:,} are answered at once: ask for a shorter time, longer buckets, or in parts",
                )
            ]
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question's texts, read."""

    measures: tuple[str, ...]
    zone: str
    group_by: GroupBy
    start_us: int
    end_us: int
    week_start: int


@lru_cache(maxsize=1024)
def _read(question: Question, zone: str) -> _Asked:
    """The question, read. Raises BadInput with all of its faults."""
    faults: list[Fault] = []
    none: tuple[str, ...] = ()
    measures = _value(faults, lambda: parse_measures(question.measures), none)
    grouping = _value(faults, lambda: parse_group_by(question.group_by), GroupBy.DAILY)
    zone = question.timezone if question.timezone is not None else zone
    known = _value(faults, lambda: _checked_zone(zone), "UTC")
    start_us = _value(faults, lambda: parse_moment(question.start, known, "start"), None)
    end_us = _value(faults, lambda: parse_moment(question.end, known, "end"), None)
    week_start = _value(faults, lambda: parse_week_start(question.week_start), 0)
    if start_us is not None and end_us is not None and end_us <= start_us:
        faults.append(END_NOT_AFTER_START)
    if question.as_of is not None:
        _value(faults, lambda: parse_moment(question.as_of or "", known, "as_of"), None)
    if question.compare is not None:
        _value(faults, lambda: check_compare(question.compare or ""), None)
    if faults or start_us is None or end_us is None:
        raise BadInput.of(faults)
    return _Asked(measures, zone, grouping, start_us, end_us, week_start)


def _checked_zone(zone: str) -> str:
    check_zone(zone)
    return zone


def _value(faults: list[Fault], read: Callable[[], Read], otherwise: Read) -> Read:
    """What is read, or else its faults beside those found so far."""
    try:
        return read()
    except BadInput as fault:
        faults += fault.faults
        return otherwise


class Asking:
    """Answers questions from a store. `now_us` tells the present in microseconds UTC."""

    def __init__(
        self,
        store: Store,
        now_us: Callable[[], int],
        sources: Sequence[ColumnSource],
        most_households: int = 1000,
        most_kept_bytes: int = 0,
    ) -> None:
        self._store, self.now_us, self._most_households = store, now_us, most_households
        self._sources, self._homes = Sources(sources), Homes()
        self._answers: Remembered[bytes] = Remembered(most_kept_bytes)

    def statistics(self, household_id: str, question: Question) -> Statistics:
        """The measures of one household in buckets. Raises BadInput with all faults of the question, NotFound."""
        with self._store.reading() as view:
            return self.within(view, household_id, question)[1]

    def within(self, view: ReadView, household_id: str, question: Question) -> tuple[Home, Statistics]:
        """The same within a look at the store, and the home, for whoever has more to read there."""
        home = self._homes.of(view, household_id, known_state(view, household_id))
        return home, _statistics(view, home, question, self._sources)

    def columns(self, view: ReadView, home: Home, cal: Calendar, measures: Sequence[str]) -> list[Column]:
        """Measures of a home over buckets that are made already, as they are known now. Raises BadInput."""
        return _columns(view, home, cal, measures, Question(",".join(measures), "", ""), self._sources)

    def encoded(self, household_id: str, question: Question, form: str, encode: Callable[[Statistics], bytes]) -> bytes:
        """The same in the bytes of a form, worked out again only where something of the household has changed."""
        # costs change with tariffs, prices and the hour, too; what was known then is seldom asked for
        if question.as_of is not None or not self._sources.hang_on_home_alone(question.measures.split(",")):
            return encode(self.statistics(household_id, question))
        key = (household_id, question, form)
        state = self._store.state_of(household_id)
        known = None if state is None else self._answers.get(key, state)
        if known is not None:
            return known
        with self._store.reading() as view:
            state = known_state(view, household_id)
            found = _statistics(view, self._homes.of(view, household_id, state), question, self._sources)
        answer = encode(found)
        self._answers.put(key, state, answer, len(answer))
        return answer

    def many(self, household_ids: Sequence[str], question: Question) -> list[Statistics]:
        """The same of many households, in one zone: the one that is named, or the one that they share."""
        if len(household_ids) > self._most_households:
            text = (
                f"{len(household_ids)} households are asked for at once; at most {self._most_households} are answered"
            )
            raise BadInput.of([Fault("households", text)])
        with self._store.reading() as view:
            homes = self._homes.of_each(view, list(dict.fromkeys(household_ids)))
            households = [one.household for one in homes]
            zones = {one.timezone for one in households}
            if question.timezone is None and len(zones) > 1:
                raise BadInput.of([Fault("timezone", "the households are in several zones; name one for the answer")])
            cycles = {one.billing for one in households}
            if question.group_by == GroupBy.BILLING and len(cycles) > 1:
                raise BadInput.of([Fault("group_by", "the households have several billing days; ask for each alone")])
            zone = zones.pop() if zones else "UTC"
            measures, cal = parsed(question, zone, next(iter(cycles), Billing()), len(households))
            if question.as_of is not None:
                of_zone = replace(question, timezone=cal.zone)
                return [_statistics(view, home, of_zone, self._sources) for home in homes]

            def make(cal: Calendar, measures: Sequence[str], *, of_home: bool = False) -> list[list[Column]]:
                asked = replace(question, meter=None) if of_home else question
                return self.columns_of_each(view, homes, cal, measures, asked)

            columns = make(cal, measures)
            compared: Sequence[Comparison | None] = [None] * len(homes)
            if question.compare is not None:
                compared = _comparisons(question, cal, columns, measures, make)
        return [
            Statistics(one.id, cal.zone, question.group_by, question.start, question.end, cal, mine, comparison)
            for one, mine, comparison in zip(households, columns, compared, strict=True)
        ]

    def columns_of_each(
        self, view: ReadView, homes: Sequence[Home], cal: Calendar, measures: Sequence[str], question: Question
    ) -> list[list[Column]]:
        """Measures of many homes over buckets, as they are known now; what channels tell is read for all at once."""
        channels = [one.channels for one in homes]
        totals = Totals(view, cal.edges_us)
        way = _way(question, None, self._sources, measures)
        plain = self._sources.plain(measures)
        totals.fetch([c for some in channels for c in needed(some, plain, question.meter)])
        found = {one: columns_of_each(totals, channels, one, question.meter) for one in plain}
        others = [one for one in measures if one not in plain]
        if others:
            made = [self._sources.columns(view, home, cal, others, way) for home in homes]
            found |= {one: [columns[one] for columns in made] for one in others}
        return [[found[measure][i] for measure in measures] for i in range(len(homes))]

    def homes_of(self, view: ReadView, household_ids: Sequence[str]) -> list[Home]:
        """Homes of the store as a look at it shows them, remembered as long as they stay so. Raises NotFound."""
        return self._homes.of_each(view, household_ids)

    def timezone_of(self, household_id: str) -> str:
        """The household's zone. Raises NotFound."""
        with self._store.reading() as view:
            return known_household(view, household_id).timezone

    def summed(self, answers: Sequence[Statistics]) -> Statistics:
        """The sum of many households' energies and powers: known where any is, covered as their mean.

        Raises BadInput for measures that can't be summed.
        """
        first = answers[0]
        bad = [c.measure for c in first.columns if not DEFINITIONS[c.measure].adds_up]
        if bad:
            raise BadInput.of([Fault("measures", f"{', '.join(bad)} of several households can't be summed")])
        units = {(c.measure, c.unit) for one in answers for c in one.columns}
        if len(units) > len(first.columns):
            text = "the households pay in several currencies; ask for each alone, or for those of one currency"
            raise BadInput.of([Fault("households", text)])
        columns = sums_of_homes([one.columns for one in answers])
        name = ",".join(one.household for one in answers)
        comparison = sum_of_comparisons([one.comparison for one in answers if one.comparison is not None])
        return Statistics(
            name, first.timezone, first.group_by, first.start, first.end, first.calendar, columns, comparison
        )
