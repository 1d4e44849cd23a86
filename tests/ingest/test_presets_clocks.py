"""Labels of clocks: repeated and skipped hours, offsets, days, all over a file."""

from __future__ import annotations

import pathlib
from datetime import datetime, timedelta

import pytest
from preset_files import AMSTERDAM, EREDES, LISBON, read

from statistics_manager_service.errors import BadInput
from statistics_manager_service.ingest.presets import read_file


def quarters(first: datetime, count: int) -> list[datetime]:
    return [first + timedelta(minutes=15 * i) for i in range(count)]


def test_plain_labels_are_of_the_zone_of_the_file(tmp_path: pathlib.Path) -> None:
    text = "at,value\n2024-07-01 12:00,1\n2024-07-01T12:00:00Z,2\n2024-07-01T12:00:00+05:30,3\n1719835200,4\n"
    found = read(tmp_path, text, "csv", unit="kWh", zone=LISBON)
    assert found.only == [
        ("2024-07-01T11:00Z", 1),
        ("2024-07-01T12:00Z", 2),
        ("2024-07-01T06:30Z", 3),
        ("2024-07-01T12:00Z", 4),
    ]


def test_labels_without_an_offset_need_a_zone(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadInput, match="--timezone"):
        read(tmp_path, "at,value\n2024-07-01 12:00,1\n", "csv", unit="kWh")


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("interleaved", [False, True])
def test_both_passes_of_the_repeated_hour_are_kept(
    tmp_path: pathlib.Path, interleaved: bool, newest_first: bool
) -> None:
    # in Lisbon the clock goes from 02:00 back to 01:00 on 2024-10-27 at 01:00 UTC
    walls = [*quarters(datetime(2024, 10, 27, 0, 45), 5), *quarters(datetime(2024, 10, 27, 1), 5)]
    instants = quarters(datetime(2024, 10, 26, 23, 45), 10)
    rows = [(f"{wall:%Y-%m-%d %H:%M}", i) for i, wall in enumerate(walls)]
    want = sorted((f"{at:%Y-%m-%dT%H:%MZ}", float(i)) for i, at in enumerate(instants))
    if interleaved:
        rows.sort()
    if newest_first:
        rows.reverse()
    text = "at,value\n" + "".join(f"{label},{value}\n" for label, value in rows)
    assert sorted(read(tmp_path, text, "csv", unit="kWh", zone=LISBON).only) == want


def test_both_passes_are_told_apart_in_each_series_of_a_file(tmp_path: pathlib.Path) -> None:
    rows = [f"2024-10-27 01:{minute:02},{value},{meter}\n" for value in (1, 2) for minute in (0, 30) for meter in "ab"]
    found = read(tmp_path, "at,value,meter\n" + "".join(rows), "csv", unit="kWh", zone=LISBON)
    passes = [("2024-10-27T00:00Z", 1), ("2024-10-27T00:30Z", 1), ("2024-10-27T01:00Z", 2), ("2024-10-27T01:30Z", 2)]
    assert found.channels == {("a", "energy_import"): passes, ("b", "energy_import"): passes}


def test_passes_that_lie_in_different_pieces_are_told_apart(tmp_path: pathlib.Path) -> None:
    rows = ["2024-10-27 01:30,1\n", *(f"{1_600_000_000 + i},0\n" for i in range(30_000)), "2024-10-27 01:30,2\n"]
    found = read(tmp_path, "at,value\n" + "".join(rows), "csv", unit="kWh", zone=LISBON)
    assert [row for row in found.only if row[1]] == [("2024-10-27T00:30Z", 1), ("2024-10-27T01:30Z", 2)]


@pytest.mark.parametrize(
    ("preset", "text", "instant"),
    [
        ("csv", "at,value\n2024-10-27 02:30,1\n", "2024-10-27T00:30Z"),
        # P1 Monitor writes the second pass over the first; its registers are of the hour's end
        ("p1-monitor", "TIMESTAMP,VERBR_KWH_181\n2024-10-27 02:00:00,1\n", "2024-10-27T02:00Z"),
    ],
)
def test_a_label_of_the_repeated_hour_that_stands_once_is_told(
    tmp_path: pathlib.Path, preset: str, text: str, instant: str
) -> None:
    found = read(tmp_path, text, preset, zone=AMSTERDAM, **({} if preset == "csv" else {"interval": "PT1H"}))
    assert found.only == [(instant, 1)]
    assert any("stand only once: 1" in note for note in found.notes)


def test_a_label_that_the_clock_skips_is_refused_and_moves_nothing(tmp_path: pathlib.Path) -> None:
    text = "at,value\n2024-03-31 00:30,1\n2024-03-31 01:30,2\n2024-03-31 02:30,3\n"
    found = read(tmp_path, text, "csv", unit="kWh", zone=LISBON)
    assert found.only == [("2024-03-31T00:30Z", 1), ("2024-03-31T01:30Z", 3)]
    assert found.refusals == [("row", 3)]


@pytest.mark.parametrize("label", ["01:00", "02:00"])
def test_a_quarter_may_end_at_either_label_of_the_jump(tmp_path: pathlib.Path, label: str) -> None:
    rows = "".join(f"2024/03/31,{time},1.5,Real\n" for time in ("00:30", "00:45", label, "02:15", "02:30"))
    found = read(tmp_path, EREDES.splitlines(True)[0] + rows, "e-redes", zone=LISBON)
    assert [at[-6:] for at, _ in found.only] == ["00:30Z", "00:45Z", "01:00Z", "01:15Z", "01:30Z"]
    assert not found.refused


def test_a_day_of_p1_monitor_ends_at_the_next_midnight_of_the_clock(tmp_path: pathlib.Path) -> None:
    days = "".join(f"2024-03-{day} 00:00:00,{day}\n" for day in (29, 30, 31))
    found = read(tmp_path, "TIMESTAMP,VERBR_KWH_181\n" + days, "p1-monitor", zone=AMSTERDAM)
    assert found.only == [("2024-03-29T23:00Z", 29), ("2024-03-30T23:00Z", 30), ("2024-03-31T22:00Z", 31)]


def test_a_day_of_metern_lasts_as_long_as_the_clock_says(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_text("20240330,1\n20240331,2\n20241027,3\nTotal,6\n")
    (piece,) = read_file(path, "metern", household="home1", zone="Europe/Rome")
    (wire,) = piece.channels
    assert wire.interval_us is not None
    assert (wire.interval_us / 3.6e9).tolist() == [24, 23, 25]
    assert [(one.where, one.index) for one in piece.refused] == [("row", 4)]
