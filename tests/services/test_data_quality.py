"""How good the data of a home are, beside what is known of it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from live_home import new_store
from measured import HOUR_US, Clock, put_home, us

from statistics_manager_service import bootstrap
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import WireReadings
from statistics_manager_service.errors import BadInput, NotFound
from statistics_manager_service.ingest.presets import read_file
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.data_quality import ChannelQuality, DataQuality, HomeQuality
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.storage.database import SqlStore

DAY = AskedTime("2024-05-10", "2024-05-11")


@pytest.fixture
def store(tmp_path: pathlib.Path, sqlite_template: pathlib.Path) -> Iterator[SqlStore]:
    made = new_store(sqlite_template, tmp_path)
    put_home(made)
    yield made
    made.close()


def record(store: SqlStore, at: list[str], value: list[float], kind: Kind = Kind.REGISTER, **more: Any) -> None:
    at_us = np.array([us(one) for one in at], np.int64)
    quantity = more.pop("quantity", "energy_import")
    meter = more.pop("meter", "grid")
    unit = "W" if kind is Kind.SAMPLE else "kWh"
    told = WireReadings("home1", meter, quantity, kind, unit, at_us, np.array(value, float), **more)
    assert not Recorder(store, bootstrap.now_us).record([told]).refused


def quality(store: SqlStore, asked: AskedTime = DAY, now: str = "2024-06-01", meter: str | None = None) -> HomeQuality:
    return DataQuality(store, Clock(now)).of("home1", asked, meter)


def only(found: HomeQuality) -> ChannelQuality:
    (one,) = found.channels
    return one


def hourly(first: int, last: int) -> list[str]:
    return [f"2024-05-10T{hour:02d}:00" for hour in range(first, last + 1)]


def test_a_register_with_a_gap_is_measured_estimated_and_missing(store: SqlStore) -> None:
    # read each hour from 06:00 to 10:00 and from 14:00 to 18:00
    record(store, [*hourly(6, 10), *hourly(14, 18)], list(range(10)))
    found = quality(store)
    one = only(found)
    assert (one.readings, one.first_us, one.last_us) == (10, us("2024-05-10T06:00"), us("2024-05-10T18:00"))
    assert one.shares is not None
    assert (one.shares.measured, one.shares.estimated) == (pytest.approx(8 / 24), pytest.approx(4 / 24))
    assert one.shares.missing == pytest.approx(12 / 24)
    assert [(gap.start_us, gap.end_us, gap.is_bridged) for gap in one.gaps] == [
        (us("2024-05-10T10:00"), us("2024-05-10T14:00"), True)
    ]
    assert (one.gap_count, one.gap_total_us, one.typical_s) == (1, 4 * HOUR_US, 3600.0)
    assert one.quality_of_reading == 13  # mixed: measured and interpolated
    assert found.of_home is not None
    assert found.of_home[0] == "energy_consumption"
    assert found.of_home[1].missing == pytest.approx(0.5)


def test_verdicts_are_counted_with_their_newest_instants(store: SqlStore) -> None:
    record(store, hourly(0, 10), [10, 11, 5000, 12, 13, 14, 15, 5000, 16, 17, 18])
    one = only(quality(store))
    assert one.verdicts == {"glitch": (2, [us("2024-05-10T07:00"), us("2024-05-10T02:00")])}
    # what is set aside bridges nothing: around each there is a gap of two hours
    assert one.gap_count == 2


def test_a_corrected_value_counts(store: SqlStore) -> None:
    record(store, hourly(0, 3), [1, 2, 3, 4])
    record(store, hourly(2, 2), [3.5])
    one = only(quality(store))
    assert (one.readings, one.corrections) == (4, 1)
    assert one.newest_correction_us is not None
    assert one.newest_correction_us > us("2024-05-10")


def test_a_gap_over_the_edge_of_the_time_counts_inside_it(store: SqlStore) -> None:
    record(store, ["2024-05-09T12:00", "2024-05-10T06:00", "2024-05-11T12:00"], [1, 2, 3])
    one = only(quality(store))
    assert [(gap.start_us, gap.end_us) for gap in one.gaps] == [
        (us("2024-05-10T06:00"), us("2024-05-11")), (us("2024-05-10"), us("2024-05-10T06:00")),
    ]  # fmt: skip
    assert (one.readings, one.shares and one.shares.estimated) == (1, 1.0)
    assert one.quality_of_reading == 9


def test_between_intervals_that_touch_there_is_no_gap(store: SqlStore) -> None:
    hours = np.full(5, HOUR_US, np.int64)
    record(store, [*hourly(0, 2), *hourly(4, 5)], [1] * 5, Kind.INTERVAL, interval_us=hours)
    one = only(quality(store))
    assert [(gap.start_us, gap.end_us, gap.is_bridged) for gap in one.gaps] == [
        (us("2024-05-10T03:00"), us("2024-05-10T04:00"), False)
    ]
    assert one.quality_of_reading == 17


def test_a_channel_is_silent_after_three_of_its_steps_and_its_gap_limit(store: SqlStore) -> None:
    record(store, hourly(0, 10), list(range(11)))
    assert only(quality(store, now="2024-05-10T13:00")).silent_since_us is None
    assert only(quality(store, now="2024-05-10T13:01")).silent_since_us == us("2024-05-10T10:00")


def test_a_minute_channel_is_given_its_gap_limit(store: SqlStore) -> None:
    record(store, [f"2024-05-10T00:{minute:02d}" for minute in range(60)], [230] * 60, Kind.SAMPLE,
           quantity="power_import")  # fmt: skip
    assert only(quality(store, now="2024-05-10T01:59")).silent_since_us is None
    one = only(quality(store, now="2024-05-10T02:00"))
    assert (one.silent_since_us, one.typical_s, one.quality_of_reading) == (us("2024-05-10T00:59"), 60.0, 11)


def test_what_lies_in_the_future_is_not_missing(store: SqlStore) -> None:
    record(store, hourly(0, 12), list(range(13)))
    found = quality(store, now="2024-05-10T12:00")
    assert found.end_us == us("2024-05-10T12:00")
    assert only(found).shares is not None
    assert only(found).shares.missing == 0  # type: ignore[union-attr]
    ahead = quality(store, AskedTime("2024-05-11", "2024-05-12"), now="2024-05-10T12:00")
    assert (only(ahead).shares, only(ahead).readings, ahead.of_home) == (None, 0, None)


def test_a_channel_without_readings_in_the_time_is_all_missing(store: SqlStore) -> None:
    record(store, ["2024-05-01T00:00", "2024-05-01T01:00"], [1, 2])
    one = only(quality(store))
    assert (one.readings, one.first_us, one.gaps, one.typical_s) == (0, None, [], None)
    assert one.shares is not None
    assert (one.shares.missing, one.quality_of_reading) == (1.0, None)
    assert one.silent_since_us == us("2024-05-01T01:00")


def test_one_meter_is_told_alone_and_an_unknown_one_is_not_found(store: SqlStore) -> None:
    record(store, hourly(0, 1), [1, 2])
    record(store, hourly(0, 1), [1, 2], meter="shed")
    assert [one.channel.meter for one in quality(store).channels] == ["grid", "shed"]
    found = quality(store, meter="shed")
    assert (only(found).channel.meter, found.of_home) == ("shed", None)
    with pytest.raises(NotFound, match="no meter 'attic'"):
        quality(store, meter="attic")


def test_more_than_the_most_days_are_refused(store: SqlStore) -> None:
    with pytest.raises(BadInput, match="at most 400 days"):
        quality(store, AskedTime("2020-01-01", "2024-01-01"))


# --- real homes, with what is known to be wrong with them -------------------------------------------------------------

Real = Callable[[str, str, str, str, str], HomeQuality]


@pytest.fixture
def real(store: SqlStore, shared_data: pathlib.Path) -> Real:
    def read(path: str, preset: str, zone: str, start: str, end: str) -> HomeQuality:
        bootstrap.households_of(store).put("home1", {"timezone": zone})
        files = sorted(shared_data.glob(path))
        assert files
        for file in files:
            for piece in read_file(file, preset, household="home1", zone=zone):
                Recorder(store, bootstrap.now_us).record(piece.channels)
        return DataQuality(store, bootstrap.now_us).of("home1", AskedTime(start, end))

    return read


def expected(shared_data: pathlib.Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared_data / name / "expected.json").read_text())
    return found


def test_the_gaps_of_a_register_that_sleeps_are_those_of_the_data_set(real: Real, shared_data: pathlib.Path) -> None:
    name = "home_assistant_import_register"
    known = expected(shared_data, name)
    one = only(real(f"{name}/tariff_1.csv.gz", "home-assistant", "Europe/Amsterdam", "2025-01-01", "2026-01-01"))
    longest, counter = known["longest_gap"], known["counter_kwh"]
    assert (one.readings, one.gap_count) == (counter["readings"], known["n_gaps_over_1h"])
    assert (one.gaps[0].start_us, one.gaps[0].end_us) == (us(longest["from"][:19]), us(longest["to"][:19]))
    assert all(gap.is_bridged for gap in one.gaps)
    assert one.typical_s == known["median_step_s"]
    assert (one.first_us, one.last_us) == (us(counter["first"][0][:19]), us(counter["last"][0][:19]))
    # its one step back is told
    assert sum(count for count, _ in one.verdicts.values()) == counter["n_negative_steps"]
    assert one.silent_since_us == one.last_us


def test_the_bogus_spike_and_the_lost_hour_of_a_logger_are_told(real: Real, shared_data: pathlib.Path) -> None:
    # README: all four registers jump at 15:00 on 2022-11-04; at the end of summer time an hour is lost; nothing comes
    # after the 24th of November. A row tells the registers at its end.
    found = real("p1mon_nl_registers/history_hour.csv.gz", "p1-monitor", "Europe/Amsterdam", "2022-01-01", "2022-12-01")
    assert len(found.channels) == 4
    count = expected(shared_data, "p1mon_nl_registers")["hour"]["readings"]
    for one in found.channels:
        assert one.readings == count
        assert one.verdicts == {"glitch": (1, [us("2022-11-04T15:00")])}  # 16:00 in Amsterdam
        gaps = [(gap.start_us, gap.end_us, gap.is_bridged) for gap in one.gaps]
        assert gaps == [
            (us("2022-10-30T00:00"), us("2022-10-30T02:00"), True),
            (us("2022-11-04T14:00"), us("2022-11-04T16:00"), True),
        ]
        assert one.silent_since_us == us("2022-11-24T12:00")


def test_a_register_without_gaps_has_none_but_the_one_that_never_moved_is_silent(
    real: Real, shared_data: pathlib.Path
) -> None:
    known = expected(shared_data, "emo_nl_register")["series"]
    found = real("emo_nl_register/elec_2025.csv.gz", "emo", "Europe/Amsterdam", "2025-01-01", "2025-07-01")
    told = {one.channel.quantity: one for one in found.channels}
    for quantity, code in (("energy_import", "ellm"), ("energy_export", "eltm")):
        one, counter = told[quantity], known[code]["counter_kwh"]
        assert (one.readings, one.gap_count) == (counter["readings"], len(known[code]["gaps_over_1h"]))
        assert one.typical_s == 900.0
    assert told["energy_export"].shares is not None
    assert told["energy_export"].shares.measured == pytest.approx(11 / 181, abs=0.001)  # until the 12th of January
    assert told["energy_import"].shares is not None
    assert told["energy_import"].shares.measured == pytest.approx(1, abs=0.001)


def test_an_inverter_that_reports_at_odd_times_has_no_gap_over_an_hour(real: Real, shared_data: pathlib.Path) -> None:
    known = expected(shared_data, "givenergy_uk_inverter")
    found = real("givenergy_uk_inverter/*.json.gz", "givenergy", "Europe/London", "2025-06-01", "2025-06-06")
    assert known["gaps_over_1h"] == []
    registers = [one for one in found.channels if one.channel.kind is Kind.REGISTER]
    assert registers
    assert {one.gap_count for one in found.channels} == {0}
    distinct = known["readings"] - known["duplicate_timestamps"]
    assert max(one.readings for one in registers) <= distinct
