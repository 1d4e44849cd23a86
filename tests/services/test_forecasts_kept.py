"""Forecasts of households: fetched and made, kept by their issue, found again, and judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from measured import DAY_US, HOUR_US, Clock, in_wh, measure, open_store, put_home, put_issue, quarter, taken_wh, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.accuracy import Accuracy
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY
from statistics_manager_service.errors import BadInput, NotFound, Unavailable
from statistics_manager_service.events.wire import message_of
from statistics_manager_service.services.events.events import FORECAST_COMPUTED, Message
from statistics_manager_service.services.events.inbox import Backoff, Inbox, Outcome
from statistics_manager_service.services.forecasts.forecast_answers import Choice, judge
from statistics_manager_service.services.forecasts.forecasting import (
    MOCK,
    OURS,
    SERVICE,
    ForecastHandler,
    Forecasts,
    PowerCurve,
    civil_day,
    forecast_between,
    lacking,
    measured_quarters,
)
from statistics_manager_service.services.ports import Household
from statistics_manager_service.storage.database import SqlStore


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    found = open_store(database_url)
    yield found
    found.close()


class Source:
    """A forecast service that answers some curves, and remembers what it was asked."""

    def __init__(self, *curves: PowerCurve) -> None:
        self.curves = curves
        self.asked: list[tuple[str, int, int]] = []

    def fetch(self, household: str, start_us: int, end_us: int) -> Sequence[PowerCurve]:
        self.asked.append((household, start_us, end_us))
        return self.curves


def hourly(begin_us: int, *power_w: float) -> PowerCurve:
    return PowerCurve(begin_us + np.arange(len(power_w), dtype=np.int64) * HOUR_US, np.array(power_w), HOUR_US)


def keep(store: SqlStore, forecasts: Forecasts, household: str, day: str) -> None:
    work = forecasts.prepare(household, date.fromisoformat(day))
    with store.writing() as view:
        work(view)


def told(
    store: SqlStore, home: Household, first: int, count: int, until: str | None = None, source: str | None = None
) -> list[float | None]:
    """The forecast of quarters, Wh."""
    edges_us = np.arange(first, first + count + 1, dtype=np.int64) * QUARTER_US
    with store.reading() as view:
        energy, _ = forecast_between(view, home.household_no, edges_us, None if until is None else us(until), source)
    return in_wh(energy.tolist())


# --- fetched ----------------------------------------------------------------------------------------------------------


def test_a_days_curve_is_kept_as_energy_of_quarters_with_its_issue_and_source(store: SqlStore) -> None:
    home, clock = put_home(store), Clock("2023-01-19T15:07:00")
    source = Source(hourly(us("2023-01-20"), *[400.0] * 12, *[1200.0] * 12))
    keep(store, Forecasts(store, source, clock), "home1", "2023-01-20")
    assert source.asked == [("home1", us("2023-01-20"), us("2023-01-21"))]
    assert told(store, home, quarter("2023-01-20"), 96) == [100.0] * 48 + [300.0] * 48
    with store.reading() as view:
        (row,) = view.forecasts(home.household_no, "energy_import", 0, 10**6, 2**62)
    assert (row.issued_us, row.source) == (clock.now_us, SERVICE)


@pytest.mark.parametrize(
    ("day", "begin", "quarters"),
    [
        ("2024-03-31", "2024-03-31T00:00:00", 92),
        ("2024-10-27", "2024-10-26T23:00:00", 100),
        ("2024-07-01", "2024-06-30T23:00:00", 96),
    ],
)
def test_a_civil_day_is_asked_for_with_the_hours_that_it_has(
    store: SqlStore, day: str, begin: str, quarters: int
) -> None:
    home = put_home(store, timezone="Europe/Lisbon")
    source = Source(hourly(us(begin), *(400.0 + 40 * i for i in range(quarters // 4))))
    keep(store, Forecasts(store, source, Clock(begin)), "home1", day)
    assert source.asked == [("home1", us(begin), us(begin) + quarters * QUARTER_US)]
    expected = [100.0 + 10 * (i // 4) for i in range(quarters)]
    assert told(store, home, quarter(begin) - 1, quarters + 2) == [None, *expected, None]


def test_what_is_told_beyond_the_day_is_not_kept(store: SqlStore) -> None:
    """An hour that the day shares with its neighbours, as in Kolkata, is cut; what lies farther is left out."""
    home = put_home(store, timezone="Asia/Kolkata")
    source = Source(hourly(us("2023-01-19T15:00:00"), *[400.0] * 40))
    keep(store, Forecasts(store, source, Clock("2023-01-19")), "home1", "2023-01-20")
    begin = quarter("2023-01-19T18:30:00")
    assert told(store, home, begin - 1, 98) == [None, *[100.0] * 96, None]


def test_of_several_curves_each_has_its_step_and_the_later_one_wins(store: SqlStore) -> None:
    home, begin_us = put_home(store), us("2023-01-20")
    quarterly = PowerCurve(
        begin_us + np.arange(4, 8, dtype=np.int64) * QUARTER_US, np.array([4.0, 8, 12, 16]), QUARTER_US
    )
    source = Source(hourly(begin_us, 400.0, 400.0, 400.0), quarterly)
    keep(store, Forecasts(store, source, Clock("2023-01-19")), "home1", "2023-01-20")
    assert told(store, home, quarter("2023-01-20"), 13) == [100.0] * 4 + [1.0, 2.0, 3.0, 4.0] + [100.0] * 4 + [None]


def test_what_is_missing_of_a_curve_is_not_made_up(store: SqlStore) -> None:
    home, begin_us = put_home(store), us("2023-01-20")
    at_us = begin_us + np.array([0, 1, 3], np.int64) * HOUR_US
    source = Source(PowerCurve(at_us, np.array([400.0, 800.0, 1200.0]), HOUR_US))
    keep(store, Forecasts(store, source, Clock("2023-01-19")), "home1", "2023-01-20")
    expected = [100.0] * 4 + [200.0] * 4 + [None] * 4 + [300.0] * 4
    assert told(store, home, quarter("2023-01-20"), 16) == expected


def test_a_day_that_the_service_does_not_know_is_not_found(store: SqlStore) -> None:
    put_home(store)
    for source in (Source(), Source(hourly(us("2023-01-21"), 400.0, 400.0))):
        with pytest.raises(NotFound, match="knows no forecast of household home1"):
            Forecasts(store, source, Clock("2023-01-19")).prepare("home1", date(2023, 1, 20))


def test_a_forecast_of_nobody_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="nobody"):
        Forecasts(store, Source(), Clock("2023-01-19")).prepare("nobody", date(2023, 1, 20))


# --- issues -----------------------------------------------------------------------------------------------------------


def test_a_later_issue_does_not_overwrite_an_earlier_one(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2023-01-20")
    put_issue(store, home, {first: 1.0, first + 1: 2.0}, "2023-01-18T10:00:00")
    put_issue(store, home, {first: 3.0, first + 1: 4.0}, "2023-01-19T10:00:00")
    assert told(store, home, first, 2) == [3.0, 4.0]
    assert told(store, home, first, 2, "2023-01-19T10:00:00") == [3.0, 4.0]
    assert told(store, home, first, 2, "2023-01-19T09:59:59") == [1.0, 2.0]
    assert told(store, home, first, 2, "2023-01-18T09:59:59") == [None, None]


def test_issues_that_come_in_another_order_are_told_alike(store: SqlStore) -> None:
    one, other, first = put_home(store, "one"), put_home(store, "other"), quarter("2023-01-20")
    issues = [({first: float(i), first + i: 10.0 + i}, f"2023-01-{10 + i}") for i in range(5)]
    for told_wh, issued in issues:
        put_issue(store, one, told_wh, issued)
    for told_wh, issued in reversed(issues):
        put_issue(store, other, told_wh, issued)
    assert told(store, one, first, 6) == told(store, other, first, 6) == [4.0, 11.0, 12.0, 13.0, 14.0, None]


def test_of_each_quarter_the_newest_issue_that_says_something_counts(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2023-01-20")
    put_issue(store, home, {first + i: 1.0 for i in range(60)}, "2023-01-18")
    put_issue(store, home, {first + i: 2.0 for i in range(40, 120)}, "2023-01-19")
    put_issue(store, home, {first + 50: 3.0, first + 52: 3.0}, "2023-01-20")
    expected = [1.0] * 40 + [2.0] * 10 + [3.0, 2.0, 3.0] + [2.0] * 67 + [None]
    assert told(store, home, first, 121) == expected


def test_what_one_source_issued_at_one_instant_stays_as_it_is(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2023-01-20")
    put_issue(store, home, {first: 1.0}, "2023-01-19")
    put_issue(store, home, {first: 2.0}, "2023-01-19")
    assert told(store, home, first, 1) == [1.0]


def test_sources_are_told_apart(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2023-01-20")
    for i, source in enumerate((OURS, SERVICE, MOCK)):
        put_issue(store, home, {first: float(i)}, f"2023-01-1{i}", source)
    assert [told(store, home, first, 1, source=source) for source in (OURS, SERVICE, MOCK)] == [[0.0], [1.0], [2.0]]
    assert told(store, home, first, 1, "2023-01-11", MOCK) == [None]
    assert told(store, home, first, 1) == [2.0]


def test_homes_are_told_apart(store: SqlStore) -> None:
    one, other, first = put_home(store, "one"), put_home(store, "other"), quarter("2023-01-20")
    put_issue(store, one, {first: 1.0}, "2023-01-19")
    assert told(store, other, first, 1) == [None]


def test_an_erased_home_leaves_no_forecasts(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2023-01-20")
    put_issue(store, home, {first: 1.0}, "2023-01-19")
    bootstrap.households_of(store).delete("home1")
    with store.reading() as view:
        assert view.forecasts(home.household_no, "energy_import", 0, 10**6, 2**62) == []


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_home_that_is_erased_while_its_forecast_is_fetched_gets_none(store: SqlStore, made_anew: bool) -> None:
    home = put_home(store)
    source = Source(hourly(us("2023-01-20"), 400.0, 400.0))
    work = Forecasts(store, source, Clock("2023-01-19")).prepare("home1", date(2023, 1, 20))
    bootstrap.households_of(store).delete("home1")
    if made_anew:
        put_home(store)
    with pytest.raises(NotFound), store.writing() as view:
        work(view)
    with store.reading() as view:
        assert view.forecasts(home.household_no, "energy_import", 0, 10**6, 2**62) == []


ZONES = ("UTC", "Europe/Lisbon", "Atlantic/Azores", "Asia/Kolkata", "Pacific/Auckland", "America/Lima")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", [date(2024, 7, 1), date(2024, 3, 31), date(2024, 10, 27)])
def test_a_day_whose_neighbours_are_forecast_lacks_a_forecast(store: SqlStore, zone: str, day: date) -> None:
    home = put_home(store, timezone=zone)
    for ahead in (-1, 1):
        start_us, end_us = civil_day(day + timedelta(days=ahead), zone)
        put_issue(store, home, dict.fromkeys(range(start_us // QUARTER_US, end_us // QUARTER_US), 1.0), "2024-01-01")
    days = [day + timedelta(days=ahead) for ahead in range(-2, 3)]
    with store.reading() as view:
        assert lacking(view, [(home, one) for one in days]) == [True, False, True, False, True]
        assert lacking(view, []) == []


def test_of_many_homes_each_is_looked_at_by_its_own_zone(store: SqlStore) -> None:
    homes = [put_home(store, f"home{i}", timezone=zone) for i, zone in enumerate(ZONES)]
    put_issue(store, homes[1], {quarter("2024-07-01T22:45:00"): 1.0}, "2024-01-01")  # the last of the day in Lisbon
    put_issue(store, homes[2], {quarter("2024-07-01T22:45:00"): 1.0}, "2024-01-01")
    put_issue(store, homes[3], {quarter("2024-07-01T18:30:00"): 1.0}, "2024-01-01")  # the first of the 2nd in Kolkata
    with store.reading() as view:
        found = lacking(view, [(home, date(2024, 7, 1)) for home in homes])
    assert found == [True, False, False, True, True, True]


# --- made here --------------------------------------------------------------------------------------------------------


def test_after_one_day_that_day_is_told_again(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-06")
    taken = measure(store, "home1", first, QUARTERS_PER_DAY)
    forecasts = Forecasts(store, None, Clock("2024-05-07"))
    keep(store, forecasts, "home1", "2024-05-07")
    found = told(store, home, first + 96, 97, source=OURS)
    assert found[-1] is None
    assert sum(one or 0 for one in found) == pytest.approx(sum(taken.values()), rel=1e-6)
    assert found[:-1] == pytest.approx(list(taken.values()), rel=1e-6)


def test_a_forecast_knows_nothing_of_what_is_measured_after_its_issue(store: SqlStore) -> None:
    home, other, first = put_home(store), put_home(store, "other"), quarter("2024-05-06")
    for one, count in (("home1", 10 * 96), ("other", 7 * 96 + 37)):
        measure(store, one, first, count)
    at = us("2024-05-13") + 37 * QUARTER_US
    for one in ("home1", "other"):
        Forecasts(store, None, Clock("2024-06-01")).make(one, date(2024, 5, 14), issued_us=at)
    days = (first + 8 * 96, 96)
    assert told(store, home, *days) == told(store, other, *days)
    assert None not in told(store, home, *days)


@pytest.mark.parametrize("kind", list(Kind))
def test_it_is_made_from_whatever_tells_what_was_taken(store: SqlStore, kind: Kind) -> None:
    home, first = put_home(store), quarter("2024-05-06")
    measure(store, "home1", first, 3 * 96, lambda _: 100.0, kind=kind)
    Forecasts(store, None, Clock("2024-05-09")).make("home1", date(2024, 5, 9))
    assert sum(one or 0 for one in told(store, home, first + 3 * 96, 96)) == pytest.approx(9600, rel=0.01)


@pytest.mark.parametrize("count", [0, 95])
def test_of_less_than_a_day_nothing_is_made(store: SqlStore, count: int) -> None:
    put_home(store)
    if count:
        measure(store, "home1", quarter("2024-05-07") - count, count)
    forecasts = Forecasts(store, None, Clock("2024-05-07"))
    with pytest.raises(NotFound, match="too little was measured of household home1"):
        forecasts.make("home1", date(2024, 5, 7))
    with pytest.raises(NotFound, match="too little"):
        forecasts.prepare("home1", date(2024, 5, 7))


@pytest.mark.parametrize(
    "day", ["1970-01-01", "2200-12-31", "2011-12-30", "2034-01-01"], ids=["first", "last", "skipped in Apia", "far"]
)
def test_a_day_without_a_past_is_refused_and_does_not_fail(store: SqlStore, day: str) -> None:
    put_home(store, timezone="Pacific/Apia")
    measure(store, "home1", quarter("2024-05-06"), 96)
    with pytest.raises((NotFound, BadInput)):
        Forecasts(store, None, Clock("2024-05-07")).make("home1", date.fromisoformat(day))


@pytest.mark.parametrize(("day", "quarters"), [("2024-03-31", 92), ("2024-10-27", 100)])
def test_a_day_on_which_the_clock_changes_is_forecast_with_the_hours_that_it_has(
    store: SqlStore, day: str, quarters: int
) -> None:
    home = put_home(store, timezone="Europe/Lisbon")
    begin_us, end_us = civil_day(date.fromisoformat(day), "Europe/Lisbon")
    measure(store, "home1", begin_us // QUARTER_US - 15 * 96, 15 * 96)
    issue = Forecasts(store, None, lambda: begin_us).make("home1", date.fromisoformat(day))
    assert len(issue.energy_milliwh) == quarters == (end_us - begin_us) // QUARTER_US
    found = told(store, home, begin_us // QUARTER_US - 1, quarters + 2)
    assert [i for i, one in enumerate(found) if one is None] == [0, quarters + 1]


def test_estimated_quarters_are_known_and_not_measured(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-06")
    taken = measure(store, "home1", first, 96, every=8)
    with store.reading() as view:
        known = measured_quarters(view, home, first - 1, 98)
        measured = measured_quarters(view, home, first - 1, 98, with_estimated=False)
    assert sum(one or 0 for one in in_wh(known.tolist())) == pytest.approx(sum(taken.values()))
    assert np.isnan(known).sum() == 2
    assert np.isnan(measured).all()


# --- the event --------------------------------------------------------------------------------------------------------


def test_an_event_names_a_household_and_a_date(store: SqlStore) -> None:
    home = put_home(store)
    source = Source(hourly(us("2023-01-20"), 400.0, 400.0))
    handler = ForecastHandler(Forecasts(store, source, Clock("2023-01-19")))
    for day in ("2023-01-20", "2023-01-20T12:00:00Z", "2023-01-20T23:00:00-05:00"):
        work = handler({"user_id": "home1", "forecast_date": day, "more": 1})
        with store.writing() as view:
            work(view)
    assert {asked[1] for asked in source.asked} == {us("2023-01-20")}
    assert told(store, home, quarter("2023-01-20"), 9) == [*[100.0] * 8, None]


def test_the_same_event_twice_makes_one_issue(store: SqlStore) -> None:
    home, clock = put_home(store), Clock("2023-01-19")
    handler = ForecastHandler(Forecasts(store, Source(hourly(us("2023-01-20"), 400.0, 400.0)), clock))
    inbox = Inbox(store, {FORECAST_COMPUTED: handler}, clock, Backoff(1, 1, 60), message_of)
    payload = {"user_id": "home1", "forecast_date": "2023-01-20"}
    outcomes = []
    for hour, event_id in ((1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "b")):
        clock.set(f"2023-01-19T{hour:02d}:00:00")
        outcomes.append(inbox.take(Message(event_id, FORECAST_COMPUTED, "home1", payload, b"", "test")))
    assert outcomes == [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.HANDLED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    with store.reading() as view:
        issued = [row.issued_us for row in view.forecasts(home.household_no, "energy_import", 0, 10**6, 2**62)]
    assert issued == [us("2023-01-19T01:00:00"), us("2023-01-19T03:00:00")]


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        ({}, ["user_id", "forecast_date"]),
        ({"user_id": 7, "forecast_date": None}, ["user_id", "forecast_date"]),
        ({"user_id": "home1", "forecast_date": "someday"}, ["forecast_date"]),
        ({"user_id": "home1", "forecast_date": "2023-02-30"}, ["forecast_date"]),
        ({"user_id": "home1", "forecast_date": "1969-12-31"}, ["forecast_date"]),
    ],
)
def test_an_event_that_can_not_be_is_refused_with_all_faults(
    store: SqlStore, payload: dict[str, object], where: list[str]
) -> None:
    put_home(store)
    with pytest.raises(BadInput) as refused:
        ForecastHandler(Forecasts(store, Source(), Clock("2023-01-19")))(payload)
    assert [one.where for one in refused.value.faults] == where


def test_a_service_that_is_down_stays_so_to_its_caller(store: SqlStore) -> None:
    class Down:
        def fetch(self, household: str, start_us: int, end_us: int) -> Sequence[PowerCurve]:
            raise Unavailable("the forecast service can't be reached")

    put_home(store)
    with pytest.raises(Unavailable):
        Forecasts(store, Down(), Clock("2023-01-19")).prepare("home1", date(2023, 1, 20))


# --- accuracy, beside a computation of its own ------------------------------------------------------------------------


def figures(
    pairs: Sequence[tuple[float, float, float | None]], training: dict[int, float], season: int = 96
) -> dict[str, float | int | None]:
    """The figures of (forecast, measured, persistence) in Wh, in plain Python by the textbook."""
    errors = [told - measured for told, measured, _ in pairs]
    three = [(told - measured, was - measured) for told, measured, was in pairs if was is not None]
    naive = [abs(one - training[i - season]) for i, one in training.items() if i - season in training]
    rmse = math.sqrt(sum(e * e for e in errors) / len(errors))
    mae = sum(map(abs, errors)) / len(errors)
    return {
        "quarters": len(errors),
        "mae_wh": mae,
        "rmse_wh": rmse,
        "bias_wh": sum(errors) / len(errors),
        "nrmse_mean": rmse / (sum(measured for _, measured, _ in pairs) / len(pairs)),
        "mase": mae / (sum(naive) / len(naive)) if naive else None,
        "season_quarters": season,
        "skill_quarters": len(three),
        "skill_mae": 1 - sum(abs(e) for e, _ in three) / sum(abs(p) for _, p in three),
        "skill_rmse": 1 - math.sqrt(sum(e * e for e, _ in three) / sum(p * p for _, p in three)),
    }


def same(found: Accuracy, expected: dict[str, float | int | None]) -> None:
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-9)


def yesterday(zone: str) -> Callable[[int], int]:
    """The quarter at the same wall time of the civil day before, for wall times that are neither skipped nor told
    twice."""

    def before(number: int) -> int:
        wall = datetime.fromtimestamp(number * 900, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return round((wall - timedelta(days=1)).replace(tzinfo=ZoneInfo(zone)).timestamp()) // 900

    return before


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", "2024-05-10"),
        ("Europe/Lisbon", "2024-03-29"),
        ("Europe/Lisbon", "2024-10-24"),
        ("Asia/Kolkata", "2024-05-10"),
    ],
)
def test_the_figures_are_those_of_the_textbook(store: SqlStore, zone: str, start: str) -> None:
    """Six days, each forecast two days and a quarter of a day ahead; the clock changes in the middle of some."""
    home = put_home(store, timezone=zone)
    first = quarter(start)
    taken = measure(store, "home1", first - 20 * 96, 26 * 96)
    issued, told_wh = [], {}
    for i in range(6):
        for hours in (48, 6):
            at_us = us(start) + i * DAY_US - hours * HOUR_US
            quarters = range(first + i * 96, first + (i + 1) * 96)
            told_wh = {number: float((number * 31 + hours) % 300) for number in quarters}
            issued.append((at_us, told_wh))
            put_issue(store, home, told_wh, str(np.datetime64(at_us, "us")))
    found = judge(store, "home1", first * QUARTER_US, (first + 6 * 96) * QUARTER_US, Choice())
    training = {i: wh for i, wh in taken.items() if i < first}
    before = yesterday(zone)
    rows = [
        (number * QUARTER_US - at_us, told_wh[number], taken[number], taken.get(before(number)))
        for at_us, told_wh in issued
        for number in told_wh
    ]
    same(found.overall, figures([row[1:] for row in rows], training))
    edges = [0, 6, 12, 24, 48]
    assert [(one.from_h, one.to_h) for one in found.by_horizon] == [(0, 6), (6, 12), (12, 24), (24, 48), (48, None)]
    for from_h, to_h, band in zip(edges, [*edges[1:], 10**6], found.by_horizon, strict=True):
        of_band = [row[1:] for row in rows if from_h * HOUR_US <= row[0] < to_h * HOUR_US]
        if of_band:
            same(band.accuracy, figures(of_band, training))
        else:
            assert band.accuracy.quarters == 0


def test_only_what_was_issued_before_its_quarter_counts(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-10")
    taken = measure(store, "home1", first - 3 * 96, 4 * 96)
    put_issue(store, home, {first + i: 0.0 for i in range(96)}, "2024-05-10T12:00:00")
    found = judge(store, "home1", us("2024-05-10"), us("2024-05-11"), Choice())
    assert found.overall.quarters == 48
    assert found.overall.bias_wh == pytest.approx(-sum(taken[first + i] for i in range(48, 96)) / 48)
    put_issue(store, home, {first + i: 0.0 for i in range(96)}, "2024-05-11")
    assert judge(store, "home1", us("2024-05-10"), us("2024-05-11"), Choice()) == found


def test_only_quarters_that_are_measured_as_a_whole_and_lie_in_the_range_count(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-10")
    measure(store, "home1", first - 96, 96 + 20)
    put_issue(store, home, {first + i: 0.0 for i in range(96)}, "2024-05-09")
    for start, end, quarters in (
        ("2024-05-10", "2024-05-11", 20),
        ("2024-05-10T00:00:01", "2024-05-10T02:59:59", 10),
        ("2024-05-10T01:00:00", "2024-05-10T01:14:59", 0),
        ("2024-05-10T06:00:00", "2024-05-20", 0),
    ):
        assert judge(store, "home1", us(start), us(end), Choice()).overall.quarters == quarters


def test_a_straight_line_through_a_gap_judges_no_forecast(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-10")
    measure(store, "home1", first - 96, 2 * 96, every=12)
    put_issue(store, home, {first + i: 100.0 for i in range(96)}, "2024-05-09")
    assert judge(store, "home1", us("2024-05-10"), us("2024-05-11"), Choice()).overall.quarters == 0


def test_without_forecasts_or_without_readings_all_is_unknown(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-10")
    for fill in (lambda: None, lambda: put_issue(store, home, {first: 1.0}, "2024-05-09")):
        fill()
        for start, end in (("2024-05-10", "2024-05-11"), ("1970-01-01", "1970-01-02"), ("2200-01-01", "2200-12-31")):
            found = judge(store, "home1", us(start), us(end), Choice())
            for one in (found.overall, *(band.accuracy for band in found.by_horizon)):
                assert (one.quarters, one.mae_wh, one.rmse_wh, one.skill_mae) == (0, None, None, None)


def test_a_choice_of_source_or_of_time_is_judged_alone(store: SqlStore) -> None:
    home, first = put_home(store), quarter("2024-05-10")
    taken = measure(store, "home1", first - 96, 2 * 96)
    day = range(first, first + 96)
    put_issue(store, home, {i: taken[i] + 1 for i in day}, "2024-05-08", OURS)
    put_issue(store, home, {i: taken[i] + 2 for i in day}, "2024-05-09", SERVICE)
    range_us = (us("2024-05-10"), us("2024-05-11"))

    def bias(choice: Choice) -> float | None:
        return judge(store, "home1", *range_us, choice).overall.bias_wh

    assert bias(Choice()) == pytest.approx(1.5)
    assert bias(Choice(source=OURS)) == pytest.approx(1)
    assert bias(Choice(source=SERVICE)) == pytest.approx(2)
    assert bias(Choice(until_us=us("2024-05-08"))) == pytest.approx(1)
    assert bias(Choice(until_us=us("2024-05-08"), source=SERVICE)) is None


def test_nobodys_forecasts_are_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="nobody"):
        judge(store, "nobody", 0, DAY_US, Choice())


def test_the_pattern_of_these_tests_is_not_that_of_the_day_before() -> None:
    """Else persistence would be perfect, and skill would divide by nothing."""
    assert sum(taken_wh(i) != taken_wh(i + 96) for i in range(1000)) > 900
