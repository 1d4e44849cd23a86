"""Which of our lines a line of an invoice is: by component and period where they are told, else by what agrees best.

Several of ours may make up one of theirs: energy that we split by the rates of a tax, a part of the bill in which a
price changed, contracted power whose network's and supplier's parts they show as one.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from statistics_manager_service.services.money.invoices import InvoiceLine, our_unit
from statistics_manager_service.tariffs.statement import Line

#: How much each figure tells, where both sides have it, and from what mean agreement on two lines are one.
_QUANTITY, _PRICE, _AMOUNT, _RATE, _WORDS = 3.0, 3.0, 3.0, 1.5, 2.5
_LEAST: Final = 0.45
#: Figures that differ by this share or more have nothing in common.
_NOTHING_IN_COMMON: Final = 0.25
_MOST_STACKED: Final = 3
_MOST_GROUPS: Final = 500
_SAME: Final = Fraction(1, 10**6)

#: Words of invoices, each with the words of tariffs that mean the same. A phrase wins over the words in it.
_MEANINGS: Final[dict[str, str]] = {
    "fora de vazio": "fv", "fora vazio": "fv", "off peak": "v p3 night offpeak", "super vazio": "sv v",
    "vazio": "v", "ponta": "p", "cheias": "c", "punta": "p1 p", "llano": "p2 c", "valle": "p3 v",
    "night": "v p3 night", "nacht": "v p3 night", "nuit": "v p3 night", "day": "fv day", "tag": "fv day",
    "dag": "fv day", "peak": "p p1 peak", "energia": "energy", "energie": "energy", "consumo": "energy",
    "strom": "energy", "arbeitspreis": "energy", "levering": "energy", "verbruik": "energy", "eletricidade": "energy",
    "electricidad": "energy", "electricity": "energy", "usage": "energy", "consumption": "energy",
    "potencia": "power capacity", "leistung": "power capacity peak", "vermogen": "power capacity",
    "capaciteit": "capacity peak power", "effekt": "peak power", "capacity": "capacity power",
    "redes": "network tar", "rede": "network tar", "acesso": "network tar", "peajes": "network", "netz": "network",
    "netzentgelt": "network", "netbeheer": "network netbeheer", "comercializacao": "supplier",
    "comercializador": "supplier", "standing": "standing basic fixed", "grundpreis": "basic fixed standing",
    "vastrecht": "fixed standing", "fixo": "fixed standing", "audiovisual": "cav", "contribuicao": "cav contribution",
    "imposto especial": "iec excise", "iec": "iec excise", "impuesto": "excise tax", "stromsteuer": "excise tax",
    "energiebelasting": "tax", "dgeg": "dgeg", "excedente": "surplus export", "injecao": "surplus export",
    "excedentes": "surplus export", "einspeisung": "export feed", "teruglevering": "export surplus",
    "export": "export surplus", "desconto": "discount social credit", "discount": "discount social credit",
    "vermindering": "credit", "contador": "meter", "aluguer": "meter rent", "alquiler": "meter rent",
}  # fmt: skip
_PHRASES: Final = sorted(_MEANINGS, key=lambda phrase: -len(phrase))
_WORD: Final = re.compile(r"[^\W\d_]+\d?")


@dataclass(frozen=True, slots=True)
class Group:
    """Some of our lines as one. places: of the lines. quantity, unit, unit_price: None where they have no common one;
    is_mean: the price is no price of a tariff, but what they cost by the unit. tax_rate: None where there are several.
    """

    places: tuple[int, ...]
    lines: tuple[Line, ...]
    quantity: Fraction | None
    unit: str | None
    unit_price: Fraction | None
    is_mean: bool
    tax_rate: Fraction | None
    net: Fraction
    tax: Fraction
    gross: Fraction


@dataclass(frozen=True, slots=True)
class Match:
    """A line of an invoice and ours. by_name: the invoice tells the component or the period."""

    place: int
    group: Group
    by_name: bool


def matched(invoice: Sequence[InvoiceLine], ours: Sequence[Line]) -> list[Match]:
    """The lines that belong together, in the order of the invoice, each of either side at most once."""
    groups = groups_of(ours)
    words = [_words_of(group) for group in groups]
    every = frozenset(word for some in words for word in some)
    figures = [_figures(group) for group in groups]
    found: list[tuple[float, int, int, int]] = []
    for i, line in enumerate(invoice):
        meanings = _meanings(line.label, every)
        named = line.component is not None or line.period is not None
        told = _figures(line)
        for j, group in enumerate(groups):
            if named and not _has_name(group, line):
                continue
            score = _score(told, figures[j], _words_in_common(meanings, words[j]))
            if score >= (0 if named else _LEAST):
                found.append((-score - named, len(group.places), i, j))
    matches: dict[int, Match] = {}
    taken: set[int] = set()
    for _, _, i, j in sorted(found):
        if i not in matches and taken.isdisjoint(groups[j].places):
            line = invoice[i]
            matches[i] = Match(i, groups[j], line.component is not None or line.period is not None)
            taken |= set(groups[j].places)
    return [matches[i] for i in sorted(matches)]


def _has_name(group: Group, line: InvoiceLine) -> bool:
    def same(told: str | None, ours: str | None) -> bool:
        return told is None or (ours or "").casefold() == told.strip().casefold()

    return all(
        same(line.component, one.component) and (same(line.period, one.period) or same(line.period, one.period_title))
        for one in group.lines
    )


# --- groups -----------------------------------------------------------------------------------------------------------


def groups_of(ours: Sequence[Line]) -> list[Group]:
    """All groups of our lines that one line of an invoice may be, the lines themselves first."""
    sets: dict[frozenset[int], None] = {frozenset([i]): None for i in range(len(ours))}
    for key in (
        lambda one: (one.component, one.period, one.start_us),
        lambda one: (one.component, one.period, one.tax_rate),
        lambda one: (one.component, one.period),
        lambda one: (one.component, one.tax_rate),
        lambda one: (one.component,),
    ):
        keyed: dict[tuple[object, ...], list[int]] = {}
        for i, line in enumerate(ours):
            keyed.setdefault(key(line), []).append(i)
        sets |= dict.fromkeys(frozenset(places) for places in keyed.values())
    for places in itertools.islice(_stacks(ours), _MOST_GROUPS):
        sets.setdefault(frozenset(places))
    return [group_of(ours, sorted(places)) for places in sets]


def _stacks(ours: Sequence[Line]) -> Iterator[list[int]]:
    """Components that price the same quantity, so that an invoice may show them as one."""
    parts: dict[tuple[str, str | None], list[int]] = {}
    for i, line in enumerate(ours):
        parts.setdefault((line.component, line.period), []).append(i)
    alike: dict[tuple[object, ...], list[list[int]]] = {}
    for (_, period), places in parts.items():
        first = ours[places[0]]
        whole = sum((ours[i].quantity for i in places), Fraction(0))
        alike.setdefault((first.kind, period, first.unit, whole), []).append(places)
    for some in alike.values():
        for size in range(2, min(_MOST_STACKED, len(some)) + 1):
            for chosen in itertools.combinations(some, size):
                yield [i for places in chosen for i in places]
        if len(some) > _MOST_STACKED:
            yield [i for places in some for i in places]


def group_of(ours: Sequence[Line], places: Sequence[int]) -> Group:
    """Some of our lines as one: of one component quantities add up; of several that price the same, prices do."""
    lines = [ours[i] for i in places]
    by_component: dict[str, list[Line]] = {}
    for line in lines:
        by_component.setdefault(line.component, []).append(line)
    units = {line.unit for line in lines}
    quantities = [sum((line.quantity for line in some), Fraction(0)) for some in by_component.values()]
    net = sum((line.net for line in lines), Fraction(0))
    quantity = price = None
    is_mean = any(len({line.unit_price for line in some}) > 1 for some in by_component.values())
    if len(units) == 1:
        stacked = len(quantities) > 1 and max(quantities) - min(quantities) <= _SAME
        quantity = quantities[0] if stacked else sum(quantities, Fraction(0))
        prices = [_price(some) for some in by_component.values()]
        if None not in prices and (stacked or len(prices) == 1):
            price = sum((one for one in prices if one is not None), Fraction(0))
        elif quantity:
            price, is_mean = net / quantity, True
    rates = {line.tax_rate for line in lines}
    tax = sum((line.tax for line in lines), Fraction(0))
    return Group(
        tuple(places),
        tuple(lines),
        quantity,
        units.pop() if len(units) == 1 else None,
        price,
        is_mean,
        Fraction(rates.pop()) if len(rates) == 1 else None,
        net,
        tax,
        net + tax,
    )


def _price(lines: Sequence[Line]) -> Fraction | None:
    """The price of lines of one component: theirs where it is one, else the mean."""
    prices = {line.unit_price for line in lines}
    quantity = sum((line.quantity for line in lines), Fraction(0))
    if len(prices) == 1:
        return prices.pop()
    return sum((line.net for line in lines), Fraction(0)) / quantity if quantity else None


# --- how well they agree ----------------------------------------------------------------------------------------------


class _Figures(NamedTuple):
    """Figures of a line or of a group of lines, as far as there are any."""

    unit: str | None
    quantity: float | None
    unit_price: float | None
    tax_rate: float | None
    net: float | None
    gross: float | None


def _figures(one: InvoiceLine | Group) -> _Figures:
    is_theirs = isinstance(one, InvoiceLine)
    unit = our_unit(one.unit)[0] if is_theirs else one.unit
    net = one.net_known if isinstance(one, InvoiceLine) else one.net
    exact = (one.quantity, one.unit_price, one.tax_rate, net, one.gross)
    return _Figures(unit, *(None if figure is None else float(figure) for figure in exact))


def _score(line: _Figures, group: _Figures, words: float | None) -> float:
    """How well a line agrees with some of ours, 0..1: the mean over the figures that both have, and the words."""
    total = weight = 0.0
    if line.unit is None or group.unit is None or line.unit == group.unit:
        for theirs, ours, counts in (
            (line.quantity, group.quantity, _QUANTITY),
            (line.unit_price, group.unit_price, _PRICE),
        ):
            if theirs is not None and ours is not None:
                total, weight = total + counts * _closeness(theirs, ours), weight + counts
    else:
        weight += _QUANTITY
    theirs, ours = (line.gross, group.gross) if line.net is None else (line.net, group.net)
    if theirs is not None and ours is not None:
        total, weight = total + _AMOUNT * _closeness(theirs, ours), weight + _AMOUNT
    if line.tax_rate is not None:
        total, weight = total + _RATE * (line.tax_rate == group.tax_rate), weight + _RATE
    if words is not None:
        total, weight = total + _WORDS * words, weight + _WORDS
    return total / weight if weight else 0.0


def _closeness(theirs: float, ours: float) -> float:
    """1 where two figures are the same, 0 where they have nothing in common."""
    if theirs == ours:
        return 1.0
    return max(0.0, 1 - abs(theirs - ours) / (_NOTHING_IN_COMMON * max(abs(theirs), abs(ours))))


def _plain(text: str) -> str:
    """Small letters without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _meanings(label: str, every: frozenset[str]) -> list[frozenset[str]]:
    """What the words of a label mean, each as words of tariffs; words that mean nothing here are left out."""
    text = f" {' '.join(_WORD.findall(_plain(label)))} "
    found = []
    for phrase in _PHRASES:
        if f" {phrase} " in text:
            text = text.replace(f" {phrase} ", " | ")
            found.append(frozenset((*_MEANINGS[phrase].split(), phrase)))
    found += [frozenset([word]) for word in text.split() if word in every]
    return [one for one in found if one & every]


def _words_of(group: Group) -> frozenset[str]:
    text = " ".join(
        f"{one.component} {one.title} {one.period or ''} {one.period_title or ''} {one.kind}" for one in group.lines
    )
    return frozenset(_WORD.findall(_plain(text.replace("_", " "))))


def _words_in_common(meanings: Sequence[frozenset[str]], words: frozenset[str]) -> float | None:
    """The share of a label's meanings that stand in ours; None where the label means nothing here."""
    return sum(bool(one & words) for one in meanings) / len(meanings) if meanings else None
