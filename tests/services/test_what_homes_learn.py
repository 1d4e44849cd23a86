"""A home can't learn about another one through its group: attacks, and that each of them fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import Clock, open_store, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.disclosure import LEAST, P_PERCENT, may_be_told, rank_between, two_digits
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Conflict, Forbidden, NotFound
from statistics_manager_service.services.asking import Question
from statistics_manager_service.services.groups.comparing_homes import ALIKE, NO_MEMBER, HomesCompared
from statistics_manager_service.services.groups.groups import Groups
from statistics_manager_service.services.groups.home_days import TOLD, HomeDays
from statistics_manager_service.services.groups.telling import (
    HIDDEN,
    NOT_TOLD,
    HomesAnswer,
    Telling,
    parts_of,
    told_days,
)
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

FIRST, END = date(2026, 1, 1), date(2026, 2, 1)
DAY_S = 86_400


class Street:
    """Homes that a group is made of, each with a load of its own, and a clock."""

    def __init__(self, store: SqlStore, homes: int, days: int = 31) -> None:
        self.store, self.days, self.clock = store, days, Clock("2026-03-01")
        self.homes = [f"home{i:02}" for i in range(homes)]
        self.groups = Groups(store)
        asking = bootstrap.asking_of(store)
        self.telling, self.compared = Telling(store, asking, self.clock), HomesCompared(store, asking, self.clock)
        register = bootstrap.households_of(store)
        for i, home in enumerate(self.homes):
            register.put(home, {})
            self.write(home, 2000 + 37 * i)

    def write(
        self, home: str, wh_a_day: float, quantity: str = "energy_import", meter: str = "grid", days: int | None = None
    ) -> None:
        """A register that rises by so much each day; written again, it corrects."""
        count = self.days if days is None else days
        at_us = us("2026-01-01") + np.arange(count * 96 + 1, dtype=np.int64) * QUARTER_US
        value = np.arange(count * 96 + 1) * (wh_a_day / 96)
        readings = WireReadings(home, meter, quantity, Kind.REGISTER, "Wh", at_us, value)
        Recorder(self.store, self.clock).record([readings])

    def put(self, group: str, homes: Sequence[str], **more: Any) -> None:
        members = [one if isinstance(one, dict) else {"household": one} for one in homes]
        self.groups.put(group, {"title": group, "members": members, **more})

    def share(self, group: str, homes: Sequence[str], *, shares: bool = True) -> None:
        for one in homes:
            self.groups.share(one, group, {"shares": shares})

    def ask(self, home: str, group: str, measures: str = "energy_import", **more: str) -> HomesAnswer:
        asked = {"start": FIRST.isoformat(), "end": END.isoformat(), "group_by": "daily", **more}
        return self.telling.statistics(home, group, Question(measures, **asked))

    def values(self, home: str, group: str, measures: str = "energy_import", **more: str) -> list[float | None]:
        column = self.ask(home, group, measures, **more).statistics.columns[0]
        return [None if np.isnan(one) else round(float(one), 6) for one in column.value]

    def own(self, home: str, measure: str = "energy_import") -> Any:
        asked = Question(measure, FIRST.isoformat(), END.isoformat(), "daily")
        return bootstrap.asking_of(self.store).statistics(home, asked).columns[0].value


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    yield made
    made.close()


@pytest.fixture
def street(store: SqlStore) -> Street:
    """Twelve homes, all of which are in a group and share."""
    made = Street(store, 12)
    made.put("all", made.homes)
    made.share("all", made.homes)
    return made


def test_a_home_is_told_the_sum_of_those_that_share(street: Street) -> None:
    street.share("all", street.homes[11:], shares=False)
    wanted = np.sum([street.own(one) for one in street.homes[:11]], axis=0)
    assert street.values("home00", "all") == np.round(wanted, 6).tolist()
    answer = street.ask("home00", "all", group_by="total")
    assert answer.statistics.columns[0].total == pytest.approx(wanted.sum(), abs=1e-9)
    assert list(answer.homes) == [11]


def test_fewer_than_ten_are_told_of_nothing_and_not_how_many_they_are(street: Street) -> None:
    street.share("all", street.homes[9:], shares=False)
    answer = street.ask("home00", "all")
    (column,) = answer.statistics.columns
    assert np.isnan(column.value).all()
    assert np.isnan(column.total)
    assert set(answer.homes) == {None}
    assert {lack.why for lack in column.lacks} == {NOT_TOLD}
    assert "9" not in NOT_TOLD


def test_ten_that_share_do_not_count_where_one_of_them_is_not_known(store: SqlStore) -> None:
    street = Street(store, 9)
    bootstrap.households_of(store).put("late", {})
    street.write("late", 2000, days=20)
    street.put("all", [*street.homes, "late"])
    street.share("all", [*street.homes, "late"])
    values = street.values("home00", "all")
    assert [one is None for one in values] == [False] * 20 + [True] * 11


def test_a_day_on_which_one_home_is_most_of_the_sum_is_hidden(street: Street) -> None:
    street.write("home11", 2_000_000)
    assert street.values("home00", "all") == [None] * 31
    (column,) = street.ask("home00", "all").statistics.columns
    assert {lack.why for lack in column.lacks} == {HIDDEN}


def test_changing_its_own_readings_a_home_does_not_find_where_a_hidden_day_is_told(street: Street) -> None:
    """Told from where its own figure is twice what is left without the largest of the others, the sum would tell that
    one exactly. Both ways: it makes itself the largest, or fills up what is left beside a large one."""
    asked = {"end": "2026-01-02"}
    for wh_a_day in (60_000, 45_000, 44_000, 2_000):
        street.write("home00", wh_a_day)
        assert street.values("home00", "all", **asked) == [None]
    street.write("home11", 30_000)
    for wh_a_day in (0, 5_000, 15_000):
        street.write("home00", wh_a_day)
        assert street.values("home00", "all", **asked) == [None]
    street.write("home11", 2_400)
    assert street.values("home00", "all", **asked) == [None]
    assert None not in street.values("home00", "all", start="2026-01-02")  # of which nobody had asked


def test_dominance_is_seen_among_the_largest_figures_that_fit() -> None:
    figures = np.array([2 * 10**17, *[10**6] * 11], np.int64)[:, None]
    assert not may_be_told(figures)[0]
    assert may_be_told(np.full((12, 1), 2 * 10**17, np.int64))[0]


def test_a_sum_of_nothing_is_hidden_it_would_tell_of_each_that_it_has_none(street: Street) -> None:
    for home in street.homes:
        street.write(home, 0, "energy_export")
    assert street.values("home00", "all", "energy_export") == [None] * 31
    assert None not in street.values("home00", "all")


def test_what_was_told_stays_told_whatever_comes_later(street: Street) -> None:
    before = street.values("home00", "all")
    street.write("home03", 9000)  # a correction
    street.write("home04", 100, "energy_production", "pv")  # another meter
    assert street.values("home00", "all") == before
    street.share("all", ["home05"], shares=False)
    assert street.values("home00", "all") == before
    bootstrap.households_of(street.store).delete("home06")
    street.put("all", [one for one in street.homes if one != "home06"][:10])
    assert street.values("home00", "all") == before
    street.put("all", [{"household": one, "from": "2026-01-20"} for one in street.homes if one != "home06"])
    assert street.values("home00", "all") == before


def test_two_groups_that_differ_by_one_home_do_not_tell_its_figure(store: SqlStore) -> None:
    """The homes of one are those of the other but for home12: the difference would be its consumption."""
    street = Street(store, 13)
    street.put("small", street.homes[:12])
    street.put("large", street.homes)
    street.share("small", street.homes[:12])
    with pytest.raises(Conflict):
        street.share("large", ["home00"])
    assert None not in street.values("home00", "small")
    street.share("small", street.homes[:12], shares=False)
    street.share("large", street.homes)
    assert street.values("home00", "large") == [None] * 31  # of these days they have counted already


def test_a_home_that_shared_of_what_nothing_was_told_may_count_elsewhere(street: Street) -> None:
    street.put("other", street.homes)
    street.share("all", street.homes, shares=False)
    street.share("other", street.homes)
    assert None not in street.values("home00", "other")


def test_a_group_that_is_made_anew_does_not_tell_the_same_days_again(street: Street) -> None:
    assert None not in street.values("home00", "all")
    street.groups.delete("all")
    street.put("all", street.homes[:11])
    street.share("all", street.homes[:11])
    assert street.values("home00", "all") == [None] * 31


def test_a_day_is_told_a_day_after_its_end(street: Street) -> None:
    street.clock.set("2026-01-10T23:59:59")
    assert [one is None for one in street.values("home00", "all")] == [False] * 8 + [True] * 23
    street.clock.set("2026-01-11T00:00:00")
    assert [one is None for one in street.values("home00", "all")] == [False] * 9 + [True] * 22


def test_longer_times_are_sums_of_the_days_that_are_told_so_no_range_tells_a_hidden_day(street: Street) -> None:
    readings = WireReadings(
        "home11", "grid", "energy_import", Kind.REGISTER, "Wh",
        us("2026-01-05") + np.arange(1, 96, dtype=np.int64) * QUARTER_US, np.linspace(9_700, 900_000, 95),
    )  # fmt: skip
    Recorder(street.store, street.clock).record([readings])
    daily = street.values("home00", "all")
    hidden = [i for i, one in enumerate(daily) if one is None]
    assert hidden
    for first, end in ((1, 31), (4, 6), (5, 6), (1, 10)):
        asked = {"start": f"2026-01-{first:02}", "end": f"2026-01-{end:02}", "group_by": "total"}
        some = [one for one in daily[first - 1 : end - 1] if one is not None]
        assert street.values("home00", "all", **asked) == ([round(sum(some), 6)] if some else [None])


@pytest.mark.parametrize(
    ("where", "more"),
    [
        ("group_by", {"group_by": "15_mins"}),
        ("group_by", {"group_by": "hourly"}),
        ("start", {"start": "2026-01-01T00:15:00Z"}),
        ("end", {"end": "2026-01-31T23:45:00Z"}),
        ("timezone", {"timezone": "Asia/Kathmandu"}),
        ("measures", {"measures": "cost_net"}),
        ("measures", {"measures": "power_import"}),
    ],
)
def test_homes_are_told_of_whole_days_alone(street: Street, where: str, more: dict[str, str]) -> None:
    with pytest.raises(BadInput) as told:
        street.ask("home00", "all", **more)
    assert [one.where for one in told.value.faults] == [where]


def test_a_group_that_is_not_there_is_refused_in_the_words_of_one_that_is_anothers(street: Street) -> None:
    street.put("others", street.homes[1:])
    street.put("silent", street.homes)
    told = []
    for group in ("others", "silent", "nowhere", "\0", "x" * 500):
        for ask in (
            lambda group=group: street.ask("home00", group),
            lambda group=group: street.compared.for_home("home00", group, "energy_import", "2026-01-01", "2026-02-01"),
        ):
            with pytest.raises(Forbidden) as error:
                ask()
            told.append((error.value.sentence, error.value.code, error.value.faults))
    assert len(set(told)) == 1
    sentences = set()
    for group in ("others", "nowhere"):
        with pytest.raises(NotFound) as missing:
            street.share(group, ["home00"])
        sentences.add(missing.value.sentence.replace(group, "…"))
    assert len(sentences) == 1


# --- what follows from several measures -------------------------------------------------------------------------------

MEASURES = ["energy_consumption", "energy_self_consumption", *(f"energy_{part}" for part in TOLD[:5])]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(10, 14),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.lists(st.sampled_from([1, 1, 100]), min_size=6, max_size=6),
)
def test_no_part_that_is_hidden_follows_from_what_is_told(
    seed: int, homes: int, having: list[float], skew: list[int]
) -> None:
    """As linear algebra: no hidden part is a combination of the measures that are told."""
    rng = np.random.default_rng(seed)
    has = rng.random((6, homes, 1)) < np.array(having)[:, None, None]
    has[0] |= ~has.any(axis=0)
    energy = np.where(has, rng.integers(1, 1000, (6, homes, 1)), 0)
    energy[:, 0] *= np.array(skew)[:, None]
    days = HomeDays(energy, np.where(has, DAY_S, 0), has, np.ones((homes, 1), bool))
    inside = np.ones((homes, 1), bool)
    for day in told_days(days, inside, [1], np.array([0, US_PER_DAY])):
        rows = []
        for measure in MEASURES:
            upper, _, _ = parts_of(measure)
            parts = set(upper)
            if any(part in day.told and day.told[part] is None for part in parts):
                continue
            rows.append([upper.get(part, 0) if part in day.told else 0 for part in TOLD])
        matrix = np.array([[0] * len(TOLD), *rows])
        for i, part in enumerate(TOLD):
            if part in day.told and day.told[part] is None:
                unit = np.eye(len(TOLD))[i]
                assert np.linalg.matrix_rank(np.vstack([matrix, unit])) == np.linalg.matrix_rank(matrix) + 1, part


def test_what_is_made_of_a_hidden_part_is_hidden_too(street: Street) -> None:
    for home in street.homes[:3]:
        street.write(home, 900, "energy_production", "pv")
    answer = street.ask("home00", "all", "energy_import,energy_production,energy_consumption,self_sufficiency_rate")
    imported, *others = answer.statistics.columns
    assert np.isfinite(imported.value).all()
    for column in others:
        assert np.isnan(column.value).all(), column.measure
        assert {lack.why for lack in column.lacks} == {HIDDEN}


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_of_a_told_sum_no_home_can_tell_another_ones_figure_within_the_rules_share(figures: list[int]) -> None:
    """Whoever subtracts its own figure knows of any other one that it is not more than what is left; that must be too
    much by P_PERCENT at least."""
    if not may_be_told(np.array(figures, np.int64)[:, None])[0]:
        return
    assert sum(one > 0 for one in figures) >= LEAST
    total = sum(figures)
    for i, mine in enumerate(figures):
        for j, other in enumerate(figures):
            if i != j:
                assert (total - mine - other) * 100 >= P_PERCENT * other


def test_a_home_whose_membership_has_ended_is_told_of_no_later_day(street: Street) -> None:
    street.put("all", [{"household": "home00", "to": "2026-01-20"}, *street.homes[1:]])
    assert [one is None for one in street.values("home00", "all")] == [False] * 19 + [True] * 12
    assert None not in street.values("home01", "all")
    assert street.values("home00", "all", start="2026-01-20") == [None] * 12
    assert (compare(street).points, compare(street).why) == ({}, NO_MEMBER)
    assert compare(street, "home01").homes == 11


# --- percentiles ------------------------------------------------------------------------------------------------------


def compare(street: Street, home: str = "home00", measure: str = "energy_import") -> Any:
    return street.compared.for_home(home, "all", measure, "2026-01-01", "2026-02-01")


def test_a_home_is_told_where_it_lies_among_similar_ones(street: Street) -> None:
    found = compare(street, "home05")
    figures = np.sort([street.own(one).sum() for one in street.homes])
    assert found.value == pytest.approx(street.own("home05").sum())
    assert found.points == {p: two_digits(float(np.percentile(figures, p))) for p in (25, 50, 75)}
    assert found.homes == 12
    assert found.traits == []
    assert found.rank == (25, 50)


def test_probing_with_changed_readings_tells_the_rounded_percentiles_and_nothing_more(street: Street) -> None:
    """A home sweeps its own figure: the rank changes at the points that are told anyway, and these stay."""
    first = compare(street)
    for wh_a_day in range(1500, 3000, 100):
        street.write("home00", wh_a_day)
        found = compare(street)
        assert found.points == first.points
        assert found.rank == rank_between(found.value, first.points)


def test_the_percentiles_of_a_time_stay_whoever_joins_or_leaves(street: Street) -> None:
    first = compare(street)
    street.write("home07", 90_000)
    street.share("all", ["home09"], shares=False)
    assert compare(street).points == first.points


def test_percentiles_of_homes_that_have_nothing_are_not_told(street: Street) -> None:
    for home in street.homes:
        street.write(home, 0 if home > "home02" else 900, "energy_export")
    found = compare(street, measure="energy_export")
    assert (found.homes, found.points, found.rank, found.why) == (None, {}, None, ALIKE)
    assert compare(street).homes == 12
    for home in street.homes:
        street.write(home, 900, "energy_export")
    assert compare(street, measure="energy_export").points == {}  # for good


def test_percentiles_that_are_all_the_same_are_not_told_they_would_be_the_figure_of_nearly_each_home(
    store: SqlStore,
) -> None:
    street = Street(store, 12)
    for home in street.homes[1:]:
        street.write(home, 3000)
    street.put("all", street.homes)
    street.share("all", street.homes)
    assert (compare(street).points, compare(street).why) == ({}, ALIKE)


def test_where_fewer_than_ten_are_similar_it_is_all_and_where_those_are_fewer_it_is_nobody(street: Street) -> None:
    street.write("home00", 500, "energy_production", "pv")
    found = compare(street)
    assert (found.traits, found.homes) == (None, 12)
    street.share("all", street.homes[8:], shares=False)
    lonely = compare(street, measure="energy_consumption")
    assert (lonely.homes, lonely.points, lonely.rank) == (None, {}, None)


@pytest.mark.parametrize(
    ("start", "end"),
    [("2026-01-01", "2026-01-02"), ("2026-01-02", "2026-02-02"), ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
     ("2026-01-01", "2026-03-01"), ("2025-07-01", "2026-07-01")],
)  # fmt: skip
def test_homes_are_compared_by_calendar_months_and_years(street: Street, start: str, end: str) -> None:
    with pytest.raises(BadInput) as told:
        street.compared.for_home("home00", "all", "energy_import", start, end)
    assert [one.where for one in told.value.faults] == ["end"]


def test_the_service_is_told_exactly_and_of_any_time(street: Street) -> None:
    found = street.compared.for_service("home05", "all", "energy_import", "2026-01-03", "2026-01-05T12:00:00")
    figures = np.array([(2000 + 37 * i) * 2.5 / 1000 for i in range(12)])
    assert found.points == pytest.approx({p: np.percentile(figures, p) for p in (25, 50, 75)}, abs=1e-5)
    assert found.rank == pytest.approx((500 / 11, 500 / 11))
    with pytest.raises(NotFound):
        street.compared.for_service("home05", "nowhere", "energy_import", "2026-01-03", "2026-01-05")


def test_a_group_of_a_hundred_and_more_is_told_by_deciles() -> None:
    points = {10: 1.0, 20: 2.0, 30: 2.0, 40: 2.0, 50: 5.0}
    assert rank_between(0.5, points) == (0, 10)
    assert rank_between(1.5, points) == (10, 20)
    assert rank_between(2.0, points) == (20, 40)
    assert rank_between(9.0, points) == (50, 100)
    assert [two_digits(one) for one in (0.0, 12345.0, 0.01234, -987.0)] == [0.0, 12000.0, 0.012, -990.0]


def test_days_are_those_of_the_groups_zone(store: SqlStore) -> None:
    street = Street(store, 10)
    street.put("all", street.homes, timezone="Asia/Tokyo")
    street.share("all", street.homes)
    values = street.values("home00", "all", start="2026-01-02", end="2026-01-03")
    assert values == [round(sum(2000 + 37 * i for i in range(10)) / 1000, 6)]
    first = street.values("home00", "all", start="2026-01-01", end="2026-01-02")
    assert first == [None]  # of it only the hours from 9 o'clock on are known
    with pytest.raises(Conflict):
        street.put("all", street.homes, timezone="UTC")
    assert timedelta(days=31) == (END - FIRST)
    assert US_PER_S * DAY_S == US_PER_DAY
