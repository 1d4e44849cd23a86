"""The small chart of a statement: energy and cost by days or months, as shapes that SVG and PDF draw alike."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal

from statistics_manager_service.core.civil import GroupBy, calendar
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.statements.texts import Money, day, energy, local, month, number
from statistics_manager_service.tariffs.statement import Statement

#: Longer statements are drawn by months.
MOST_DAYS: Final = 62
Tone = Literal["energy", "cost", "credit", "part", "unknown"]

_HEAD: Final = 7.0
_ENERGY_HEIGHT: Final = 26.0
_COST_HEIGHT: Final = 14.0
_GAP: Final = 4.0
_FOOT: Final = 5.0
_LEFT: Final = 12.0
_BAR_SHARE: Final = 0.72
_WIDEST_BAR: Final = 9.0
#: The least room between two lines of a scale.
_TICK_HEIGHT: Final = 6.0
#: The least room of a label below the bars.
_LABEL_WIDTH: Final = 12.3


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle, with what it stands for."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    tells: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line."""

    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Label:
    """A text whose left end, middle or right end, at mid-height, is at a point."""

    x: float
    y: float
    text: str
    align: Literal["left", "middle", "right"]
    is_title: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Shapes in a frame whose origin is top left; lengths in mm. caption: what it shows, for who can't see it."""

    width: float
    height: float
    caption: str
    bars: tuple[Bar, ...]
    rules: tuple[Rule, ...]
    labels: tuple[Label, ...]
    legend: tuple[tuple[Tone, str], ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """A day or a month: None where nothing is known of it; is_part where only of some of its days."""

    at: datetime
    name: str
    energy_milliwh: int | None
    cost: Fraction | None
    is_part: bool = False


def chart_of(statement: Statement, width: float) -> Chart | None:
    """The chart in a frame of a width; None where no day's energy or cost is known."""
    days = _days(statement)
    by_month = len(days) > MOST_DAYS
    steps = _months(days) if by_month else days
    per = "month" if by_month else "day"
    money = Money(statement.currency, statement.money_decimals)
    kwh = [None if one.energy_milliwh is None else one.energy_milliwh / MILLIWH_PER_KWH for one in steps]
    costs = [None if one.cost is None else float(one.cost) for one in steps]
    kwh_tones: list[Tone] = ["part" if one.is_part else "energy" for one in steps]
    cost_tones: list[Tone] = ["credit" if one is not None and one < 0 else "cost" for one in costs]
    tells = [_told(one, money) for one in steps]
    bars: list[Bar] = []
    rules: list[Rule] = []
    labels: list[Label] = []
    foot = 0.0
    for title, height, values, tones in (
        (f"Energy from the grid per {per}, kWh", _ENERGY_HEIGHT, kwh, kwh_tones),
        (f"Cost per {per}, {money.mark}", _COST_HEIGHT, costs, cost_tones),
    ):
        if any(one is not None for one in values):
            panel = _Panel(title, foot + (_GAP if foot else 0) + _HEAD, height, width, values)
            bars += panel.bars(tones, tells)
            rules += panel.rules()
            labels += panel.labels()
            foot = panel.foot
    if not labels:
        return None
    caption = f"Energy from the grid and cost per {per}, {steps[0].name} to {steps[-1].name}"
    labels += _axis(steps, by_month, width, foot + _FOOT / 2)
    return Chart(width, foot + _FOOT, caption, tuple(bars), tuple(rules), tuple(labels), _legend(bars))


def _legend(bars: list[Bar]) -> tuple[tuple[Tone, str], ...]:
    tones = {one.tone for one in bars}
    told: tuple[tuple[Tone, str], ...] = (
        ("part", "some days of the month are not known"),
        ("credit", "in your favour"),
        ("unknown", "not known"),
    )
    return tuple(one for one in told if one[0] in tones)


def _days(statement: Statement) -> list[_Step]:
    energies, costs = statement.daily_import_milliwh, statement.daily_cost
    count = max(len(energies), len(costs))
    if not count:
        return []
    edges_us = calendar(statement.timezone, GroupBy.DAILY, statement.start_us, statement.end_us).edges_us[:-1]
    dates = [local(statement.timezone, at_us) for at_us in edges_us.tolist()]
    rows = zip(dates, energies or (None,) * count, costs or (None,) * count, strict=True)
    return [_Step(at, day(at), energy_milliwh, cost) for at, energy_milliwh, cost in rows]


def _months(days: list[_Step]) -> list[_Step]:
    found = []
    for _, group in itertools.groupby(days, lambda one: (one.at.year, one.at.month)):
        of_month = list(group)
        at = of_month[0].at
        energies = [one.energy_milliwh for one in of_month if one.energy_milliwh is not None]
        costs = [one.cost for one in of_month if one.cost is not None]
        found.append(
            _Step(
                at,
                f"{month(at)} {at.year}",
                sum(energies) if energies else None,
                sum(costs, Fraction()) if costs else None,
                is_part=0 < len(energies) < len(of_month),
            )
        )
    return found


def _told(step: _Step, money: Money) -> str:
    parts = [
        "energy not known" if step.energy_milliwh is None else energy(step.energy_milliwh),
        "cost not known" if step.cost is None else money.full(step.cost),
    ]
    return f"{step.name}: {', '.join(parts)}"


class _Panel:
    """Bars over a scale, from `top` down."""

    def __init__(self, title: str, top: float, height: float, width: float, values: list[float | None]) -> None:
        known = [one for one in values if one is not None]
        low, high = min([0.0, *known]), max([0.0, *known])
        self._step = _tick(high - low, int(height // _TICK_HEIGHT))
        self._low = math.floor(low / self._step + 1e-9) * self._step
        self._high = max(math.ceil(high / self._step - 1e-9) * self._step, self._low + self._step)
        self.foot = top + height
        self._title, self._top, self._height, self._width, self._values = title, top, height, width, values

    def _y(self, value: float) -> float:
        return self._top + self._height * (self._high - value) / (self._high - self._low)

    def bars(self, tones: list[Tone], tells: list[str]) -> list[Bar]:
        room = (self._width - _LEFT) / len(self._values)
        width = min(room * _BAR_SHARE, _WIDEST_BAR)
        found = []
        for i, (value, tone, tell) in enumerate(zip(self._values, tones, tells, strict=True)):
            x = _LEFT + room * (i + 0.5) - width / 2
            if value is None:
                found.append(Bar(x, self._top, width, self._height, "unknown", tell))
            elif value:
                y, zero = self._y(max(value, 0.0)), self._y(min(value, 0.0))
                found.append(Bar(x, y, width, zero - y, tone, tell))
        return found

    def _ticks(self) -> list[float]:
        count = round((self._high - self._low) / self._step)
        return [self._low + i * self._step for i in range(count + 1)]

    def rules(self) -> list[Rule]:
        return [Rule(_LEFT, self._y(one), self._width - _LEFT) for one in self._ticks()]

    def labels(self) -> list[Label]:
        decimals = max(-math.floor(math.log10(self._step) + 1e-9), 0)
        ticks = [Label(_LEFT - 2, self._y(one), number(Fraction(one), decimals), "right") for one in self._ticks()]
        return [Label(0, self._top - _HEAD / 2 - 0.5, self._title, "left", is_title=True), *ticks]


def _tick(height: float, most: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) of which at most so many make up a height."""
    if height <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(height / most))
    return next(power * one for one in (1, 2, 5, 10) if power * one * most >= height)


def _axis(steps: list[_Step], by_month: bool, width: float, y: float) -> list[Label]:
    """Names below the bars: as many as there is room for, at even distances; month or year where it is a new one."""
    room = (width - _LEFT) / len(steps)
    every = max(math.ceil(_LABEL_WIDTH / room), 1)
    found: list[Label] = []
    before: datetime | None = None
    for i in range(0, len(steps), every):
        at = steps[i].at
        if by_month:
            is_new = before is None or before.year != at.year
            text = f"{month(at, short=True)} {at.year}" if is_new else month(at, short=True)
        else:
            is_new = before is None or before.month != at.month
            text = f"{at.day} {month(at, short=True)}" if is_new else str(at.day)
        found.append(Label(_LEFT + room * (i + 0.5), y, text, "middle"))
        before = at
    return found
