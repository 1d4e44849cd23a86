"""Telemetry pulled from a bucket into real stores: the mapping of line protocol, repetition, cuts, cursors, events."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from influx_server import InfluxServer, Point, breaks_off, cut, cut_unnoticed
from measured import Clock, open_store, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.events import inbox_of
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY, US_PER_HOUR
from statistics_manager_service.errors import BadInput, NotFound, Refused, Unavailable
from statistics_manager_service.events.wire import body_of, message_of
from statistics_manager_service.feeds.influxdb import InfluxDb
from statistics_manager_service.feeds.upstream import Upstream
from statistics_manager_service.services.events.events import GET_REAL_DATA, new_event
from statistics_manager_service.services.events.inbox import Outcome
from statistics_manager_service.services.forecasts.forecasting import measured_quarters
from statistics_manager_service.services.ports import Household
from statistics_manager_service.services.telemetry.pulling import OVERLAP_US, Piece, Pulled, Puller, measurements_of
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.verifying import verify
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage import schema
from statistics_manager_service.storage.database import SqlStore

DAY = "2023-01-01"
START_US = us(DAY)
KEY, METER = "key1", "meter1"


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    made = open_store(database_url)
    yield made
    made.close()


@pytest.fixture
def small_store(embedded_url: str) -> Iterator[SqlStore]:
    """For what does not depend on the kind of the store."""
    made = open_store(embedded_url)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[InfluxServer]:
    with InfluxServer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock("2023-02-01")


def puller(store: SqlStore, server: InfluxServer, clock: Clock, rows_a_piece: int = 500) -> Puller:
    headers = {"Authorization": f"Token {server.settings()['INFLUX_TOKEN']}"}
    upstream = Upstream("InfluxDB", server.url, timeout_s=5, attempts=1, headers=headers)
    settings = server.settings()
    source = InfluxDb(upstream, settings["INFLUX_ORG"], settings["INFLUX_BUCKET"], rows_a_piece=rows_a_piece)
    return Puller(store, Recorder(store, clock), source, clock)


def register_wh(quarter: int) -> int:
    return 1_000_000 + sum(50 + n * n * 37 % 211 for n in range(quarter))


def telemetry(days: int, key: str = KEY, meter: str = METER) -> list[Point]:
    """What a dongle tells every quarter-hour, with one glitch, and a smart meter every half-hour."""
    out = []
    for quarter in range(days * 96 + 1):
        at_ns = (START_US + quarter * QUARTER_US) * 1000 + 123
        energy = 9_999_999 if quarter == 50 else register_wh(quarter)
        out += [
            Point(key, "energyImported", at_ns, energy),
            Point(key, "energyExported", at_ns, 5_000 + quarter, (("hub", "cellar"),)),
            Point(key, "powerImported", at_ns, 200.5 + quarter % 7),
            Point(key, "powerExported", at_ns, 0),
            Point(key, "powerDifference", at_ns, 200.5 + quarter % 7),
            Point(key, "voltage", at_ns, 230.0 + quarter % 11 / 10),
            Point(key, "rssi", at_ns, -60),
        ]
        if quarter % 2 == 0:
            out.append(Point(meter, "meterPowerImported", at_ns, quarter % 5 / 10))
    return out


def state(store: SqlStore, owner: Household) -> dict[Any, Any]:
    """All readings with their verdicts, and all quarter-hours with their totals, of each channel."""
    found: dict[Any, Any] = {}
    with store.reading() as view:
        for one in view.channels(owner.household_no):
            key = (owner.household_no, one.channel_no)
            blocks, profiles = view.blocks(*key, 0, 10**6), view.profiles(*key, 0, 10**6)
            running = one._replace(household_no=0, channel_no=0)
            found[one.meter, one.quantity, str(one.kind)] = (running, blocks, profiles)
    return found


def pull(made: Puller, owner: Household, days: int = 3) -> Pulled:
    pulled = Pulled()
    made.pull_range(owner, START_US, START_US + days * US_PER_DAY + 1, pulled)
    return pulled


def line_protocol(points: list[Point]) -> bytes:
    def text(value: object) -> str:
        return f"{value}i" if isinstance(value, int) else str(value)

    heads = ["".join((one.measurement, *(f",{name}={tag}" for name, tag in one.tags))) for one in points]
    lines = [f"{head} {one.field}={text(one.value)} {one.at_ns}" for head, one in zip(heads, points, strict=True)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("unit", ["Wh", "kWh"])
def test_a_pull_makes_of_a_bucket_what_line_protocol_makes_of_the_same_points(
    store: SqlStore, server: InfluxServer, clock: Clock, unit: str
) -> None:
    pulled_home = put_home(store, "pulled", api_key=KEY, meter_id=METER, register_unit=unit)
    written = put_home(store, "written", api_key="key2", meter_id="meter2", register_unit=unit)
    server.points = telemetry(3)
    pulled = pull(puller(store, server, clock), pulled_home)
    lines = bootstrap.LineDecoder(store, clock)(line_protocol(telemetry(3, "key2", "meter2")), "ns", None)
    recorded = Recorder(store, clock).record(lines.readings)
    assert (pulled.rows, pulled.refused) == (289 * 6 + 145, 0)
    assert (pulled.accepted, pulled.duplicates) == (recorded.accepted, 0) == (pulled.rows, 0)
    found = state(store, pulled_home)
    assert found == state(store, written)
    assert {f"{meter} {quantity} {kind}" for meter, quantity, kind in found} == {
        "dongle energy_import register",
        "dongle energy_export register",
        "dongle power_import sample",
        "dongle power_export sample",
        "dongle power_net sample",
        "dongle voltage sample",
        "meter energy_import interval",
    }
    assert verify(store).differences == []


def test_each_quarter_hour_is_the_difference_of_the_register(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY, register_unit="kWh")
    server.points = [
        Point(KEY, "energyImported", (START_US + n * QUARTER_US) * 1000, register_wh(n) / 1000) for n in range(97)
    ]
    pull(puller(store, server, clock), home, 1)
    with store.reading() as view:
        energy_milliwh = measured_quarters(view, home, START_US // QUARTER_US, 96)
    assert energy_milliwh.tolist() == [(register_wh(n + 1) - register_wh(n)) * 1000 for n in range(96)]


def test_the_same_pull_again_finds_nothing_new(store: SqlStore, server: InfluxServer, clock: Clock) -> None:
    home = put_home(store, api_key=KEY, meter_id=METER)
    server.points = telemetry(3)
    first = pull(puller(store, server, clock), home)
    before = state(store, home)
    again = pull(puller(store, server, clock, rows_a_piece=77), home)
    assert (again.rows, again.accepted, again.duplicates) == (first.rows, 0, first.rows)
    assert state(store, home) == before


FAULTS = {"cut": cut(0.7), "unnoticed": cut_unnoticed(0.7), "error": breaks_off(0.7)}


@pytest.mark.parametrize(
    ("database_url", "how", "page"),
    [*(("sqlite", how, page) for how in FAULTS for page in (0, 1)), ("postgresql", "cut", 1)],
    indirect=["database_url"],
)
def test_a_pull_that_was_cut_off_and_repeated_is_as_one_whole_pull(
    store: SqlStore, server: InfluxServer, clock: Clock, how: str, page: int
) -> None:
    broken, whole = (put_home(store, name, api_key=name, meter_id=f"{name} meter") for name in ("broken", "whole"))
    server.points = [*telemetry(3, "broken", "broken meter"), *telemetry(3, "whole", "whole meter")]
    made = puller(store, server, clock, rows_a_piece=150)
    server.faults = [*[None] * page, FAULTS[how]]
    first = Pulled()
    with pytest.raises(Unavailable):
        made.pull_range(broken, START_US, START_US + 3 * US_PER_DAY + 1, first)
    assert 0 < first.accepted == first.rows < 289 * 6
    pull(made, whole)
    assert state(store, broken) != state(store, whole)
    again = pull(made, broken)
    assert again.duplicates == first.accepted
    assert state(store, broken) == state(store, whole)
    assert verify(store).differences == []


def test_pages_cover_the_time_without_a_gap_and_grow_where_there_is_little(
    small_store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(small_store, api_key=KEY)
    until: list[int] = []
    clock.set("2023-12-31")
    end_us = START_US + 200 * US_PER_DAY + 5
    puller(small_store, server, clock).pull_range(home, START_US, end_us, Pulled(), until.append)
    windows = [(one.start_ns // 1000, one.stop_ns // 1000) for one in server.queries]
    assert [stop for _, stop in windows] == until
    assert [start for start, _ in windows] == [START_US, *until[:-1]]
    assert until[-1] == end_us
    assert [(stop - start) // US_PER_DAY for start, stop in windows] == [1, 2, 4, 8, 16, 32, 32, 32, 32, 32, 9]


class Counted:
    """A source that has some number of rows, all of nothing, in each page."""

    name = "counted"

    def __init__(self, *rows: int) -> None:
        self.rows = iter(rows)
        self.hours: list[float] = []

    def pieces(self, measurements: Sequence[str], start_us: int, end_us: int) -> Generator[Piece, None, None]:
        self.hours.append((end_us - start_us) / US_PER_HOUR)
        yield Piece(next(self.rows, 0), [], [])


def test_a_page_after_one_of_very_many_rows_is_shorter(small_store: SqlStore, clock: Clock) -> None:
    home = put_home(small_store, api_key=KEY)
    source = Counted(*[200_001] * 7, 200_000, 20_000, 19_999)
    Puller(small_store, Recorder(small_store, clock), source, clock).pull_range(
        home, START_US, START_US + 4 * US_PER_DAY, Pulled()
    )
    assert source.hours == [24, 12, 6, 3, 1.5, 1, 1, 1, 1, 1, 2, 4, 8, 16, 14.5]


def test_no_page_is_asked_for_where_no_reading_can_be(
    small_store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(small_store, api_key=KEY)
    clock.set("2000-01-03")
    puller(small_store, server, clock).pull_range(home, us("1970-01-01"), us("2199-01-01"), Pulled())
    assert us("2000-01-01") * 1000 == server.queries[0].start_ns
    assert us("2000-01-04") * 1000 == server.queries[-1].stop_ns


def test_what_is_no_number_or_cannot_be_is_refused_by_name_and_the_rest_recorded(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    at_ns = START_US * 1000
    server.points = [
        Point(KEY, "voltage", at_ns, 230.0),
        Point(KEY, "voltage", at_ns + 10**9, float("nan")),
        Point(KEY, "powerImported", at_ns, "much"),
        Point(KEY, "powerExported", at_ns, True),
        Point(KEY, "powerImported", at_ns, 1e30),
        Point(KEY, "energyImported", at_ns, -5, (("meter", "no such, meter"),)),
    ]
    pulled = pull(puller(store, server, clock), home)
    assert (pulled.rows, pulled.accepted, pulled.refused) == (6, 1, 5)
    named = {one.name: one.reason for one in pulled.named}
    assert set(named) == {
        "voltage at 2023-01-01T00:00:01Z",
        "powerImported at 2023-01-01T00:00:00Z",
        "powerExported at 2023-01-01T00:00:00Z",
        "energyImported at 2023-01-01T00:00:00Z",
    }
    reasons = " ".join(one.reason for one in pulled.named)
    for word in (
        "'nan' is not a finite number",
        "'much' is of type string",
        "'true' is of type boolean",
        "more than any",
    ):
        assert word in reasons
    assert list(state(store, home)) == [("dongle", "voltage", "sample")]


def test_many_refused_rows_are_counted_and_the_first_ones_named(
    small_store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(small_store, api_key=KEY)
    server.points = [Point(KEY, "voltage", (START_US + n) * 1000, -1e9) for n in range(300)]
    pulled = pull(puller(small_store, server, clock, rows_a_piece=70), home)
    assert (pulled.rows, pulled.refused, len(pulled.named)) == (300, 300, 20)
    assert all(one.name.startswith("voltage at 2023-01-01T00:00:00") for one in pulled.named)


def test_tags_name_meters_as_in_line_protocol_and_never_another_home(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home, other = put_home(store, api_key=KEY), put_home(store, "other", api_key="key2")
    at_ns = START_US * 1000
    server.points = [
        Point(KEY, "voltage", at_ns, 231.0, (("meter", "garage"),)),
        Point(KEY, "voltage", at_ns, 232.0, (("household", "other"),)),
        Point(KEY, "voltage", at_ns, 233.0, (("household", "home1"),)),
        Point("key2", "voltage", at_ns, 234.0),
    ]
    pulled = pull(puller(store, server, clock), home)
    assert (pulled.rows, pulled.accepted, pulled.refused) == (3, 2, 1)
    assert pulled.named[0].reason == "it names another household than home1, whose measurement it is in"
    assert set(state(store, home)) == {("garage", "voltage", "sample"), ("grid", "voltage", "sample")}
    assert state(store, other) == {}


def test_what_the_bucket_corrects_is_a_correction_here(store: SqlStore, server: InfluxServer, clock: Clock) -> None:
    home = put_home(store, api_key=KEY)
    server.points = [Point(KEY, "voltage", START_US * 1000, 230.0)]
    pull(puller(store, server, clock), home)
    server.points = [Point(KEY, "voltage", START_US * 1000, 231.0)]
    assert pull(puller(store, server, clock), home).accepted == 1
    with store.reading() as view:
        (channel,) = view.channels(home.household_no)
        (revision,) = view.revisions(home.household_no, channel.channel_no, 0, 2**60)
    assert (channel.last_value_milli, revision.value_milli) == (231_000, 230_000)


def test_a_household_without_measurements_has_nothing_to_pull() -> None:
    with pytest.raises(NotFound, match="household home1 has neither an api_key nor a meter_id"):
        measurements_of(Household(1, "home1", api_key=""))
    assert measurements_of(Household(1, "home1", api_key="a", meter_id="a")) == ("a",)
    assert measurements_of(Household(1, "home1", meter_id="b")) == ("b",)


# --- the cursor -------------------------------------------------------------------------------------------------------


def windows(server: InfluxServer) -> tuple[int, int]:
    """From when until when was asked since the last time."""
    queries = server.queries
    server.requests.clear()
    return queries[0].start_ns // 1000, queries[-1].stop_ns // 1000


def go_on(made: Puller, owner: Household, since: str | None = None, until: str | None = None) -> Pulled:
    pulled = Pulled()
    made.pull_on(owner, None if since is None else us(since), None if until is None else us(until), pulled)
    return pulled


def test_a_pull_goes_on_from_the_cursor_with_an_overlap_for_late_data(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    made = puller(store, server, clock)
    server.points = telemetry(3)
    clock.set("2023-01-02")
    first = go_on(made, home, since=DAY)
    assert windows(server) == (START_US, us("2023-01-02"))
    clock.set("2023-01-03")
    late = Point(KEY, "voltage", (us("2023-01-02") - 5) * 1000, 229.0)
    server.points.append(late)
    second = go_on(made, home)
    assert windows(server) == (us("2023-01-02") - OVERLAP_US, us("2023-01-03"))
    assert (first.rows, first.accepted) == (96 * 6, 96 * 6)
    assert (second.duplicates, second.accepted) == (4 * 6, 96 * 6 + 1)
    third = go_on(made, home)
    assert windows(server) == (us("2023-01-03") - OVERLAP_US, us("2023-01-03"))
    assert third.accepted == 0


def test_since_wins_over_the_cursor_which_stays_before_a_hole(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    made = puller(store, server, clock)
    steps = [
        ("2023-01-05", "2023-01-10", "2023-01-10"),  # the first one makes it
        ("2023-01-20", "2023-01-25", "2023-01-10"),  # what lies between was not fetched
        ("2023-01-01", "2023-01-03", "2023-01-10"),  # it does not go back
        ("2023-01-10", "2023-01-12", "2023-01-12"),
        ("2023-01-11", None, "2023-02-01"),
        ("2023-01-31", "2023-02-09", "2023-02-01"),  # of times to come more may come
    ]
    for since, until, cursor in steps:
        go_on(made, home, since, until)
        asked = windows(server)
        assert asked[0] == us(since)
        go_on(made, home)
        assert windows(server)[0] == us(cursor) - OVERLAP_US
        # and back to where the cursor was, as going on has moved it
        with store.engine.begin() as connection:
            connection.execute(schema.pull_cursors.update().values(until_us=us(cursor)))


def test_the_cursor_is_behind_the_last_page_that_is_recorded(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY, meter_id=METER)
    made = puller(store, server, clock, rows_a_piece=300)
    server.points = telemetry(7)
    server.faults = [None, None, cut(0.6)]
    pulled = Pulled()
    with pytest.raises(Unavailable):
        made.pull_on(home, START_US, None, pulled)
    windows(server)
    kept = pulled.accepted
    assert kept == pulled.rows > 3 * 96 * 6
    again = go_on(made, home)
    # the first page was of a day, the second of two
    assert windows(server)[0] == START_US + 3 * US_PER_DAY - OVERLAP_US
    assert kept + again.accepted == len([one for one in server.points if one.field != "rssi"])


def test_a_household_that_was_never_pulled_needs_a_beginning(
    small_store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(small_store, api_key=KEY)
    made = puller(small_store, server, clock)
    with pytest.raises(NotFound, match="household home1 was never pulled as it is set up now; tell since when"):
        go_on(made, home)
    with pytest.raises(BadInput, match="until: 2023-01-01T00:00:00Z lies before the pull's beginning, 2023-01-02"):
        go_on(made, home, since="2023-01-02", until="2023-01-01")
    assert server.requests == []


def test_other_measurements_have_no_cursor_as_their_past_was_not_fetched(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    made = puller(store, server, clock)
    go_on(made, home, since=DAY)
    home = put_home(store, api_key=KEY, meter_id=METER)
    with pytest.raises(NotFound, match="tell since when"):
        go_on(made, home)
    go_on(made, home, since=DAY)
    go_on(made, put_home(store, api_key=METER, meter_id=KEY))


def test_a_household_that_is_erased_meanwhile_leaves_no_cursor(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    bootstrap.households_of(store).delete("home1")
    with pytest.raises(NotFound):
        go_on(puller(store, server, clock), home, since=DAY)
    put_home(store, api_key=KEY)  # of the same name, and yet another
    go_on(puller(store, server, clock), home, since="2023-01-31")
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.pull_cursors)).scalar() == 0


# --- GetUserRealDataEvent ---------------------------------------------------------------------------------------------


def tell(
    store: SqlStore, server: InfluxServer | None, clock: Clock, payload: dict[str, Any], event_id: str = ""
) -> tuple[Outcome, str]:
    """What becomes of an event, and why where it is not handled."""
    settings = Settings(
        **{name.lower(): value for name, value in ({} if server is None else server.settings()).items()}
    )
    inbox = inbox_of(settings, store, Recorder(store, clock), clock)
    event = new_event(GET_REAL_DATA, "home1", payload, clock())
    if event_id:
        event = event._replace(event_id=event_id)
    outcome = inbox.take(message_of(body_of(event), "tests", b"home1"))
    tables = {Outcome.WAITING: schema.waiting_events, Outcome.SET_ASIDE: schema.set_aside_events}
    if outcome not in tables:
        return outcome, ""
    table = tables[outcome]
    with store.engine.connect() as connection:
        return outcome, str(connection.execute(sa.select(table.c.reason)).scalar())


ASKED = {"user_id": "home1", "start_date": "2023-01-01T00:00:00Z", "end_date": "2023-01-02T00:00:00Z"}


def test_an_event_fetches_and_records_its_time_with_both_ends(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY)
    server.points = [
        Point(KEY, "energyImported", (START_US + n * QUARTER_US) * 1000, register_wh(n)) for n in range(-1, 99)
    ]
    assert tell(store, server, clock, ASKED) == (Outcome.HANDLED, "")
    with store.reading() as view:
        (channel,) = view.channels(home.household_no)
        energy_milliwh = measured_quarters(view, home, START_US // QUARTER_US - 1, 98)
    assert (channel.first_us, channel.last_us, channel.reading_count) == (START_US, us("2023-01-02"), 97)
    wanted = [(register_wh(n + 1) - register_wh(n)) * 1000 for n in range(96)]
    assert energy_milliwh[1:97].tolist() == wanted
    assert np.isnan(energy_milliwh[[0, 97]]).all()


def test_an_event_that_comes_again_is_known_and_one_that_asks_again_finds_nothing_new(
    store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    home = put_home(store, api_key=KEY, meter_id=METER)
    server.points = telemetry(1)
    event_id = "6b9a0f0e-8d5b-4a5c-9c57-0f7a3f4b2a11"
    assert tell(store, server, clock, ASKED, event_id) == (Outcome.HANDLED, "")
    before, asked = state(store, home), len(server.requests)
    assert tell(store, server, clock, ASKED, event_id) == (Outcome.DUPLICATE, "")
    assert len(server.requests) == asked
    assert tell(store, server, clock, ASKED) == (Outcome.HANDLED, "")
    assert state(store, home) == before


def test_an_event_leaves_the_cursor_alone(store: SqlStore, server: InfluxServer, clock: Clock) -> None:
    home = put_home(store, api_key=KEY)
    assert tell(store, server, clock, ASKED)[0] is Outcome.HANDLED
    with pytest.raises(NotFound, match="tell since when"):
        go_on(puller(store, server, clock), home)


def test_an_event_without_an_end_is_until_now(small_store: SqlStore, server: InfluxServer, clock: Clock) -> None:
    put_home(small_store, api_key=KEY)
    for payload in ({**ASKED, "end_date": None}, {name: ASKED[name] for name in ("user_id", "start_date")}):
        assert tell(small_store, server, clock, payload)[0] is Outcome.HANDLED
        assert windows(server) == (START_US, us("2023-02-01") + 1)


@pytest.mark.parametrize(
    ("database_url", "how"),
    [*(("sqlite", how) for how in FAULTS), ("postgresql", "error")],
    indirect=["database_url"],
)
def test_an_event_waits_where_influxdb_breaks_off_and_its_retry_makes_up_for_it(
    store: SqlStore, server: InfluxServer, clock: Clock, how: str
) -> None:
    home = put_home(store, api_key=KEY, meter_id=METER)
    other = put_home(store, "whole", api_key="key2", meter_id="meter2")
    server.points = [*telemetry(2), *telemetry(2, "key2", "meter2")]
    server.faults = [None, FAULTS[how]]  # the first page is kept
    payload = {**ASKED, "end_date": "2023-01-03T00:00:00Z"}
    outcome, reason = tell(store, server, clock, payload)
    assert outcome is Outcome.WAITING
    assert reason.startswith("InfluxDB ")
    assert sum(channel.reading_count for channel, _, _ in state(store, home).values()) > 96 * 6
    inbox = inbox_of(
        Settings(**{name.lower(): value for name, value in server.settings().items()}),
        store,
        Recorder(store, clock),
        clock,
    )
    clock.now_us += US_PER_HOUR
    assert inbox.retry_due() == 1
    pull(puller(store, server, clock), other, 2)
    assert state(store, home) == state(store, other)
    with store.reading() as view:
        assert view.event_counts().waiting == 0


@pytest.mark.parametrize(
    ("way", "status", "reason"),
    [
        (None, 500, "InfluxDB answered with status 500"),
        (None, 401, "InfluxDB answered with status 401"),
        ("closed", None, "InfluxDB can't be reached: RemoteProtocolError"),
        ("malformed", None, "InfluxDB answered nonsense: "),
    ],
)
def test_an_event_waits_while_influxdb_fails(
    small_store: SqlStore, server: InfluxServer, clock: Clock, way: str | None, status: int | None, reason: str
) -> None:
    put_home(small_store, api_key=KEY)
    server.fails(way, status=status)
    outcome, told = tell(small_store, server, clock, ASKED)
    assert outcome is Outcome.WAITING
    assert told.startswith(reason)


def test_an_event_waits_while_influxdb_is_down(small_store: SqlStore, server: InfluxServer, clock: Clock) -> None:
    put_home(small_store, api_key=KEY)
    server.goes_down()
    assert tell(small_store, server, clock, ASKED) == (Outcome.WAITING, "InfluxDB can't be reached: ConnectError")


def test_an_event_is_set_aside_where_no_influxdb_is_set_up(store: SqlStore, clock: Clock) -> None:
    put_home(store, api_key=KEY)
    sentence = "INFLUX_URL is not set: there is no InfluxDB that telemetry could be fetched from"
    assert tell(store, None, clock, ASKED) == (Outcome.SET_ASIDE, sentence)
    with pytest.raises(Refused, match="INFLUX_URL is not set"):
        Puller(store, Recorder(store, clock), None, clock).pull_on(Household(1, "home1"), 0, None, Pulled())


def test_an_event_is_set_aside_where_the_bucket_is_not_there(
    small_store: SqlStore, server: InfluxServer, clock: Clock
) -> None:
    put_home(small_store, api_key=KEY)
    server.fails(status=404)
    outcome, reason = tell(small_store, server, clock, ASKED)
    assert outcome is Outcome.SET_ASIDE
    assert reason.endswith("with status 404; are INFLUX_ORG and INFLUX_BUCKET right?")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({**ASKED, "user_id": "nobody"}, "there is no household 'nobody'"),
        (ASKED, "household home1 has neither an api_key nor a meter_id, so no telemetry is told of it"),
        ({**ASKED, "start_date": "2023-01-03"}, "end_date: the end lies before the start"),
        ({**ASKED, "start_date": "soon"}, "start_date: 'soon' is no date such as 2024-03-31"),
        ({"user_id": 7, "end_date": 8}, "user_id: a text is expected (and 2 more faults)"),
    ],
)
def test_an_event_that_never_can_be_handled_is_set_aside_with_its_reason(
    small_store: SqlStore, server: InfluxServer, clock: Clock, payload: dict[str, Any], reason: str
) -> None:
    put_home(small_store)
    outcome, told = tell(small_store, server, clock, payload)
    assert outcome is Outcome.SET_ASIDE
    assert reason in told
    assert server.requests == []
