"""Reconciling an invoice with our statement: where they agree, where not, by how much, and what explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from pydantic import ValidationError

from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.homes import Homes, known_state
from statistics_manager_service.services.money.bills import Bills, Wanted
from statistics_manager_service.services.money.candidates import faults_at
from statistics_manager_service.services.money.invoices import (
    InvoiceLine,
    ToldInvoice,
    ToldTotal,
    faults_inside,
    lines_of_invoice,
    of_sums,
    sum_of,
)
from statistics_manager_service.services.money.matching import Group, group_of, matched
from statistics_manager_service.services.money.rounding_elsewhere import rounded_elsewhere
from statistics_manager_service.services.money.statements import Asked, Statements
from statistics_manager_service.services.money.verdicts import (
    AGREES,
    BY_QUANTITY,
    BY_ROUNDING,
    BY_TAX,
    DIFFERS,
    UNKNOWN,
    Clue,
    Explanation,
    FigureDifference,
    compared,
)
from statistics_manager_service.services.ports import Store
from statistics_manager_service.tariffs.statement import Line, Statement

ONLY_INVOICE, ONLY_OURS = "only_invoice", "only_ours"
_TOTALS: Final = ("net", "tax", "gross")
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the invoice beside ours; one of them is None where the other side has no such line. place: of the
    invoice's. by_name: the invoice tells the component or period."""

    verdict: str
    place: int | None
    theirs: InvoiceLine | None
    ours: Group | None
    by_name: bool = False
    differences: tuple[FigureDifference, ...] = ()
    explained_by: tuple[Explanation, ...] = ()

    @property
    def gross(self) -> Fraction:
        """By how much the invoice asks for more, with tax; 0 where that is not to be told."""
        theirs = Fraction(0) if self.theirs is None else self.theirs.gross_known
        if theirs is None:  # without a rate: ours
            theirs = self.theirs.net_known if self.theirs is not None else None
            if theirs is None:
                return Fraction(0)
            return theirs - (self.ours.net if self.ours is not None else 0)
        return theirs - (self.ours.gross if self.ours is not None else 0)

    @property
    def label(self) -> str:
        """What people read."""
        if self.theirs is not None:
            return self.theirs.label
        lines = () if self.ours is None else self.ours.lines
        return ", ".join(dict.fromkeys(f"{one.title} {one.period_title or one.period or ''}".strip() for one in lines))


@dataclass(frozen=True, slots=True)
class TotalDifference:
    """A total of the invoice beside ours. told: it stands on the invoice, else it is the sum of its lines."""

    what: str
    theirs: Fraction | None
    ours: Fraction
    told: bool
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """An invoice beside our statement. explained_by: what the difference of the totals comes of, in gross amounts.

    inside: what is wrong with the invoice in itself.
    """

    statement: Statement
    tolerance: Fraction
    pairs: tuple[Pair, ...]
    totals: tuple[TotalDifference, ...]
    explained_by: tuple[tuple[str, Fraction], ...]
    inside: tuple[Fault, ...]

    @property
    def agrees(self) -> bool:
        """Whether every line and every total agrees."""
        lines = all(one.verdict == AGREES for one in self.pairs)
        return lines and all(one.verdict in (AGREES, None) for one in self.totals)


class Reconciling:
    """Sets invoices beside statements."""

    def __init__(self, store: Store, bills: Bills, statements: Statements) -> None:
        self._store, self._bills, self._statements, self._homes = store, bills, statements, Homes()

    def reconcile(self, household: str, body: Any) -> Reconciliation:
        """An invoice beside our statement of the same time.

        Raises BadInput with all faults, NotFound, also where no contract holds in the time.
        """
        if not isinstance(body, dict):
            raise BadInput.of([Fault("body", "the body must be a JSON object")])
        with self._store.reading() as view:
            home = self._homes.of(view, household, known_state(view, household))
            told, (start_us, end_us) = self._told(body, home.household.timezone)
            wanted = Wanted(start_us, end_us, cut=True, single=told.single)
            statement = self._statements.of(view, home, wanted, with_days=False)
            if told.currency is not None and told.currency != statement.currency:
                raise BadInput.of([Fault("currency", f"the household's contracts are in {statement.currency}")])

            def clue(lines: Sequence[Line]) -> Iterator[tuple[str, Fraction]]:
                return rounded_elsewhere(self._bills.billed(view, home, wanted), lines)

            return reconciled(lines_of_invoice(told.lines), told.total, statement, Fraction(told.tolerance), clue)

    def _told(self, body: dict[str, Any], zone: str) -> tuple[ToldInvoice, tuple[int, int]]:
        faults: list[Fault] = []
        told = None
        try:
            told = ToldInvoice.model_validate(body)
        except ValidationError as error:
            faults += faults_at(error, "")
        times = (0, 0)
        start, end = body.get("start"), body.get("end")
        if isinstance(start, str) and isinstance(end, str) and not {"start", "end"} & {one.where for one in faults}:
            try:
                start_us, end_us, _ = self._statements.times(Asked(start, end), zone)
                times = (start_us, end_us)
            except BadInput as error:
                faults += error.faults
        if faults or told is None:
            raise BadInput.of(faults)
        return told, times


def reconciled(
    invoice: Sequence[InvoiceLine], total: ToldTotal | None, statement: Statement, tolerance: Fraction, clue: Clue
) -> Reconciliation:
    """An invoice beside a statement. clue: what lines would come to where each interval is rounded by itself."""
    ours = [line for period in statement.periods for line in period.lines]
    pairs: list[Pair] = []
    matches = {one.place: one for one in matched(invoice, ours)}
    for i, line in enumerate(invoice):
        match = matches.get(i)
        if match is None:
            pairs.append(Pair(ONLY_INVOICE, i, line, None))
            continue
        differences, explained = compared(line, match.group, tolerance, clue)
        verdict = DIFFERS if differences else AGREES
        pairs.append(Pair(verdict, i, line, match.group, match.by_name, tuple(differences), tuple(explained)))
    pairs = _shared_otherwise(pairs, tolerance)
    taken = {place for one in matches.values() for place in one.group.places}
    left = [group_of(ours, [j]) for j, one in enumerate(ours) if j not in taken and (one.net or one.tax)]
    pairs += [Pair(ONLY_OURS, None, None, group) for group in left]
    totals = tuple(_total(invoice, total, statement, name, tolerance) for name in _TOTALS)
    return Reconciliation(
        statement,
        tolerance,
        tuple(pairs),
        totals,
        tuple(_explained(pairs, totals, tolerance)),
        tuple(faults_inside(invoice, total, tolerance)),
    )


def _shared_otherwise(pairs: Sequence[Pair], tolerance: Fraction) -> list[Pair]:
    """Where lines of one component and period hold as much as ours in all, and share it otherwise among the rates of a
    tax, it is the tax that explains them."""
    keyed: dict[tuple[str, str | None], list[int]] = {}
    for i, pair in enumerate(pairs):
        names = {(one.component, one.period) for one in pair.ours.lines} if pair.ours is not None else set()
        if pair.theirs is not None and len(names) == 1:
            keyed.setdefault(names.pop(), []).append(i)
    found = list(pairs)
    for places in keyed.values():
        some = [pairs[i] for i in places]
        more = [_more_of(one) for one in some]
        rates = {rate for one in some if one.ours is not None for rate in [one.ours.tax_rate]}
        if len(some) < 2 or len(rates) < 2 or None in more or not any(more):
            continue
        price = max(
            (abs(one.ours.unit_price or Fraction(0)) for one in some if one.ours is not None), default=Fraction(0)
        )
        if abs(sum((one for one in more if one is not None), Fraction(0))) * price > tolerance:
            continue
        for i, pair in zip(places, some, strict=True):
            why = "in all as much as ours, shared otherwise among the rates of tax"
            explained = tuple(
                replace(one, by=BY_TAX, why=why) if one.by == BY_QUANTITY else one for one in pair.explained_by
            )
            found[i] = replace(pair, explained_by=explained)
    return found


def _more_of(pair: Pair) -> Fraction | None:
    """By how much more the invoice's line has of its quantity."""
    theirs, ours = pair.theirs, pair.ours
    if theirs is None or ours is None or theirs.quantity is None or ours.quantity is None:
        return None
    return theirs.quantity - ours.quantity


def _total(
    invoice: Sequence[InvoiceLine], total: ToldTotal | None, statement: Statement, name: str, tolerance: Fraction
) -> TotalDifference:
    told = None if total is None else getattr(total, name)
    theirs = sum_of(invoice, name) if told is None else Fraction(told)
    ours: Fraction = getattr(statement, name)
    most = tolerance if told is not None else of_sums(tolerance, len(invoice))
    verdict = None if theirs is None else AGREES if abs(theirs - ours) <= most else DIFFERS
    return TotalDifference(name, theirs, ours, told is not None, verdict)


def _explained(
    pairs: Sequence[Pair], totals: Sequence[TotalDifference], tolerance: Fraction
) -> Iterator[tuple[str, Fraction]]:
    """What the difference of the gross totals comes of, in the order of its size; the parts add up to it."""
    gross = next(one for one in totals if one.what == "gross")
    if gross.theirs is None or gross.verdict == AGREES:
        return
    sums: dict[str, Fraction] = {}
    for pair in pairs:
        if pair.verdict in (ONLY_INVOICE, ONLY_OURS):
            sums[pair.verdict] = sums.get(pair.verdict, Fraction(0)) + pair.gross
        for one in pair.explained_by:
            sums[one.by] = sums.get(one.by, Fraction(0)) + one.gross
    rest = gross.theirs - gross.ours - sum(sums.values(), Fraction(0))
    is_small = abs(rest) <= tolerance * max(len(pairs), 1)
    if rest:
        key = BY_ROUNDING if is_small else UNKNOWN
        sums[key] = sums.get(key, Fraction(0)) + rest
    yield from sorted(((by, amount) for by, amount in sums.items() if amount), key=lambda one: -abs(one[1]))


# --- in words ---------------------------------------------------------------------------------------------------------


def summary_of(found: Reconciliation) -> str:
    """One sentence for people."""
    currency = found.statement.currency

    def money(amount: Fraction, *, sign: bool = False) -> str:
        return f"{float(round(amount, 2)):{'+' if sign else ''}.2f} {currency}"

    total = next((one for one in reversed(found.totals) if one.theirs is not None), found.totals[-1])
    before = "" if total.what == "gross" else " before tax" if total.what == "net" else " of tax"
    wrong = f"; in itself it has {_counted(len(found.inside), 'fault')}" if found.inside else ""
    if found.agrees:
        return f"The invoice agrees with our statement of {money(total.ours)}{before}, line by line{wrong}."
    parts = []
    if total.theirs is not None and total.verdict == DIFFERS:
        more = "more" if total.theirs > total.ours else "less"
        difference = money(abs(total.theirs - total.ours))
        parts.append(f"the invoice is {difference} {more} than our {money(total.ours)}{before}")
    elif total.theirs is not None:
        parts.append(f"the totals agree at {money(total.ours)}{before}")
    for verdict, words in (
        (DIFFERS, "differs"),
        (ONLY_INVOICE, "is on the invoice alone"),
        (ONLY_OURS, "is ours alone"),
    ):
        some = sorted((one for one in found.pairs if one.verdict == verdict), key=lambda one: -abs(one.gross))
        if some:
            named = ", ".join(_named(one, money(one.gross, sign=True)) for one in some[:_MOST_NAMED])
            named += ", …" if len(some) > _MOST_NAMED else ""
            verb = words if len(some) == 1 else {"differs": "differ"}.get(words, words.replace("is ", "are ", 1))
            parts.append(f"{_counted(len(some), 'line')} {verb} ({named})")
    sentence = "; ".join(parts) or "The lines agree as far as they tell figures"
    return f"{sentence[0].upper()}{sentence[1:]}{wrong}."


def _named(pair: Pair, amount: str) -> str:
    by = " and ".join(dict.fromkeys(one.by for one in pair.explained_by))
    return f"{pair.label} {amount}{f', by {by}' if by else ''}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
