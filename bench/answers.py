"""Answers, from the store to JSON bytes, beside pandas on readings in memory and NumPy's bare edge lookup."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import orjson
import pandas as pd

from bench.homes import START_S, YEAR_S, ZONE, readings, register
from bench.report import Line, paired, shown_s
from bench.stores import make
from statistics_manager_service.api.encoding import JSON, encode
from statistics_manager_service.bootstrap import asking_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_S, S_PER_MINUTE
from statistics_manager_service.services.asking import Asking, Question
from statistics_manager_service.storage.database import SqlStore

MANY = 1000
_STEP = 25
_RULES = {"monthly": "MS", "daily": "D", "15_mins": "15min", "hourly": "h"}
_YEAR = ("2022-01-01", "2023-01-01")
_MONTH = ("2022-06-01", "2022-07-01")
_DAY = ("2022-06-01", "2022-06-02")


def _by_pandas(at_us: Int64, value_wh: Int64, start: str, end: str, rule: str) -> Callable[[], bytes]:
    """Resample and diff of readings that are in memory already, as the old service did."""
    series = pd.Series(value_wh, index=pd.to_datetime(at_us, unit="us", utc=True))

    def work() -> bytes:
        local = series.tz_convert(ZONE)
        last = local.loc[:end].resample(rule).last()
        flowed = last.diff().loc[start:].iloc[:-1]
        rows = [
            {"timestamp": label.isoformat(), "value": None if np.isnan(value) else float(value) / 1000}
            for label, value in zip(flowed.index, flowed.to_numpy(), strict=True)
        ]
        return orjson.dumps(rows)

    return work


def _by_lookup(at_us: Int64, value_wh: Int64, edges_us: Int64) -> Callable[[], object]:
    """NumPy's bare edge lookup: no store, no quality, no labels, no JSON."""
    return lambda: np.diff(np.interp(edges_us, at_us, value_wh))


def fill(folder: pathlib.Path) -> tuple[SqlStore, dict[str, tuple[Int64, Int64]]]:
    """Homes: a year at 15 minutes and at one, ten years at 15 minutes, and 1,000 of a year at 15 minutes."""
    names = ["quarters", "minutes", "ten_years", *(f"home{i}" for i in range(MANY))]
    store, recorder = make(folder / "answers.sqlite3", names)
    quarters = YEAR_S // QUARTER_S + 1
    held = {
        "quarters": register(1, START_S, QUARTER_S, quarters),
        "minutes": register(1, START_S, S_PER_MINUTE, YEAR_S // S_PER_MINUTE + 1),
        "ten_years": register(1, START_S - 8 * YEAR_S, QUARTER_S, 10 * quarters),
    }
    recorder.record([readings(name, *columns) for name, columns in held.items()])
    for first in range(0, MANY, _STEP):
        some = range(first, first + _STEP)
        recorder.record([readings(f"home{i}", *register(i, START_S, QUARTER_S, quarters)) for i in some])
    return store, held


def measure(store: SqlStore, held: dict[str, tuple[Int64, Int64]]) -> list[Line]:
    """Each question beside pandas and the bare lookup; the growth with density and with years."""
    asking = asking_of(store, most_kept_bytes=2**26)
    lines: list[Line] = []
    spent: dict[str, float] = {}
    cases = (
        ("a year by month of 15-minute data", "quarters", _YEAR, "monthly", 200, 0.2e-3),
        ("a year by day of 1-minute data", "minutes", _YEAR, "daily", 60, None),
        ("a month by 15 minutes (2,880 buckets)", "quarters", _MONTH, "15_mins", 60, 0.6e-3),
        ("a day by hour", "quarters", _DAY, "hourly", 100, None),
        ("a year by month of 1-minute data", "minutes", _YEAR, "monthly", 60, None),
        ("a year by month of ten years of 15-minute data", "ten_years", _YEAR, "monthly", 60, None),
    )
    for what, home, (start, end), group_by, rounds, goal_s in cases:
        question = Question("energy_import", start, end, group_by)

        def ask(home: str = home, question: Question = question) -> bytes:
            return encode([asking.statistics(home, question)], JSON)

        ours, theirs = paired(ask, _by_pandas(*held[home], start, end, _RULES[group_by]), rounds)
        edges_us = asking.statistics(home, question).calendar.edges_us
        _, lookup = paired(ask, _by_lookup(*held[home], edges_us), rounds)
        spent[what] = ours
        goal = "" if goal_s is None else f"≤ {shown_s(goal_s)}"
        met = None if goal_s is None else ours <= goal_s

        def ask_again(home: str = home, question: Question = question) -> bytes:
            return asking.encoded(home, question, JSON, lambda found: encode([found], JSON))

        reference = f"pandas {shown_s(theirs)}, lookup {shown_s(lookup)}"
        lines.append(Line(what, shown_s(ours), reference, theirs / ours, goal, met))
        if goal:
            again, theirs = paired(ask_again, _by_pandas(*held[home], start, end, _RULES[group_by]), rounds)
            reference = f"pandas {shown_s(theirs)}"
            lines.append(Line(f"{what}, asked again", shown_s(again), reference, theirs / again, goal, again <= goal_s))
    base = spent["a year by month of 15-minute data"]
    for what, name in (("1-minute data", "1-minute data"), ("ten years stored", "ten years of 15-minute data")):
        more = spent[f"a year by month of {name}"] / base
        title = f"growth: {what} beside one year of 15 minutes"
        lines.append(Line(title, f"{more:.2f} of its time", "", None, "≤ 1.2", more <= 1.2))
    lines.append(_many(asking, held))
    return lines


def _many(asking: Asking, held: dict[str, tuple[Int64, Int64]]) -> Line:
    names = [f"home{i}" for i in range(MANY)]
    question = Question("energy_import", *_YEAR, "monthly")
    pandas = _by_pandas(*held["quarters"], *_YEAR, _RULES["monthly"])
    ours, theirs = paired(lambda: encode(asking.many(names, question), JSON, many=True), pandas, 7)
    reference = f"pandas {MANY} × {shown_s(theirs)}"
    return Line(
        f"{MANY} homes × a year by month", shown_s(ours), reference, theirs * MANY / ours, "≤ 100 ms", ours <= 0.1
    )
