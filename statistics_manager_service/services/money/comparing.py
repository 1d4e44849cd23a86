"""Comparing tariffs: the real energy of a home, billed under each of them, in scenarios, by month and by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from statistics_manager_service.core.civil import GroupBy, calendar, parse_moment
from statistics_manager_service.core.units import MILLIWH_PER_KWH, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.asking import END_NOT_AFTER_START
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.measuring import sources
from statistics_manager_service.services.money.bills import Billed, Bills, Wanted
from statistics_manager_service.services.money.candidates import (
    MOST_CANDIDATES,
    Candidate,
    Facts,
    LeftOut,
    all_candidates,
    faults_at,
    known_tariffs,
    named_candidates,
    prices_giving,
)
from statistics_manager_service.services.money.differences import Difference, differences_of
from statistics_manager_service.services.money.monthly import Group, Months, groups_of, months_of
from statistics_manager_service.services.money.scenarios import (
    AS_METERED,
    WITHOUT_NETTING,
    Scenarios,
    why_not,
    without_netting,
)
from statistics_manager_service.services.money.statements import statement_of
from statistics_manager_service.services.ports import ReadView, Store
from statistics_manager_service.services.prices.contracts import Contract, Moment, contracts_of
from statistics_manager_service.services.prices.tariffs import KnownTariff, Tariffs
from statistics_manager_service.tariffs.statement import Statement

MOST_DAYS: Final = 3 * 366
#: Of the default time.
_MONTHS: Final = 12
#: Data may begin or end so long inside a month that counts as a whole one.
_SLACK_US: Final = US_PER_DAY
#: Shares of time that differ by less are the same.
_NEGLIGIBLE: Final = 0.005


class ToldTime(BaseModel):
    """The time to compare, and the scenarios."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: Moment | None = Field(None, description="Civil date of the household's zone, or date-time; included.")
    end: Moment | None = Field(None, description="The same; not included.")
    scenarios: list[Literal["as_metered", "without_pv", "without_netting", "without_battery"]] = Field(
        ["as_metered", "without_pv", "without_netting", "without_battery"], min_length=1, max_length=4
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What a home pays under a tariff in a scenario.

    import_milliwh, export_milliwh: as they are metered, before netting. missing_share: of the energy or the time
    without a price; why_missing says what is missing. months: {net, tax, gross} of each.
    """

    billed: Billed
    statement: Statement
    months: Months
    groups: tuple[Group, ...]
    import_milliwh: int
    export_milliwh: int
    missing_share: float
    why_missing: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def cost_per_kwh(self) -> Fraction | None:
        """With taxes, for each kWh that is taken from the grid."""
        kwh = Fraction(self.import_milliwh, MILLIWH_PER_KWH)
        return self.statement.gross / kwh if kwh else None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is priced, so that it can be ranked."""
        return not self.missing_share


@dataclass(slots=True)
class Compared:
    """A candidate, or the household's present contracts (candidate None), in each scenario; None: not to be told.

    rank: 1 is the cheapest of the candidates that are priced completely.
    """

    candidate: Candidate | None
    results: dict[str, Result | None]
    rank: int | None = None

    @property
    def metered(self) -> Result | None:
        """As it was metered."""
        return self.results[AS_METERED]

    @property
    def gross(self) -> Fraction | None:
        """What it comes to as it was metered, where all of it is priced."""
        metered = self.metered
        return metered.statement.gross if metered is not None and metered.is_whole else None


@dataclass(slots=True)
class Comparison:
    """Tariffs compared. candidates: cheapest first, those without a rank last. why: the best beside `against`, which is
    the present contracts (None) or the next best."""

    home: Home
    start_us: int
    end_us: int
    scenarios: Mapping[str, str | None]
    present_contracts: Sequence[Contract]
    present: Compared | None
    candidates: list[Compared]
    left_out: Sequence[LeftOut]
    edges_us: Sequence[int]
    best: Compared | None = None
    against: Compared | None = None
    why: Difference | None = None

    @property
    def currency(self) -> str | None:
        """Of the candidates, or else of the present contracts."""
        for one in self.candidates:
            if one.candidate is not None:
                return one.candidate.currency
        metered = None if self.present is None else self.present.metered
        return None if metered is None else metered.statement.currency

    @property
    def present_costs_less(self) -> bool:
        """Whether none of the candidates is cheaper than the present contracts."""
        is_known = self.why is not None and self.against is self.present and self.present is not None
        return is_known and self.why is not None and self.why.gross > 0

    @property
    def sentence(self) -> str | None:
        """Why the best is what it is, in words."""
        if self.why is None or self.best is None or self.best.candidate is None:
            return None
        best, gross, currency = self.best.candidate.label, self.why.gross, self.currency or ""
        other = self.against.candidate if self.against is not None else None
        against = "the present contracts" if other is None else other.label
        if not round(gross, 2):
            return f"{best} costs the same as {against}."
        more = f"{float(abs(gross)):.2f} {currency} {'more' if gross > 0 else 'less'} than {against}"
        clauses = self.why.clauses(currency)
        return f"{best} costs {more}: {clauses}." if clauses else f"{best} costs {more}."


def coverage_differs(one: Result, other: Result) -> bool:
    """Whether the energy of one is known for another share of the time than that of the other."""
    return (
        abs(one.statement.measured + one.statement.estimated - other.statement.measured - other.statement.estimated)
        > _NEGLIGIBLE
    )


@dataclass(slots=True)
class _Question:
    start_us: int
    end_us: int
    scenarios: Sequence[str]
    candidates: list[Candidate]
    present: Sequence[Contract] = ()
    left_out: Sequence[LeftOut] = field(default_factory=list)


class Comparing:
    """Compares tariffs for households."""

    def __init__(self, store: Store, bills: Bills, tariffs: Tariffs, now_us: Callable[[], int]) -> None:
        self._store, self._bills, self._tariffs, self._now_us = store, bills, tariffs, now_us
        self._homes = Homes()

    def compare(self, household: str, body: Any) -> Comparison:
        """Bill a household's energy under each tariff that a body names, or under all that could be its own.

        Raises BadInput with all faults, NotFound.
        """
        if not isinstance(body, dict):
            raise BadInput.of([Fault("body", "the body must be a JSON object")])
        with self._store.reading() as view:
            home = self._homes.of(view, household, known_state(view, household))
        country = home.household.country
        known = known_tariffs(self._tariffs, country) if body.get("tariffs") is None and country is not None else []
        with self._store.reading() as view:
            home = self._homes.of(view, household, known_state(view, household))
            asked = self._question(view, home, body, known)
            return self._compared(view, home, asked)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def _question(self, view: ReadView, home: Home, body: Mapping[str, Any], known: Sequence[KnownTariff]) -> _Question:
        faults: list[Fault] = []
        told = ToldTime()
        try:
            told = ToldTime.model_validate({name: value for name, value in body.items() if name != "tariffs"})
        except ValidationError as error:
            faults += faults_at(error, "")
            told = _what_is_right(body, faults)
        start_us, end_us = self._time(home, told, faults)
        present = contracts_of(view, home.household)
        gives = bool(sources(home.channels, "energy_export"))
        facts = Facts(home.household, present, gives, start_us, end_us)
        scenarios = tuple(dict.fromkeys((AS_METERED, *told.scenarios)))
        asked = _Question(start_us, end_us, scenarios, [], present)
        named = body.get("tariffs")
        if named is None and home.household.country is None:
            why = "name some, or set the household's `country`: all of that country are compared then"
            faults.append(Fault("tariffs", why))
        elif named is None:
            currency = home.household.currency
            asked.candidates, asked.left_out = all_candidates(view, self._tariffs, facts, known, currency)
        elif not isinstance(named, list) or not 1 <= len(named) <= MOST_CANDIDATES:
            faults.append(Fault("tariffs", f"it is a list of 1 to {MOST_CANDIDATES} tariffs"))
        else:
            asked.candidates = named_candidates(view, self._tariffs, facts, named, faults)
        if faults:
            raise BadInput.of(faults)
        return asked

    def _time(self, home: Home, told: ToldTime, faults: list[Fault]) -> tuple[int, int]:
        """Start and end, or what can stand for them while faults are gathered."""
        zone, now_us = home.household.timezone, self._now_us()
        start_us, end_us = (
            None if text is None else parse_moment(text, zone, name)
            for name, text in (("start", told.start), ("end", told.end))
        )
        if end_us is not None and end_us > now_us + US_PER_DAY:
            faults.append(Fault("end", "it lies ahead; what has been can be compared"))
        if start_us is None or end_us is None:
            found = _whole_months(home, start_us, end_us, now_us)
            if found is None:
                if not faults:
                    why = "no whole month has readings of import or export; name `start` and `end`"
                    faults.append(Fault("start" if start_us is None else "end", why))
                return now_us - US_PER_DAY, now_us
            start_us, end_us = found
        if end_us <= start_us:
            faults.append(END_NOT_AFTER_START)
            return start_us, start_us + US_PER_DAY
        if end_us - start_us > MOST_DAYS * US_PER_DAY:
            faults.append(Fault("end", f"at most {MOST_DAYS} days are compared"))
            return end_us - US_PER_DAY, end_us
        return start_us, end_us

    # --- what it comes to ---------------------------------------------------------------------------------------------

    def _compared(self, view: ReadView, home: Home, asked: _Question) -> Comparison:
        zone = home.household.timezone
        edges: list[int] = calendar(zone, GroupBy.MONTHLY, asked.start_us, asked.end_us).edges_us.tolist()
        biller = _Biller(self._bills, view, home, asked, edges, self._now_us())
        present = None
        if asked.present:
            present = Compared(None, biller.results(tuple(asked.present)))
        candidates = [Compared(one, biller.results(one.contracts)) for one in asked.candidates]
        ranked = sorted((one for one in candidates if one.gross is not None), key=lambda one: one.gross or 0)
        for place, one in enumerate(ranked):
            same = place > 0 and one.gross == ranked[place - 1].gross
            one.rank = ranked[place - 1].rank if same else place + 1
        others = [one for one in candidates if one.gross is None]
        whys = {name: why_not(home.channels, name) for name in asked.scenarios}
        found = Comparison(
            home, asked.start_us, asked.end_us, whys, asked.present, present, ranked + others, asked.left_out, edges
        )
        if ranked:
            found.best = ranked[0]
            comparable = present is not None and present.gross is not None and _currency(present) == found.currency
            found.against = present if comparable else ranked[1] if len(ranked) > 1 else None
            if found.against is not None and found.best.metered is not None and found.against.metered is not None:
                best, other = found.best.metered, found.against.metered
                found.why = differences_of((best.billed, best.statement), (other.billed, other.statement))
        return found


def _currency(one: Compared) -> str | None:
    return None if one.metered is None else one.metered.statement.currency


class _Biller:
    """Bills one home's energy under contracts, in scenarios."""

    def __init__(
        self, bills: Bills, view: ReadView, home: Home, asked: _Question, edges_us: Sequence[int], now_us: int
    ) -> None:
        self._bills, self._view, self._home, self._asked = bills, view, home, asked
        self._edges_us, self._now_us = edges_us, now_us
        self._scenarios = Scenarios(view, home.channels)

    def results(self, contracts: tuple[Contract, ...]) -> dict[str, Result | None]:
        """What contracts come to in each scenario."""
        asked = self._asked
        wanted = Wanted(asked.start_us, asked.end_us, cut=True, contracts=contracts, cuts_us=tuple(self._edges_us))
        plan, gaps = self._bills.planned(self._view, self._home, wanted)
        metered = self._bills.usage(self._view, self._home, plan)
        found: dict[str, Result | None] = {}
        for name in asked.scenarios:
            if why_not(self._home.channels, name) is not None:
                found[name] = None
                continue
            supposed = self._scenarios.usage(name, metered)
            made = without_netting(plan) if name == WITHOUT_NETTING else plan
            bill = made.bill(supposed.usage.usage)
            billed = Billed(self._home, plan.periods, plan, supposed.usage, bill, gaps)
            notes = []
            if supposed.below_zero_milliwh:
                kwh = supposed.below_zero_milliwh / MILLIWH_PER_KWH
                notes.append(
                    f"{kwh:.3f} kWh of consumption below zero, where meters contradict each other, are left out"
                )
            found[name] = self._result(billed, wanted, notes) if bill.segments else None
        return found

    def _result(self, billed: Billed, wanted: Wanted, notes: list[str]) -> Result:
        statement = statement_of(billed, wanted, self._now_us, with_days=False)
        first, last = np.searchsorted(billed.plan.edges_us, (wanted.start_us, wanted.end_us)).tolist()
        usage = billed.usage.usage
        imported, exported = (int(one[first:last].sum()) for one in (usage.import_milliwh, usage.export_milliwh))
        if exported and not any(prices_giving(one.tariff) and one.prices_export for one in billed.plan.terms):
            notes.append("what is given to the grid is not paid for")
        share, whys = missing_prices(billed, wanted.start_us, wanted.end_us)
        months = months_of(billed, statement, self._edges_us)
        return Result(
            billed, statement, months, groups_of(statement), imported, exported, share, tuple(whys), tuple(notes)
        )


def missing_prices(billed: Billed, start_us: int, end_us: int) -> tuple[float, list[str]]:
    """The share of a bill's energy, or time, that has no price, the greatest of all components; and what is missing."""
    whys = []
    gap = sum(stop - begin for begin, stop in billed.gaps) / (end_us - start_us)
    if gap:
        whys.append(f"no tariff holds for {gap:.1%} of the time")
    sums: dict[tuple[str, str], list[Fraction]] = {}
    for segment in billed.bill.segments:
        for item in segment.items:
            total = sums.setdefault((segment.term.tariff.id, item.component.id), [Fraction(0), Fraction(0)])
            for amount in item.amounts:
                total[0] += amount.unknown_milliwh
                total[1] += amount.energy_milliwh + amount.unknown_milliwh
    shares = {key: float(unknown / whole) for key, (unknown, whole) in sums.items() if unknown}
    whys += [
        f"tariff {tariff} has no price of {component} for {share:.1%} of the energy"
        for (tariff, component), share in shares.items()
    ]
    return max([gap, *shares.values()]), whys


def _what_is_right(body: Mapping[str, Any], faults: Sequence[Fault]) -> ToldTime:
    """The members of a body that are right on their own, so that what is wrong with their values is told, too."""
    wrong = {one.where.split("[")[0].split(".")[0] for one in faults}
    right = {name: body[name] for name in ToldTime.model_fields.keys() & body.keys() if name not in wrong}
    return ToldTime.model_validate(right)


def _whole_months(home: Home, start_us: int | None, end_us: int | None, now_us: int) -> tuple[int, int] | None:
    """The last twelve whole months that have readings, from a start on or up to an end if one is told; None without
    one."""
    told = [sources(home.channels, f"energy_{flow}").channels for flow in ("import", "export")]
    channels = told[0] or told[1]
    firsts = [one.first_us for one in channels if one.first_us is not None]
    lasts = [one.last_us for one in channels if one.last_us is not None]
    if not firsts or not lasts:
        return None
    first_us, last_us = min(firsts) - _SLACK_US, min(max(lasts) + _SLACK_US, now_us)
    edges: list[int] = calendar(home.household.timezone, GroupBy.MONTHLY, first_us - 1, last_us + 1).edges_us.tolist()[
        1:-1
    ]
    if end_us is not None:
        edges = [edge for edge in edges if edge < end_us][-_MONTHS:]
        return (edges[0], end_us) if edges else None
    if start_us is not None:
        edges = [edge for edge in edges if edge > start_us]
        return (start_us, edges[-1]) if edges else None
    edges = edges[-_MONTHS - 1 :]
    return (edges[0], edges[-1]) if len(edges) > 1 else None
