"""Bills of households: their contracts in time, their energies, and what these come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.spans import midnight_us
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.money.billing_periods import billing_periods, one_period
from statistics_manager_service.services.money.usage import HomeUsage, piece_edges, usage_of
from statistics_manager_service.services.ports import ReadView
from statistics_manager_service.services.prices.contracts import Contract, contracts_of, faults_of_parameters
from statistics_manager_service.services.prices.price_series import PriceColumns, unit_of
from statistics_manager_service.services.prices.tariffs import Tariffs
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.services.telemetry.as_known import as_known
from statistics_manager_service.services.totals import EdgePlan, planned_edges
from statistics_manager_service.tariffs.billing import Bill, Plan, needed_span
from statistics_manager_service.tariffs.document import Cycle, Energy
from statistics_manager_service.tariffs.energy import SeriesSource, no_series
from statistics_manager_service.tariffs.terms import BillingPeriod, TariffInForce, Term, cuts_of, parameters_of

#: Of plans that are remembered (of homes with the same contracts over the same time there is one), and about what each
#: piece of time takes in one.
_MOST_PLANS_BYTES, _PIECE_BYTES = 2**27, 60
_FAR_US: Final = 2**62
_MOST_FAULTS_BYTES, _FAULTS_BYTES = 2**22, 400
#: Of what hangs on its key alone.
_NO_STATE: Final = (0, 0)
#: Longer than any rule looks.
_AROUND_US: Final = 4 * 366 * US_PER_DAY


@dataclass(frozen=True, slots=True)
class Billed:
    """A home's bill over a time. gaps: of the time that is asked for, where no contract prices the import."""

    home: Home
    periods: Sequence[BillingPeriod]
    plan: Plan
    usage: HomeUsage
    bill: Bill
    gaps: Sequence[tuple[int, int]]

    @property
    def currency(self) -> str | None:
        """The currency of the contracts, None without any."""
        return self.plan.terms[0].tariff.currency if self.plan.terms else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be billed. cut: the outer billing periods are cut to the time, else they are whole.

    single: the time is one billing period. until_us: as it was known then. contracts: in place of the household's own.
    cuts_us: instants at which pieces of time have to begin, too.
    """

    start_us: int
    end_us: int
    cut: bool = False
    single: bool = False
    until_us: int | None = None
    contracts: tuple[Contract, ...] | None = None
    cuts_us: tuple[int, ...] = ()


class Bills:
    """Makes bills from a store's view. `columns`: of series of prices."""

    def __init__(self, tariffs: Tariffs, columns: PriceColumns | None = None) -> None:
        self._tariffs, self._columns = tariffs, columns or PriceColumns()
        self._plans: Remembered[Plan] = Remembered(_MOST_PLANS_BYTES)
        self._of_homes: Remembered[tuple[Plan, list[tuple[int, int]]]] = Remembered(_MOST_PLANS_BYTES)
        self._edge_plans: WeakKeyDictionary[Plan, EdgePlan] = WeakKeyDictionary()  # as long as a plan is remembered
        self._faults: Remembered[tuple[TariffInForce, tuple[str, ...]]] = Remembered(_MOST_FAULTS_BYTES)
        self._lock = Lock()

    def billed(self, view: ReadView, home: Home, wanted: Wanted) -> Billed:
        """The bill of a home. Raises NotFound for a tariff that is gone."""
        if wanted.until_us is not None:
            view, home = as_known(view, home, wanted.until_us)
        plan, gaps = self.planned(view, home, wanted)
        usage = self.usage(view, home, plan)
        return Billed(home, plan.periods, plan, usage, plan.bill(usage.usage), gaps)

    def usage(self, view: ReadView, home: Home, plan: Plan) -> HomeUsage:
        """The energies that a plan needs."""
        meters = {
            one.meter
            for term in plan.terms
            for one in term.tariff.components
            if isinstance(one, Energy) and one.meter is not None
        }
        with self._lock:
            edge_plan = self._edge_plans.get(plan)
        if edge_plan is None:
            edge_plan = planned_edges(plan.edges_us)
            with self._lock:
                self._edge_plans[plan] = edge_plan
        return usage_of(view, home.channels, plan.edges_us, meters, edge_plan)

    def planned(self, view: ReadView, home: Home, wanted: Wanted) -> tuple[Plan, list[tuple[int, int]]]:
        """The plan of a home's contracts, and where none prices the import; remembered until the home, a tariff or a
        price changes."""
        if wanted.contracts is not None or wanted.until_us is not None:
            return self._found(view, home, wanted)
        key = (view.prices_state(), wanted, home.state[0])
        found = self._of_homes.get(key, home.state)
        if found is None:
            found = self._found(view, home, wanted)
            self._of_homes.put(key, home.state, found, _size_bytes(found[0]))
        return found

    def _found(self, view: ReadView, home: Home, wanted: Wanted) -> tuple[Plan, list[tuple[int, int]]]:
        contracts = wanted.contracts
        if contracts is None:
            contracts = tuple(contracts_of(view, home.household, wanted.until_us))
        cycle = self._cycle(view, contracts, wanted)
        if wanted.single:
            periods = one_period(wanted.start_us, wanted.end_us)
        else:
            periods = billing_periods(home.household, cycle, wanted.start_us, wanted.end_us, cut=wanted.cut)
        first_us, last_us = periods[0].whole_start_us, periods[-1].whole_end_us
        # a contract may have begun long before: a year's netting, tiers by the year and peaks look back, and ahead
        around = self._terms(view, contracts, first_us - _AROUND_US, last_us + _AROUND_US, wanted.until_us)
        first_us, last_us = needed_span(around, periods)
        notes: list[str] = []
        terms = self._terms(view, contracts, first_us, last_us, wanted.until_us, notes)
        billing = [one for one in terms if one.start_us < periods[-1].end_us and one.end_us > periods[0].start_us]
        _refuse_several_currencies(billing)
        inside = (max(wanted.start_us, periods[0].start_us), min(wanted.end_us, periods[-1].end_us))
        return self._plan(view, terms, periods, (first_us, last_us), wanted, notes), gaps_of(terms, *inside)

    def _cycle(self, view: ReadView, contracts: Sequence[Contract], wanted: Wanted) -> Cycle:
        """The billing cycle of the contract for the import that begins the time."""
        terms = self._terms(view, contracts, wanted.start_us, wanted.end_us, wanted.until_us)
        return next((one.tariff.billing.cycle for one in terms if one.prices_import), Cycle())

    def _terms(
        self,
        view: ReadView,
        contracts: Sequence[Contract],
        start_us: int,
        end_us: int,
        until_us: int | None,
        notes: list[str] | None = None,
    ) -> list[Term]:
        """The contracts of a time, cut to it and to the validity of their tariffs. A contract whose parameters do not
        fit its tariff, since that was changed, prices nothing: notes gets why."""
        terms = []
        for one in contracts:
            inforce = self._tariffs.in_force(view, one.tariff_id, until_us)
            if inforce is None:
                raise NotFound(f"there is no tariff {one.tariff_id!r}, which a contract of the household names")
            tariff = inforce.tariff
            begins = (one.from_us, midnight_us(tariff.time_zone, tariff.valid.begin), start_us)
            ends = (
                _FAR_US if one.to_us is None else one.to_us,
                _FAR_US if tariff.valid.end is None else midnight_us(tariff.time_zone, tariff.valid.end),
                end_us,
            )
            if max(begins) < min(ends):
                faults = self._faults_of(inforce, one)
                if faults:
                    if notes is not None:
                        notes += [f"the contract does not fit its tariff any more: {why}" for why in faults]
                    continue
                parameters = parameters_of(tariff, one.parameters)
                terms.append(Term(inforce, one.flow, parameters, max(begins), min(ends)))
        return sorted(terms, key=lambda term: (term.start_us, term.flow))

    def _faults_of(self, inforce: TariffInForce, contract: Contract) -> tuple[str, ...]:
        """Why a contract does not fit a revision of its tariff."""
        key = (id(inforce), tuple(contract.parameters.items()), contract.from_us, contract.to_us)
        known = self._faults.get(key, _NO_STATE)
        if known is None or known[0] is not inforce:
            found = tuple(one.why for one in faults_of_parameters(inforce.tariff, contract, "parameters"))
            known = (inforce, found)
            self._faults.put(key, _NO_STATE, known, _FAULTS_BYTES)
        return known[1]

    def _plan(
        self,
        view: ReadView,
        terms: Sequence[Term],
        periods: Sequence[BillingPeriod],
        span: tuple[int, int],
        wanted: Wanted,
        notes: Sequence[str],
    ) -> Plan:
        key = (
            tuple(notes),
            tuple(
                (id(one.inforce), one.flow, tuple(one.parameters.items()), one.start_us, one.end_us) for one in terms
            ),
            tuple(periods),
            span,
            tuple(one for one in wanted.cuts_us if one % QUARTER_US),
            wanted.until_us,
        )
        state = (0, view.prices_state())
        plan = self._plans.get(key, state)
        if plan is not None:
            return plan
        edges_us: Int64 = piece_edges(*span, [*cuts_of(terms, periods), *wanted.cuts_us])
        strange = self._strange_series(view, terms)
        source = self._source(view, wanted.until_us, strange)
        plan = Plan(terms, periods, edges_us, source, tuple(dict.fromkeys([*notes, *strange.values()])))
        self._plans.put(key, state, plan, _size_bytes(plan))
        return plan

    def _strange_series(self, view: ReadView, terms: Sequence[Term]) -> dict[str, str]:
        """Series that tariffs name and that price nothing, and why: there is none, or it is in another currency."""
        found: dict[str, str] = {}
        for term in terms:
            tariff = term.tariff
            for key, told in tariff.series.items():
                name = told.name or key
                series = view.price_series(name)
                if series is None:
                    found[name] = f"there is no series {name}, which tariff {tariff.id} names"
                    continue
                currency = unit_of(series).currency
                if currency is not None and currency != tariff.currency:
                    found[name] = f"series {name} is in {currency}, tariff {tariff.id} in {tariff.currency}"
        return found

    def _source(self, view: ReadView, until_us: int | None, strange: Mapping[str, str]) -> SeriesSource:
        def read(name: str, first: int, count: int):  # type: ignore[no-untyped-def] # as SeriesSource
            if name in strange:
                return no_series(name, first, count)
            found = self._columns.quarters(view, name, first, count, until_us)
            return found.values, found.known

        return read


def _size_bytes(plan: Plan) -> int:
    return _PIECE_BYTES * len(plan.edges_us)


def _refuse_several_currencies(terms: Sequence[Term]) -> None:
    """Raises BadInput where a sum would be of several currencies."""
    currencies = dict.fromkeys(one.tariff.currency for one in terms)
    if len(currencies) > 1:
        why = (
            f"in this time, the household has contracts in {' and '.join(currencies)}; ask for the times of each alone"
        )
        raise BadInput.of([Fault("start", why)])


def gaps_of(terms: Sequence[Term], start_us: int, end_us: int) -> list[tuple[int, int]]:
    """Where in a time no contract prices the import."""
    found, at_us = [], start_us
    for one in sorted((term for term in terms if term.prices_import), key=lambda term: term.start_us):
        if one.start_us > at_us:
            found.append((at_us, min(one.start_us, end_us)))
        at_us = max(at_us, one.end_us)
        if at_us >= end_us:
            break
    if at_us < end_us:
        found.append((at_us, end_us))
    return [(begin, end) for begin, end in found if begin < end]
