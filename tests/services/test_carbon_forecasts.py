"""Carbon forecasts of a day: what is fetched and when, what is answered while a source is down, what completes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from generation_documents import document, flat
from hypothesis import given
from hypothesis import strategies as st
from measured import HOUR_US, Clock, open_store, put_home, us
from upstream_server import UpstreamServer, wait_until

from statistics_manager_service.core.civil import instant_us
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.errors import NotFound, StatisticsError, Unavailable
from statistics_manager_service.feeds.electricity_maps import ElectricityMaps
from statistics_manager_service.feeds.entsoe_generation import EntsoeMix
from statistics_manager_service.feeds.neso import Neso
from statistics_manager_service.feeds.sentinel import Sentinel
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.carbon.carbon import (
    OF_THE_PAST,
    UNKNOWN,
    CarbonForecasts,
    HourForecast,
    IntensitySource,
    time_zone_of,
)
from statistics_manager_service.services.carbon.carbon_rows import IntensityRow, IntensitySeries, Method
from statistics_manager_service.services.carbon.fetching import Fetching
from statistics_manager_service.services.carbon.intensities import Kept, ToldIntensity, intensity_quarters, keep
from statistics_manager_service.storage.database import SqlStore

SENTINEL, MAPS = "/data/inesctec/forecast/co2-intensity", "/v3/carbon-intensity/forecast"
DAY = date(2024, 5, 10)
MIDNIGHT = us("2024-05-09T23:00:00")  # of that day in Lisbon
NOON = "2024-05-10T12:00:00"
TTL_S = 3600.0


@pytest.fixture
def store(embedded_url: str) -> Iterator[SqlStore]:
    """The embedded store."""
    made = open_store(embedded_url)
    yield made
    made.close()


@pytest.fixture
def each_store(database_url: str) -> Iterator[SqlStore]:
    """A store of each kind."""
    made = open_store(database_url)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[UpstreamServer]:
    with UpstreamServer() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


def records(first_us: int, values: Sequence[Any], request: str = "2024-05-09T17:00:00Z") -> dict[str, Any]:
    told = [
        {"datetime": iso_label(first_us + i * HOUR_US), "request": request, "value": one, "unit": "gCO2eq/kWh",
         "quality": "good", "updated_at": request}
        for i, one in enumerate(values)
    ]  # fmt: skip
    return {"data": told, "next_url": None}


def sentinel_of(server: UpstreamServer, **more: Any) -> Sentinel:
    made = Upstream("the sentinel API", server.url, **{"timeout_s": 1, "attempts": 1, "failures": 1000, **more})
    return Sentinel(made, server.url)


def carbon(
    store: SqlStore, source: IntensitySource | None, clock: Callable[[], int], ttl_s: float = TTL_S
) -> CarbonForecasts:
    return CarbonForecasts(store, source, "PT", ttl_s, clock)


def values(hours: Sequence[HourForecast]) -> list[float | None]:
    return [one.value_g_per_kwh for one in hours]


def put(
    store: SqlStore, first_us: int, grams: Sequence[float | None], issued: str, *, zone: str = "PT",
    source: str = "uploaded", kind: str = "forecast", method: Method | None = None, length_us: int = HOUR_US,
) -> Kept:  # fmt: skip
    told = [
        ToldIntensity(first_us + i * length_us, length_us, round(one * 1000), kind, us(issued))
        for i, one in enumerate(grams)
        if one is not None
    ]
    with store.writing() as view:
        return keep(view, zone, source, method or Method(), told, us(issued))


def put_past(store: SqlStore, days: int, grams: Callable[[int, int], float], last: date = DAY, **more: Any) -> None:
    """Measured hours of the civil days of Lisbon before one: grams by the days before, and the hour of the clock."""
    for before in range(1, days + 1):
        day = date.fromordinal(last.toordinal() - before)
        start, end = (instant_us("Europe/Lisbon", date.fromordinal(day.toordinal() + i)) for i in (0, 1))
        put(store, start, [grams(before, i) for i in range((end - start) // HOUR_US)], "2024-03-01",
            kind="measured", **more)  # fmt: skip


# --- a day ------------------------------------------------------------------------------------------------------------


def test_a_day_is_fetched_and_answered_hour_by_hour(each_store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100 + i for i in range(24)]))
    found = carbon(each_store, sentinel_of(server), clock).day("PT", DAY)
    issued = us("2024-05-09T17:00:00")
    assert found == [HourForecast(MIDNIGHT + i * HOUR_US, 100 + i, issued, issued, "good") for i in range(24)]
    (request,) = server.requests
    assert (request.query["start_date"], request.query["end_date"]) == ("2024-05-09T23:00:00Z", "2024-05-10T23:00:00Z")


@pytest.mark.parametrize(("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (DAY, 24)])
def test_a_day_has_the_hours_of_its_zone(store: SqlStore, server: UpstreamServer, day: date, hours: int) -> None:
    start = instant_us("Europe/Lisbon", day)
    server.answers(SENTINEL, records(start - 5 * HOUR_US, [50 + i for i in range(40)], f"{day}T01:00:00Z"))
    found = carbon(store, sentinel_of(server), Clock(f"{day}T06:00:00")).day("PT", day)
    assert [one.start_us for one in found] == [start + i * HOUR_US for i in range(hours)]
    assert values(found) == [55 + i for i in range(hours)]


def test_another_time_zone_makes_another_day(store: SqlStore, clock: Clock) -> None:
    put(store, MIDNIGHT - 24 * HOUR_US, [float(i) for i in range(72)], NOON)
    asked = carbon(store, None, clock)
    assert asked.day("PT", DAY, "UTC")[0].start_us == MIDNIGHT + HOUR_US
    half = asked.day("PT", DAY, "Asia/Kolkata")
    assert half[0].start_us == us("2024-05-09T18:30:00")
    assert half[0].value_g_per_kwh == pytest.approx(19.5), "half of one hour and half of the next"


@pytest.mark.parametrize(("zone", "named"), [("PT", "Europe/Lisbon"), ("DK-DK1", "Europe/Copenhagen"), ("XX", "UTC")])
def test_a_zone_has_the_time_of_its_country(zone: str, named: str) -> None:
    assert time_zone_of(zone) == named


def test_half_hours_are_averaged_to_hours(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    at = [iso_label(MIDNIGHT + i * 2 * QUARTER_US)[:16] + "Z" for i in range(97)]
    slots = [
        {"from": at[i], "to": at[i + 1], "intensity": {"forecast": 100 + i, "actual": None, "index": "low"}}
        for i in range(96)
    ]
    server.answers("/intensity/2024-05-09T23:00Z/fw48h", {"data": slots})
    source = Neso(Upstream("NESO", server.url, attempts=1))
    found = carbon(store, source, clock).day("GB", DAY)
    assert values(found) == [100.5 + 2 * i for i in range(24)]
    assert {one.quality for one in found} == {"forecast"}
    assert {one.issued_us for one in found} == {clock()}


def test_of_a_generation_mix_the_hours_so_far_are_told_and_the_others_by_the_past(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    put_past(store, 4, lambda before, hour: 10.0 * before + hour, source="entsoe",
             method=Method(scope="production"))  # fmt: skip
    told = {"begin": "2024-05-09T23:00Z", "end": "2024-05-10T11:00Z"}
    server.answers("/api", document(flat("B04", 100, 12, **told), flat("B19", 300, 12, **told)))
    source = EntsoeMix(Upstream("ENTSO-E", server.url, attempts=1), server.url + "/api", "secret", "lifecycle")
    found = carbon(store, source, clock).day("PT", DAY)
    assert values(found) == [(490 + 3 * 11) / 4] * 12 + [25.0 + hour for hour in range(12, 24)]
    assert [one.quality for one in found] == ["measured, factors ipcc-ar5-lifecycle"] * 12 + [OF_THE_PAST] * 12


def test_of_mixed_runs_the_latest_wins_and_each_is_kept(
    each_store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    late = records(MIDNIGHT + 12 * HOUR_US, [7] * 12, "2024-05-10T05:00:00Z")["data"]
    early = records(MIDNIGHT, [100] * 24)["data"]
    server.answers(SENTINEL, {"data": [*late, *early]})
    found = carbon(each_store, sentinel_of(server), clock).day("PT", DAY)
    assert values(found) == [100] * 12 + [7] * 12
    assert {one.issued_us for one in found[12:]} == {us("2024-05-10T05:00:00")}
    with each_store.reading() as view:
        (series,) = view.intensity_series("PT")
        then = intensity_quarters(view, series, MIDNIGHT, MIDNIGHT + 24 * HOUR_US, until_us=us("2024-05-10T04:59:59"))
    assert set(then.value_g_per_kwh.tolist()) == {100}


# --- what is not known ------------------------------------------------------------------------------------------------


def test_hours_that_are_lacking_are_told_by_the_past_and_marked(
    each_store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    put_past(each_store, 4, lambda before, hour: 10.0 * before + hour, source="sentinel")
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 6 + [None] * 18))
    found = carbon(each_store, sentinel_of(server), clock).day("PT", DAY)
    assert values(found) == [100] * 6 + [25.0 + hour for hour in range(6, 24)]
    assert [one.quality for one in found] == ["good"] * 6 + [OF_THE_PAST] * 18
    assert {one.issued_us for one in found[6:]} == {clock()}


def test_two_days_are_too_few_to_tell_an_hour(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    put_past(store, 2, lambda _, hour: 10.0 + hour, source="sentinel")
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 6))
    found = carbon(store, sentinel_of(server), clock).day("PT", DAY)
    assert values(found) == [100] * 6 + [None] * 18
    assert found[6] == HourForecast(MIDNIGHT + 6 * HOUR_US, None, None, None, UNKNOWN)


def test_days_of_more_than_four_weeks_ago_tell_nothing(store: SqlStore, clock: Clock) -> None:
    put_past(store, 10, lambda *_: 10.0, last=date(2024, 4, 12))
    with pytest.raises(NotFound, match="no carbon forecast of PT is known for 2024-05-10"):
        carbon(store, None, clock).day("PT", DAY)
    put_past(store, 5, lambda *_: 10.0, last=date(2024, 4, 15))
    assert values(carbon(store, None, clock).day("PT", DAY)) == [10.0] * 24


@pytest.mark.parametrize(("day", "hours"), [(date(2024, 3, 31), 23), (date(2024, 10, 27), 25)])
def test_the_past_goes_by_the_clock_on_days_of_other_lengths(store: SqlStore, day: date, hours: int) -> None:
    put_past(store, 5, lambda _, hour: float(hour), last=day)
    found = values(carbon(store, None, Clock(f"{day}T12:00:00")).day("PT", day))
    by_clock = [hour for hour in range(24) for _ in range({(31, 1): 0, (27, 1): 2}.get((day.day, hour), 1))]
    assert found == by_clock
    assert len(found) == hours


def test_yesterday_never_stands_under_the_name_of_today(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    server.answers(SENTINEL, records(MIDNIGHT - 24 * HOUR_US, [100] * 24))
    with pytest.raises(NotFound):
        carbon(store, sentinel_of(server), clock).day("PT", DAY)


def test_methods_are_never_mixed(each_store: SqlStore, clock: Clock) -> None:
    put(each_store, MIDNIGHT, [100.0] * 6, NOON)
    put(each_store, MIDNIGHT, [1.0] * 24, NOON, method=Method(boundary="direct"))
    put(each_store, MIDNIGHT, [2.0] * 24, NOON, method=Method(basis="marginal"))
    assert values(carbon(each_store, None, clock).day("PT", DAY)) == [100] * 6 + [None] * 18
    put(each_store, MIDNIGHT, [3.0] * 24, NOON, zone="ES", method=Method(basis="marginal"))
    with pytest.raises(NotFound):
        carbon(each_store, None, clock).day("ES", DAY, "Europe/Lisbon")


def test_an_uploaded_series_answers_where_the_source_knows_nothing(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    put(store, MIDNIGHT, [5.0] * 24, NOON)
    server.answers(SENTINEL, records(MIDNIGHT, []))
    asked = carbon(store, sentinel_of(server), clock, 0)
    assert values(asked.day("PT", DAY)) == [5.0] * 24
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    assert values(asked.day("PT", DAY)) == [100] * 24


def test_an_hour_without_a_forecast_is_told_by_what_was_measured(store: SqlStore, clock: Clock) -> None:
    put(store, MIDNIGHT, [10.0] * 12, NOON, kind="measured")
    put(store, MIDNIGHT + 6 * HOUR_US, [20.0] * 18, "2024-05-01")
    found = carbon(store, None, clock).day("PT", DAY)
    assert values(found) == [10.0] * 6 + [20.0] * 18
    assert [one.quality for one in found] == ["measured"] * 6 + ["forecast"] * 18


@pytest.mark.parametrize("told", [None, "ES", "ten", ""])
def test_the_zone_is_the_households_if_it_has_one(store: SqlStore, clock: Clock, told: str | None) -> None:
    put_home(store, "home1", **({"zone": told} if told else {}))
    asked = carbon(store, None, clock)
    assert asked.zone_for("home1") == ("ES" if told == "ES" else "PT")
    assert (asked.zone_for(None), asked.zone_for("nobody")) == ("PT", "PT")


# --- a source in trouble ----------------------------------------------------------------------------------------------

TROUBLE: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "401": {"status": 401},
    "late": {"delay_s": 1.5},
    **{way: {"way": way} for way in ("silent", "truncated", "malformed", "wrong shape", "closed", "garbage", "drip")},
}


def in_trouble(server: UpstreamServer, how: str) -> None:
    if how == "down":
        server.goes_down()
    elif how == "nonsense":
        server.answers(SENTINEL, records(MIDNIGHT, [100] * 23 + [-1]))
    else:
        server.fails(**TROUBLE[how])


@pytest.mark.parametrize("how", ["down", "nonsense", *TROUBLE])
def test_a_source_in_trouble_with_nothing_known_is_unavailable_and_leaves_nothing_behind(
    store: SqlStore, server: UpstreamServer, clock: Clock, how: str
) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    in_trouble(server, how)
    with pytest.raises(Unavailable, match="the carbon forecast can't be fetched: the sentinel API") as told:
        carbon(store, sentinel_of(server, timeout_s=0.5), clock).day("PT", DAY)
    assert told.value.retry_after_s > 0
    with store.reading() as view:
        assert view.intensity_series("PT") == []


@pytest.mark.parametrize("how", ["down", "nonsense", *TROUBLE])
def test_what_is_stored_is_answered_while_a_source_is_in_trouble(
    store: SqlStore, server: UpstreamServer, clock: Clock, how: str
) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    asked = carbon(store, sentinel_of(server, timeout_s=0.5), clock)
    before = asked.day("PT", DAY)
    clock.now_us += 2 * HOUR_US
    in_trouble(server, how)
    assert asked.day("PT", DAY) == before
    assert before[0].issued_us == us("2024-05-09T17:00:00"), "it says how old it is"


def test_the_past_answers_while_a_source_is_down(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    put_past(store, 3, lambda _, hour: float(hour))
    server.goes_down()
    found = carbon(store, sentinel_of(server), clock).day("PT", DAY)
    assert values(found) == [float(hour) for hour in range(24)]
    assert {one.quality for one in found} == {OF_THE_PAST}


def test_a_source_that_declines_knows_nothing(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    with pytest.raises(NotFound, match="status 404"):
        carbon(store, sentinel_of(server), clock).day("PT", DAY)


def test_another_refusal_is_a_fault_of_the_settings_and_no_answer(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    server.fails(status=405)
    with pytest.raises(Unavailable, match="status 405"):
        carbon(store, sentinel_of(server), clock).day("PT", DAY)


def test_a_source_is_not_asked_for_a_zone_that_it_does_not_know(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    with pytest.raises(NotFound):
        carbon(store, sentinel_of(server), clock).day("ES", DAY)
    assert server.requests == []


def test_a_forecast_of_the_future_is_nonsense(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24, "2124-05-09T17:00:00Z"))
    with pytest.raises(Unavailable, match="issued in the future"):
        carbon(store, sentinel_of(server), clock).day("PT", DAY)


# --- when it is fetched -----------------------------------------------------------------------------------------------


def test_a_day_is_fetched_again_after_a_while_alone(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    asked = carbon(store, sentinel_of(server), clock)
    for after_s, requests, value in ((0, 1, 100), (3599, 1, 100), (1, 2, 7), (0, 2, 7)):
        clock.now_us += after_s * 1_000_000
        assert set(values(asked.day("PT", DAY))) == {value}
        assert len(server.requests) == requests
        server.answers(SENTINEL, records(MIDNIGHT, [7] * 24, "2024-05-10T09:00:00Z"))
    with pytest.raises(NotFound):
        asked.day("PT", date(2024, 5, 11))
    assert len(server.requests) == 3, "each day for itself"


def test_a_failure_counts_for_moments(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    server.fails(status=500)
    asked = carbon(store, sentinel_of(server), clock)
    for _ in range(5):
        with pytest.raises(Unavailable):
            asked.day("PT", DAY)
    assert len(server.requests) == 1
    server.recovers()
    clock.now_us += 3600 * 1_000_000
    assert set(values(asked.day("PT", DAY))) == {100}


def test_a_day_that_is_over_and_known_is_not_fetched_again(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    clock.set("2024-05-20")
    for ttl_s in (0, 0, 1):
        assert set(values(carbon(store, sentinel_of(server), clock, ttl_s).day("PT", DAY))) == {100}
    assert len(server.requests) == 1


def test_what_a_source_can_not_know_is_not_asked_for(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    maps = ElectricityMaps(Upstream("Electricity Maps", server.url, attempts=1))
    asked = [(sentinel_of(server), "ES", DAY), (sentinel_of(server), "PT", date(2024, 7, 1)),
             (maps, "PT", date(2024, 5, 8))]  # fmt: skip
    for source, zone, day in asked:
        with pytest.raises(NotFound):
            carbon(store, source, clock).day(zone, day)
    assert server.requests == []


def test_electricity_maps_is_asked_once_for_all_days(store: SqlStore, server: UpstreamServer, clock: Clock) -> None:
    told = [{"carbonIntensity": 100 + i, "datetime": iso_label(MIDNIGHT + i * HOUR_US)} for i in range(72)]
    server.answers(MAPS, {"zone": "PT", "forecast": told, "updatedAt": "2024-05-10T11:00:00Z"})
    asked = carbon(store, ElectricityMaps(Upstream("Electricity Maps", server.url)), clock)
    for i in range(3):
        assert values(asked.day("PT", date(2024, 5, 10 + i))) == [100 + 24 * i + hour for hour in range(24)]
    assert len(server.requests) == 1


@pytest.mark.parametrize("well", [True, False])
def test_a_herd_fetches_once(each_store: SqlStore, server: UpstreamServer, clock: Clock, well: bool) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    server.fails(delay_s=0.4, status=None if well else 500)
    asked = carbon(each_store, sentinel_of(server, timeout_s=5), clock)

    def outcome(_: int) -> object:
        try:
            return set(values(asked.day("PT", DAY)))
        except Unavailable as error:
            return error.status

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(outcome, range(20))) == [{100} if well else 503] * 20
    assert len(server.requests) == 1


def test_who_has_a_stored_answer_does_not_wait_for_the_fetch(
    store: SqlStore, server: UpstreamServer, clock: Clock
) -> None:
    server.answers(SENTINEL, records(MIDNIGHT, [100] * 24))
    asked = carbon(store, sentinel_of(server, timeout_s=20), clock)
    asked.day("PT", DAY)
    clock.now_us += 2 * HOUR_US
    let_go = threading.Event()
    later = records(MIDNIGHT, [7] * 24, "2024-05-10T09:00:00Z")
    server.answers(SENTINEL, lambda *_: let_go.wait(15) and later)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asked.day, "PT", DAY)
        wait_until(lambda: len(server.requests) == 2)
        assert set(values(asked.day("PT", DAY))) == {100}
        assert not first.done()
        let_go.set()
        assert set(values(first.result())) == {7}


def test_a_fetch_that_breaks_is_no_ones_to_wait_for() -> None:
    fetching = Fetching(Clock(NOON), 1)

    def breaks() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetching.once("key", breaks, wait=lambda: True)
    assert isinstance(fetching.once("key", breaks, wait=lambda: True), StatisticsError)


# --- keeping ----------------------------------------------------------------------------------------------------------


def test_what_is_told_again_without_its_issue_is_no_news(each_store: SqlStore) -> None:
    def told(*grams: float) -> list[ToldIntensity]:
        return [ToldIntensity(MIDNIGHT + i * HOUR_US, HOUR_US, round(one * 1000)) for i, one in enumerate(grams)]

    outcomes = []
    for now_us, grams in ((1000, (1, 2)), (2000, (1, 2)), (3000, (1, 3)), (4000, (1, 2))):
        with each_store.writing() as view:
            outcomes.append(keep(view, "PT", "uploaded", Method(), told(*grams), now_us))
    assert outcomes == [Kept(2, 0), Kept(0, 2), Kept(1, 1), Kept(1, 1)]
    with each_store.reading() as view:
        (series,) = view.intensity_series("PT")
        for until_us, second in ((999, []), (2999, [2]), (3000, [3]), (None, [2])):
            found = intensity_quarters(view, series, MIDNIGHT, MIDNIGHT + 2 * HOUR_US, until_us=until_us)
            assert [row.intensity_mg_per_kwh // 1000 for _, _, row in found.runs()][1:] == second


def told_of(store: SqlStore, until_us: int | None = None) -> list[float | None]:
    """What was known of three hours, g/kWh."""
    with store.reading() as view:
        (series,) = view.intensity_series("PT")
        found = intensity_quarters(view, series, MIDNIGHT, MIDNIGHT + 3 * HOUR_US, until_us=until_us)
    hours = found.value_g_per_kwh[::4].tolist()
    return [None if one != one else one for one in hours]


def test_an_issue_that_is_told_with_another_value_is_an_issue_of_now_and_the_first_stays(each_store: SqlStore) -> None:
    def tell(now_us: int, issued_us: int, *grams: float) -> Kept:
        told = [
            ToldIntensity(MIDNIGHT + i * HOUR_US, HOUR_US, round(one * 1000), issued_us=issued_us, updated_us=issued_us)
            for i, one in enumerate(grams)
        ]
        with each_store.writing() as view:
            return keep(view, "PT", "sentinel", Method(), told, now_us)

    assert tell(1_000, 500, 1, 2, 3) == Kept(3, 0)
    assert tell(2_000, 500, 1, 20, 3) == Kept(1, 2)
    assert tell(3_000, 500, 1, 20, 3) == Kept(0, 3), "what was told last of an issue is known"
    assert tell(4_000, 500, 1, 2, 3) == Kept(1, 2), "the first value once more is news again"
    assert tell(4_000, 500, 1, 5, 3) == Kept(1, 2), "also within one instant"
    asked = {until_us: told_of(each_store, until_us)[1] for until_us in (499, 500, 1_999, 2_000, 3_999, 4_000, None)}
    assert asked == {499: None, 500: 2, 1_999: 2, 2_000: 20, 3_999: 20, 4_000: 2, None: 5}
    assert told_of(each_store) == [1, 5, 3]
    with each_store.reading() as view:
        rows = view.intensity_issues(1, MIDNIGHT + HOUR_US, MIDNIGHT + HOUR_US + 1)
    assert [(one.issued_us, one.updated_us) for one in rows] == [(500, 500), (2_000, 500), (4_000, 500), (4_001, 500)]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_later_issue_goes_on_counting_where_an_earlier_one_is_told_with_another_value(
    each_store: SqlStore, at_once: bool
) -> None:
    first_us, later_us = us("2024-05-01"), us("2024-05-02")

    def told(grams: float, issued_us: int) -> ToldIntensity:
        return ToldIntensity(MIDNIGHT, HOUR_US, round(grams * 1000), issued_us=issued_us)

    def tell(*some: ToldIntensity) -> int:
        with each_store.writing() as view:
            return keep(view, "PT", "sentinel", Method(), some, us("2024-05-03")).accepted

    assert tell(told(1, first_us)) == 1
    if at_once:
        assert tell(told(10, first_us), told(2, later_us)) == 2
    else:
        assert (tell(told(2, later_us)), tell(told(10, first_us), told(2, later_us))) == (1, 1)
    assert tell(told(11, first_us)) == 1
    assert tell(told(11, first_us), told(2, later_us)) == 0
    asked = [told_of(each_store, until_us)[0] for until_us in (first_us, later_us - 2_000_000, later_us, None)]
    assert asked == [1, 1, 2, 2]
    with each_store.reading() as view:
        rows = view.intensity_issues(1, MIDNIGHT, MIDNIGHT + 1)
    assert [one.intensity_mg_per_kwh for one in rows] == [1_000, 10_000, 11_000, 2_000], "all of them are kept"


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=12))
def test_whatever_is_told_again_the_newest_issue_counts_as_it_was_told_last_and_nothing_is_lost(
    some: list[tuple[int, int, int]],
) -> None:
    """Tellings, each a minute or more after the one before: which issue, what value, how many minutes later."""
    rows = _Rows()
    now_us, last, told = us("2024-05-10"), dict[int, int](), set[tuple[int, int]]()
    for issue, mg, minutes in some:
        now_us += minutes * 60_000_000
        one = ToldIntensity(MIDNIGHT, HOUR_US, mg, issued_us=us("2024-05-09") + issue * HOUR_US)
        kept = keep(rows, "PT", "sentinel", Method(), [one], now_us)
        assert kept.accepted == (last.get(issue) != mg)
        last[issue] = mg
        told.add((issue, mg))
        assert rows.newest().intensity_mg_per_kwh == last[max(last)]
    assert {
        ((min(one.updated_us, one.issued_us) - us("2024-05-09")) // HOUR_US, one.intensity_mg_per_kwh)
        for one in rows.rows
    } == told


@given(st.lists(st.integers(1, 3), min_size=1, max_size=10))
def test_what_was_known_of_an_issue_at_any_time_is_what_had_been_told_last(values: list[int]) -> None:
    rows, now_us = _Rows(), us("2024-05-10")
    for i, mg in enumerate(values):
        one = ToldIntensity(MIDNIGHT, HOUR_US, mg, issued_us=now_us)
        keep(rows, "PT", "sentinel", Method(), [one], now_us + i * HOUR_US)
    assert [rows.newest(now_us + i * HOUR_US).intensity_mg_per_kwh for i in range(len(values))] == values


class _Rows:
    """Intensities in memory: what `keep` needs of a store."""

    def __init__(self) -> None:
        self.rows: list[IntensityRow] = []

    def put_intensity_series(self, series: IntensitySeries) -> IntensitySeries:
        return series

    def intensity_issues(self, *_: int) -> list[IntensityRow]:
        return sorted(self.rows, key=lambda one: one.issued_us)

    def put_intensities(self, rows: Sequence[IntensityRow]) -> int:
        assert not {one.issued_us for one in rows} & {one.issued_us for one in self.rows}, "nothing is overwritten"
        self.rows += rows
        return len(rows)

    def newest(self, until_us: int = 2**62) -> IntensityRow:
        return max((one for one in self.rows if one.issued_us <= until_us), key=lambda one: one.issued_us)


def test_runs_are_cut_where_a_better_value_covers_a_part(each_store: SqlStore) -> None:
    put(each_store, MIDNIGHT, [10.0, 20.0], "2024-05-01")
    put(each_store, MIDNIGHT + 2 * QUARTER_US, [5.0], "2024-05-02", length_us=2 * QUARTER_US)
    with each_store.reading() as view:
        (series,) = view.intensity_series("PT")
        found = intensity_quarters(view, series, MIDNIGHT + QUARTER_US, MIDNIGHT + 9 * QUARTER_US)
    runs = [((start - MIDNIGHT) // QUARTER_US, length // QUARTER_US, row.intensity_mg_per_kwh)
            for start, length, row in found.runs()]  # fmt: skip
    assert runs == [(1, 1, 10_000), (2, 2, 5_000), (4, 4, 20_000)]
