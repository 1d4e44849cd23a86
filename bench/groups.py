"""Sums of a group of homes: the first time, after every home has told news, asked again; beside pandas on ready
quarter-hours of the same homes."""

from __future__ import annotations

import pathlib
import time

import numpy as np
import orjson
import pandas as pd

from bench.homes import START_S, YEAR_S, ZONE, readings, register
from bench.report import Line, paired, shown_s
from bench.stores import make, now_us
from statistics_manager_service.api.encoding import JSON, group_json
from statistics_manager_service.bootstrap import asking_of
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import MILLIWH_PER_KWH, QUARTER_S, QUARTERS_PER_DAY, US_PER_S
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.groups.group_rows import FIRST_DAY, ShareRow
from statistics_manager_service.services.groups.group_statistics import GroupStatistics
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.groups.telling import Telling
from statistics_manager_service.storage.database import SqlStore

MANY = 1000
_STEP = 25
_GOAL_S = 0.15
_TICKS = 5
_QUESTION = Question("energy_import", "2022-01-01", "2023-01-01", "daily")
_NAMES = [f"home{i}" for i in range(MANY)]


def measure(folder: pathlib.Path) -> list[Line]:
    """A year by day of a group of many homes."""
    store, recorder = make(folder / "groups.sqlite3", _NAMES)
    quarters = YEAR_S // QUARTER_S
    held = np.zeros((MANY, quarters))
    newest = np.zeros(MANY)
    for first in range(0, MANY, _STEP):
        batch = []
        for i in range(first, first + _STEP):
            at_us, value_wh = register(i, START_S, QUARTER_S, quarters + 1)
            held[i], newest[i] = np.diff(value_wh) / 1000, value_wh[-1]
            batch.append(readings(f"home{i}", at_us, value_wh))
        recorder.record(batch)
    members = [{"household": name} for name in _NAMES]
    Groups(store).put("street", {"title": "Street", "timezone": ZONE, "members": members})
    groups = GroupStatistics(store, asking_of(store), most_kept_bytes=2**26)
    frame = pd.DataFrame(held.T, index=pd.to_datetime(START_S + QUARTER_S * np.arange(quarters), unit="s", utc=True))
    frame.index = frame.index.tz_convert(ZONE)

    def ask() -> bytes:
        return group_json(groups.statistics("street", _QUESTION))

    def by_pandas() -> bytes:
        return orjson.dumps(frame.sum(axis=1).resample("D").sum().tolist())

    begin = time.perf_counter()
    ask()
    cold_s = time.perf_counter() - begin
    ours, theirs = paired(ask, by_pandas, 9)
    reference = f"pandas {shown_s(theirs)}"
    what = f"a year by day of {MANY:,} homes"
    _check(groups, frame)
    lines = [
        Line(f"{what}, the first time", shown_s(cold_s), reference, theirs / cold_s),
        Line(what, shown_s(ours), reference, theirs / ours, f"≤ {shown_s(_GOAL_S)}", ours <= _GOAL_S),
    ]
    encoded, _ = paired(lambda: groups.encoded("street", _QUESTION, JSON, group_json), by_pandas, 9)
    lines.append(Line(f"{what}, asked again", shown_s(encoded), reference, theirs / encoded))
    spent = []
    for tick in range(1, _TICKS + 1):
        at_us: Int64 = np.array([(START_S + YEAR_S + tick * 60) * US_PER_S], np.int64)
        recorder.record([readings(name, at_us, newest[i : i + 1] + tick) for i, name in enumerate(_NAMES)])
        begin = time.perf_counter()
        ask()
        spent.append(time.perf_counter() - begin)
    ticked_s = float(np.median(spent))
    title = f"{what}, each of which has just told news"
    goal = f"≤ {shown_s(_GOAL_S)}"
    lines.append(Line(title, shown_s(ticked_s), reference, theirs / ticked_s, goal, ticked_s <= _GOAL_S))
    begin = time.perf_counter()
    at_us, value_wh = register(0, START_S, QUARTER_S, quarters + 1)
    value_wh[QUARTERS_PER_DAY * 100 :] += 1  # one home is corrected over most of the year
    recorder.record([readings("home0", at_us, value_wh)])
    written_s = time.perf_counter() - begin
    begin = time.perf_counter()
    ask()
    again_s = time.perf_counter() - begin
    title = f"{what}, of which one is corrected over 265 days ({shown_s(written_s)} to write)"
    lines.append(Line(title, shown_s(again_s), reference, theirs / again_s))
    lines += _told_to_a_home(store, reference, theirs)
    store.close()
    return lines


def _told_to_a_home(store: SqlStore, reference: str, theirs: float) -> list[Line]:
    """What a home that shares is told, all of which share: the first time the days are made, then they stay."""
    with store.writing() as view:
        group = view.group("street")
        assert group is not None
        for one in view.members(group.group_no):
            view.put_share(ShareRow(one.household_no, group.group_no, FIRST_DAY, None))
    telling = Telling(store, asking_of(store), now_us)

    def ask() -> bytes:
        found = telling.statistics("home0", "street", _QUESTION)
        return group_json(found.statistics, found.homes)

    begin = time.perf_counter()
    ask()
    first_s = time.perf_counter() - begin
    again_s, _ = paired(ask, ask, 5)
    what = f"the same as a home is told it, of {MANY:,} that share"
    return [
        Line(f"{what}, the first time", shown_s(first_s), reference, theirs / first_s),
        Line(what, shown_s(again_s), reference, theirs / again_s),
    ]


def _check(groups: GroupStatistics, frame: pd.DataFrame) -> None:
    """What is fast is right, too."""
    value = groups.statistics("street", _QUESTION).columns[0].value
    wanted = frame.sum(axis=1).resample("D").sum().to_numpy()
    if not np.allclose(value, wanted, atol=1 / MILLIWH_PER_KWH * MANY):
        raise SystemExit("the group's sums are not those of its homes")
