"""Statements of households: lines, sums, how well the energy is known, and why it may still change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from statistics_manager_service.core.civil import GroupBy, calendar, civil_label, parse_moment
from statistics_manager_service.core.decimals import exact_sum
from statistics_manager_service.core.spans import civil_days
from statistics_manager_service.core.units import US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.asking import END_NOT_AFTER_START
from statistics_manager_service.services.homes import Home, Homes, known_state
from statistics_manager_service.services.money.bills import Billed, Bills, Wanted
from statistics_manager_service.services.money.cost_curves import EXPORT, FIXED, IMPORT, PER_CURRENCY, CostCurve
from statistics_manager_service.services.ports import ReadView, Store
from statistics_manager_service.tariffs.document import Energy, Peak, Rounding
from statistics_manager_service.tariffs.lines import lines_of, rounded, tax_totals
from statistics_manager_service.tariffs.statement import Line, Period, Statement, TaxTotal
from statistics_manager_service.tariffs.terms import BillingPeriod

#: The longest statement: more would be no statement, and take long.
MOST_DAYS = 3 * 366


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: start and end as texts (civil dates of the household's zone, or date-times); as_of: a date-time.

    single: the time is billed as one period, however long billing periods are. with_days: tell each day, too.
    """

    start: str
    end: str
    as_of: str | None = None
    single: bool = False
    with_days: bool = False


class Statements:
    """Makes statements from a store."""

    def __init__(self, store: Store, bills: Bills, now_us: Callable[[], int]) -> None:
        self._store, self._bills, self._homes, self._now_us = store, bills, Homes(), now_us

    def statement(self, household: str, asked: Asked) -> Statement:
        """The statement of a household. Raises NotFound, BadInput with all faults."""
        with self._store.reading() as view:
            home = self._homes.of(view, household, known_state(view, household))
            start_us, end_us, until_us = self.times(asked, home.household.timezone)
            wanted = Wanted(start_us, end_us, cut=True, single=asked.single, until_us=until_us)
            return self.of(view, home, wanted, with_days=asked.with_days)

    def times(self, asked: Asked, zone: str) -> tuple[int, int, int | None]:
        """Start, end and as_of as instants. Raises BadInput."""
        faults: list[Fault] = []
        found: list[int | None] = []
        for name, text in (("start", asked.start), ("end", asked.end), ("as_of", asked.as_of)):
            try:
                found.append(None if text is None else parse_moment(text, zone, name))
            except BadInput as error:
                faults += error.faults
                found.append(None)
        start_us, end_us, until_us = found
        if start_us is not None and end_us is not None:
            if end_us <= start_us:
                faults.append(END_NOT_AFTER_START)
            elif end_us - start_us > MOST_DAYS * US_PER_DAY:
                faults.append(Fault("end", f"a statement is of at most {MOST_DAYS} days; ask for several"))
        if faults or start_us is None or end_us is None:
            raise BadInput.of(faults)
        return start_us, end_us, until_us

    def of(self, view: ReadView, home: Home, wanted: Wanted, *, with_days: bool = False) -> Statement:
        """The statement of a home. Raises NotFound where no contract holds in the time."""
        if with_days:
            zone = home.household.timezone
            days_us = calendar(zone, GroupBy.DAILY, wanted.start_us, wanted.end_us).edges_us
            wanted = _with_cuts(wanted, days_us.tolist())
        billed = self._bills.billed(view, home, wanted)
        if not any(one.segments for one in [billed.bill]):
            why = "; ".join(billed.plan.notes)
            raise NotFound(
                f"household {home.household.id} has no contract that can be billed in this time: {why}"
                if why
                else f"household {home.household.id} has no contract in this time: PUT "
                f"/households/{home.household.id}/contracts names its tariffs"
            )
        return statement_of(billed, wanted, self._now_us(), with_days=with_days)


def _with_cuts(wanted: Wanted, cuts_us: Sequence[int]) -> Wanted:
    return Wanted(
        wanted.start_us, wanted.end_us, wanted.cut, wanted.single, wanted.until_us, wanted.contracts, tuple(cuts_us)
    )


def statement_of(billed: Billed, wanted: Wanted, now_us: int, *, with_days: bool = False) -> Statement:
    """A bill as a statement."""
    household = billed.home.household
    rounding = billed.plan.terms[0].tariff.rounding
    by_period = lines_of(billed.bill)
    by_period += [[] for _ in range(len(billed.periods) - len(by_period))]
    periods = tuple(
        _period(billed, period, lines, rounding, now_us, sums)
        for period, lines, sums in zip(billed.periods, by_period, _sums(billed), strict=True)
    )
    every = [line for one in by_period for line in one]
    shares = [(one.measured, one.estimated, one.end_us - one.start_us) for one in periods]
    whole = sum(length for *_, length in shares)
    days = _days(billed, wanted, now_us) if with_days else ((), ())
    return Statement(
        household=household.id,
        name=household.more.get("name"),
        timezone=household.timezone,
        currency=billed.currency or "",
        money_decimals=rounding.money,
        start_us=periods[0].start_us,
        end_us=periods[-1].end_us,
        periods=periods,
        net=exact_sum(one.net for one in periods),
        tax=exact_sum(one.tax for one in periods),
        gross=exact_sum(one.gross for one in periods),
        taxes=_taxes(by_period, rounding),
        import_milliwh=sum(one.import_milliwh for one in periods),
        export_milliwh=sum(one.export_milliwh for one in periods),
        measured=sum(measured * length for measured, _, length in shares) / whole,
        estimated=sum(estimated * length for _, estimated, length in shares) / whole,
        provisional=tuple(dict.fromkeys(why for one in periods for why in one.provisional)),
        tariffs=tuple(dict.fromkeys(line.tariff for line in every)),
        made_us=now_us,
        daily_import_milliwh=days[0],
        daily_cost=days[1],
    )


def _taxes(by_period: Sequence[Sequence[Line]], rounding: Rounding) -> tuple[TaxTotal, ...]:
    sums: dict[object, TaxTotal] = {}
    for lines in by_period:
        for one in tax_totals(lines, rounding):
            known = sums.get(one.rate)
            sums[one.rate] = one if known is None else TaxTotal(one.rate, known.net + one.net, known.tax + one.tax)
    return tuple(sorted(sums.values(), key=lambda one: one.rate))


class _Sums(NamedTuple):
    """What a billing period holds: seconds, and energies as they are billed."""

    elapsed_s: int
    measured_s: int
    estimated_s: int
    import_milliwh: int
    export_milliwh: int


def _sums(billed: Billed) -> list[_Sums]:
    """Of each billing period; they lie one behind the other."""
    edges_us = [*(one.start_us for one in billed.periods), billed.periods[-1].end_us]
    places = np.searchsorted(billed.plan.edges_us, edges_us)
    usage, netted = billed.usage, billed.bill.netted
    columns = (usage.elapsed_s, usage.measured_s, usage.estimated_s, netted.import_milliwh, netted.export_milliwh)
    sums = [np.add.reduceat(one[places[0] : places[-1]], places[:-1] - places[0]).tolist() for one in columns]
    return [_Sums(*one) for one in zip(*sums, strict=True)]


def _period(
    billed: Billed, period: BillingPeriod, lines: Sequence[Line], rounding: Rounding, now_us: int, sums: _Sums
) -> Period:
    elapsed_s = max(sums.elapsed_s, 1)
    measured, estimated = min(sums.measured_s / elapsed_s, 1.0), min(sums.estimated_s / elapsed_s, 1.0)
    net, tax = exact_sum(one.net for one in lines), exact_sum(one.tax for one in lines)
    if rounding.at == "bill":
        net = rounded(net, rounding.money, rounding.mode)
        tax = exact_sum(one.tax for one in tax_totals(lines, rounding))
    return Period(
        start_us=period.start_us,
        end_us=period.end_us,
        days=civil_days(billed.home.household.timezone, period.start_us, period.end_us),
        import_milliwh=sums.import_milliwh,
        export_milliwh=sums.export_milliwh,
        measured=measured,
        estimated=estimated,
        lines=tuple(lines),
        net=net,
        tax=tax,
        gross=net + tax,
        provisional=tuple(_reasons(billed, period, lines, measured, estimated, now_us)),
    )


def _reasons(
    billed: Billed, period: BillingPeriod, lines: Sequence[Line], measured: float, estimated: float, now_us: int
) -> Iterator[str]:
    """Why a period's bill may still change."""
    until_us = billed.usage.known_until_us
    missing = 1 - measured - estimated
    if period.whole_end_us > now_us:
        yield "the billing period is not over"
    elif until_us is not None and until_us < period.end_us:
        yield f"the newest reading is of {_moment(billed, until_us)}"
    if until_us is None:
        yield "there is no reading of import or export"
    elif missing > _NEGLIGIBLE and period.end_us <= now_us:
        yield f"readings are missing for {missing:.1%} of the time"
    if estimated > _NEGLIGIBLE:
        yield f"{estimated:.1%} of the time is estimated between readings that are far apart"
    for begin_us, end_us in billed.gaps:
        if begin_us < period.end_us and end_us > period.start_us:
            begin, end = (_moment(billed, one) for one in (begin_us, end_us))
            yield f"no contract holds from {begin} until {end}"
    for what, some in (
        ("all", [line for line in lines if line.missing_price_share == 1]),
        ("a part", [line for line in lines if 0 < line.missing_price_share < 1]),
    ):
        if some:
            ids = ", ".join(dict.fromkeys(line.component for line in some))
            yield f"prices are missing for {what} of the energy of {ids}"
    yield from billed.plan.notes
    for meter in billed.usage.silent_meters:
        yield f"nothing was ever read of meter {meter}, whose energy a tariff prices apart"
    if any(line.note is not None and "stand in" in line.note for line in lines):
        yield "a part of the energy is at prices that stand in for missing ones"
    yield from _of_long_rules(billed, period, now_us)


def _moment(billed: Billed, at_us: int) -> str:
    """An instant as people read it, by the household's clock."""
    label = civil_label(billed.home.household.timezone, at_us)
    return label[:10] if label[11:19] == "00:00:00" else f"{label[:10]} {label[11:16]}"


#: Shares below are jitter of clocks.
_NEGLIGIBLE = 0.0005


def _of_long_rules(billed: Billed, period: BillingPeriod, now_us: int) -> Iterator[str]:
    """Rules that need a time of which a part is still to come."""
    for term in billed.plan.terms:
        if term.start_us >= period.end_us or term.end_us <= period.start_us:
            continue
        if term.tariff.metering.netting == "P1Y" and billed.plan.edges_us[-1] > now_us:
            yield "import and export are netted over a year that is not over"
        if period.whole_end_us <= now_us:
            continue
        components = term.components()
        if any(isinstance(one, Peak) for one in components):
            yield "a greater demand may still come in this month"
        if any(isinstance(one, Energy) and one.cap is not None for one in components):
            yield "what is paid for export is capped at the end of the billing period"


def _days(billed: Billed, wanted: Wanted, now_us: int) -> tuple[tuple[int | None, ...], tuple[Fraction | None, ...]]:
    """Import and net cost of each civil day; None where nothing is known of it."""
    edges_us = np.array(wanted.cuts_us, np.int64)
    place = np.searchsorted(billed.plan.edges_us, edges_us)
    known = np.concatenate(([0], np.cumsum(billed.usage.known)))[place]
    energy = np.concatenate(([0], np.cumsum(billed.usage.usage.import_milliwh)))[place]
    curve = CostCurve(billed.plan, billed.bill)
    running = [
        a + b - c
        for a, b, c in zip(
            curve.at(edges_us, IMPORT),
            curve.at(edges_us, FIXED, now_us),
            curve.at(edges_us, EXPORT),
            strict=True,
        )
    ]
    has = (known[1:] - known[:-1]) > 0
    imports = tuple(int(energy[i + 1] - energy[i]) if has[i] else None for i in range(len(has)))
    costs = tuple(Fraction(running[i + 1] - running[i], PER_CURRENCY) if has[i] else None for i in range(len(has)))
    return imports, costs
