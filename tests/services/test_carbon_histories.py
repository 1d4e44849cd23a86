"""The history of carbon intensities beside the requests: how far back, how often, by which process, in trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from measured import DAY_US, HOUR_US, Clock, open_store, us
from upstream_server import UpstreamServer, wait_until

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.events import Running, carbon_history
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.errors import Declined, StatisticsError, Unavailable
from statistics_manager_service.services.carbon.carbon_rows import IntensitySeries, Method
from statistics_manager_service.services.carbon.histories import CarbonHistories, keep_stretch
from statistics_manager_service.services.carbon.intensities import Kept, ToldIntensity, ToldStretch, intensity_quarters
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore

NOON = "2024-05-10T12:00:00"
YESTERDAY, NOW = us("2024-05-09"), us(NOON)
TTL_S = 3600.0


class Told:
    """A source of hours of 100 g/kWh, which remembers what it was asked, and fails where it is told to."""

    name = "told"
    method = Method()
    by_day = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.fails: StatisticsError | None = None
        self.grams = 100

    def serves(self, zone: str) -> bool:
        return zone != "XX"

    def fetch(self, zone: str, start_us: int, end_us: int, /) -> Sequence[ToldIntensity]:
        raise NotImplementedError

    def history(self, zone: str, start_us: int, end_us: int, /) -> Iterator[ToldStretch]:
        self.asked.append((zone, start_us, end_us))
        for begin_us in range(start_us, end_us, DAY_US):
            stop_us = min(begin_us + DAY_US, end_us)
            if self.fails is not None and begin_us > start_us:
                raise self.fails
            told = [
                ToldIntensity(at, HOUR_US, self.grams * 1000, "measured") for at in range(begin_us, stop_us, HOUR_US)
            ]
            yield ToldStretch(begin_us, stop_us, told)


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    yield made
    made.close()


@pytest.fixture
def embedded(embedded_url: str) -> Iterator[SqlStore]:
    made = open_store(embedded_url)
    yield made
    made.close()


@pytest.fixture
def source() -> Told:
    return Told()


def histories(store: SqlStore, source: Told, clock: Callable[[], int], holder: str = "one") -> CarbonHistories:
    return CarbonHistories(store, source, "PT", TTL_S, holder, clock)


def steps(some: CarbonHistories) -> int:
    """How many steps did something, until there is nothing to do."""
    count = 0
    while some.step():
        count += 1
        assert count < 20
    return count


def known_hours(store: SqlStore, zone: str = "PT") -> int:
    with store.reading() as view:
        told = view.intensity_series(zone)
        return (
            sum(
                int((intensity_quarters(view, one, YESTERDAY - DAY_US, NOW + 3 * DAY_US).row >= 0).sum())
                for one in told
            )
            // 4
        )


def test_yesterday_and_today_are_fetched_and_again_when_they_are_old(store: SqlStore, source: Told) -> None:
    clock = Clock(NOON)
    kept = histories(store, source, clock)
    assert steps(kept) == 1
    assert source.asked == [("PT", YESTERDAY, NOW)]
    assert known_hours(store) == 36
    clock.now_us += round((TTL_S - 1) * 1_000_000)
    assert steps(kept) == 0
    clock.now_us += 1_000_000
    assert steps(kept) == 1
    assert source.asked[1:] == [("PT", YESTERDAY, NOW + HOUR_US)]
    assert known_hours(store) == 37


def test_zones_of_which_the_source_has_told_are_kept_up_to_date_too(embedded: SqlStore, source: Told) -> None:
    for zone, name in (("ES", "told"), ("XX", "told"), ("FR", "another")):
        with embedded.writing() as view:
            view.put_intensity_series(IntensitySeries(0, zone, name, *Method()))
    assert steps(histories(embedded, source, Clock(NOON))) == 2
    assert [zone for zone, _, _ in source.asked] == ["PT", "ES"]
    assert (known_hours(embedded, "ES"), known_hours(embedded, "FR")) == (36, 0)


def test_of_several_processes_one_fetches(store: SqlStore, source: Told) -> None:
    clock = Clock(NOON)
    one, other = histories(store, source, clock), histories(store, source, clock, "other")
    assert (steps(one), steps(other)) == (1, 0)
    clock.now_us += round(TTL_S * 1_000_000)
    assert steps(other) == 1, "whoever comes first when it is old"
    assert steps(one) == 0
    assert len(source.asked) == 2


def test_a_service_that_is_started_again_does_not_ask_each_time(store: SqlStore, source: Told) -> None:
    clock = Clock(NOON)
    for holder in "abcde":
        steps(histories(store, source, clock, holder))
        clock.now_us += 60_000_000
    assert len(source.asked) == 1


def test_what_came_before_a_failure_is_kept_and_it_is_tried_again_soon(store: SqlStore, source: Told) -> None:
    clock = Clock(NOON)
    kept, other = histories(store, source, clock), histories(store, source, clock, "other")
    source.fails = Unavailable("it is down", 120)
    assert steps(kept) == 1
    assert known_hours(store) == 24
    source.fails = None
    clock.now_us += 119_000_000
    assert (steps(kept), steps(other)) == (0, 0)
    clock.now_us += 1_000_000
    assert (steps(kept), known_hours(store)) == (1, 37), "two minutes after noon another hour has begun"


def test_what_it_declines_is_asked_for_again_when_it_is_old(embedded: SqlStore, source: Told) -> None:
    clock = Clock(NOON)
    kept = histories(embedded, source, clock)
    source.fails = Declined("no such zone", 404)
    assert steps(kept) == 1
    clock.now_us += 600_000_000
    assert steps(kept) == 0
    clock.now_us += round(TTL_S * 1_000_000)
    assert steps(kept) == 1


def test_what_is_told_again_is_no_news_and_a_correction_keeps_what_was_known(store: SqlStore, source: Told) -> None:
    (stretch,) = source.history("PT", YESTERDAY, YESTERDAY + DAY_US)
    assert keep_stretch(store, "PT", source, stretch, NOW) == Kept(24, 0)
    assert keep_stretch(store, "PT", source, stretch, NOW + 1) == Kept(0, 24)
    source.grams = 90
    (corrected,) = source.history("PT", YESTERDAY, YESTERDAY + DAY_US)
    assert keep_stretch(store, "PT", source, corrected, NOW + 2) == Kept(24, 0)
    with store.reading() as view:
        (series,) = view.intensity_series("PT")
        for until_us, grams in ((NOW + 1, 100), (NOW + 2, 90), (None, 90)):
            found = intensity_quarters(view, series, YESTERDAY, YESTERDAY + DAY_US, until_us=until_us)
            assert set(found.value_g_per_kwh.tolist()) == {grams}


# --- the settings -----------------------------------------------------------------------------------------------------


def test_the_settings_say_whether_there_is_a_history(embedded: SqlStore, embedded_url: str) -> None:
    def names(**more: object) -> list[str]:
        settings = Settings(database_url=embedded_url, **more)  # type: ignore[arg-type]
        return [one.name for one in carbon_history(settings, embedded, "holder", bootstrap.now_us)]

    assert names() == []
    assert names(carbon_source="none", host_sentinel="http://a") == []
    assert names(carbon_source="neso", carbon_history=False) == []
    assert names(carbon_source="neso") == names(host_sentinel="http://a") == ["carbon"]
    with pytest.raises(StatisticsError, match="ENTSOE_TOKEN"):
        names(carbon_source="entsoe")


def test_a_service_that_runs_fetches_its_history_by_itself(embedded: SqlStore, embedded_url: str) -> None:
    now_us = bootstrap.now_us()
    with UpstreamServer() as server:
        begin = iso_label((now_us // DAY_US - 1) * DAY_US)[:16] + "Z"
        end = iso_label(-(-now_us // 900_000_000) * 900_000_000)[:16] + "Z"
        slot = {"from": begin, "to": begin.replace("00:00Z", "00:30Z"), "intensity": {"forecast": 90, "actual": 80}}
        server.answers(f"/intensity/{begin}/{end}", {"data": [slot]})
        settings = Settings(
            database_url=embedded_url, carbon_source="neso", carbon_zone="GB", neso_url=server.url, forecast_daily=False
        )
        running = Running(settings, embedded, bootstrap.recorder_of(embedded), lambda: now_us)
        running.start()
        try:
            wait_until(lambda: known_any(embedded), what="the history")
        finally:
            running.stop()
    assert len(server.requests) == 1


def known_any(store: SqlStore) -> bool:
    with store.reading() as view:
        told = view.intensity_series("GB")
        return any(view.intensity_span(one.series_no) for one in told)
