"""Forms of files in all their variety: what is read, what is refused by its row, and what is never guessed."""

from __future__ import annotations

import csv
import gzip
import io
import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.errors import BadInput
from statistics_manager_service.ingest.presets import PRESETS, read_file
from statistics_manager_service.ingest.presets.gathering import PIECE

LISBON, AMSTERDAM = "Europe/Lisbon", "Europe/Amsterdam"


class Read:
    """What became of a file."""

    def __init__(self, pieces: list[Decoded]) -> None:
        self.refused = [one for piece in pieces for one in piece.refused]
        self.notes = [note for piece in pieces for note in piece.notes]
        self.channels: dict[tuple[str, str], list[tuple[str, float]]] = {}
        for wire in (wire for piece in pieces for wire in piece.channels):
            at = [f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%MZ}" for us in wire.at_us.tolist()]
            rows = self.channels.setdefault((wire.meter, wire.quantity), [])
            rows += zip(at, wire.value.tolist(), strict=True)

    @property
    def only(self) -> list[tuple[str, float]]:
        (rows,) = self.channels.values()
        return rows

    @property
    def refusals(self) -> list[tuple[str, int]]:
        return [(one.where, one.index) for one in self.refused]


def read(folder: pathlib.Path, content: str | bytes, preset: str, **options: Any) -> Read:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Read(list(read_file(path, preset, household="home1", **options)))


EREDES = """Data,Hora,"Consumo registado, Ativa (kW)",Estado
2024/09/13,00:15,3.512,Real
2024/09/13,00:30,0.468,Estimada
2024/09/13,00:45,0.5,Real
"""
ENPHASE = """Date/Time,Energy Produced (Wh),Imported from Grid (Wh)
06/20/2024 00:00,0,566
06/20/2024 01:00,12,571
06/20/2024 02:00,40,
"""
P1 = """TIMESTAMP,VERBR_KWH_181,GELVR_KWH_282,VERBR_KWH_X
2022-01-01 00:00:00,6436.352,3686.969,0.27
2022-01-01 01:00:00,6436.611,3686.969,0.26
2022-01-01 02:00:00,6436.820,3686.969,0.21
"""
DSMR = """Hour Start,Electricity 1 (Dutch Users: Low Tariff),Electricity 1 Returned (Dutch Users: Low Tariff),Gas
2024-01-01T00:00:00+01:00,0.196,0.5,0.032
2024-01-01T01:00:00+01:00,0.224,0.25,0.056
2024-01-01T02:00:00+01:00,0.189,0.0,0.026
"""
ENGIE = """Datum,EAN,Verbruik,Type,Piek
2024-04-13T00:00:00+02:00,871,0.639,Elektriciteit,false
2024-04-13T00:00:00+02:00,871,0.1,Teruglevering,false
2024-04-13T01:00:00+02:00,871,0.827,Elektriciteit,false
2024-04-13T01:00:00+02:00,871,0.2,Teruglevering,false
"""
SLIMME = """datum_tijd,levering_normaal,levering_laag,teruglevering_laag,buitentemperatuur
01-01-2023 00:15:00 +0100,,"0,11","0,00",-
01-01-2023 00:30:00 +0100,,"0,12","0,00","14,00"
01-01-2023 00:45:00 +0100,"1,25",,,"13,50"
"""
LONDON = """LCLid,tstp,energy(kWh/hh)
MAC000002,2013-01-01 00:00:00, 0.219
MAC000002,2013-01-01 00:30:00.0000000, 0.241
MAC000002,2013-01-01 01:00:00,Null
"""
ZONNEPLAN = """DateFrom,DateTo,ElectricityConsumptionUsageKwh,ElectricityProductionUsageKwh
2024-01-01 00:00:00,2024-01-01 01:00:00,0.5,-0.25
2024-01-01 01:00:00,2024-01-01 02:00:00,0.75,0
2024-01-01 02:00:00,2024-01-01 03:00:00,0.125,-1.5
"""
HISTORY = """entity_id,state,last_changed
sensor.energy,10436.14,2024-12-31T23:00:00.000Z
sensor.energy,unavailable,2025-01-01T00:00:00.000Z
sensor.energy,10437.25,2025-01-01T01:00:00.000Z
"""
EMO = """name,ean,code,moment,moment-date,value,factor,type
HOME,1,ellm,1735686000,2025-01-01 00:00:00,35089902,0.001,0
HOME,1,eltm,1735686000,2025-01-01 00:00:00,33038920,-0.001,0
HOME,1,ellm,1735686900,2025-01-01 00:15:00,35089984,0.001,0
"""
SHELLY = """Date/time UTC,Active energy Wh (A),Returned energy Wh (A)
2025-03-12 00:00,28.5,0.0
2025-03-12 00:10,30.8,1.5
2025-03-12 00:20,30.0,0.0
"""
UCI = """Date,Time,Global_active_power,Voltage,Sub_metering_1
16/12/2006,17:24:00,4.216,234.84,0.000
16/12/2006,17:25:00,?,?,?
16/12/2006,17:26:00,5.374,233.29,1.000
"""
PLAIN = """at,value,meter,quantity,kind,unit
2024-01-01T00:00:00Z,10.5,grid,energy_import,register,kWh
2024-01-01 00:00,231.5,grid,voltage,sample,V
1704070800,11.25,grid,energy_import,register,kWh
"""
FORMS = {
    "e-redes": EREDES,
    "enphase": ENPHASE,
    "p1-monitor": P1,
    "dsmr-reader": DSMR,
    "engie": ENGIE,
    "slimmemeterportal": SLIMME,
    "london": LONDON,
    "zonneplan": ZONNEPLAN,
    "home-assistant": HISTORY,
    "emo": EMO,
    "shelly": SHELLY,
    "uci": UCI,
    "csv": PLAIN,
}


def rewritten(text: str, *, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL, backwards: bool = False) -> str:
    rows = list(csv.reader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[call-overload]
    writer.writerows([row[::-1] if backwards else row for row in rows])
    return out.getvalue()


HAVE_POINTS_IN_LABELS = {"london", "home-assistant"}
VARIANTS = {
    "gzip": lambda text: gzip.compress(text.encode()),
    "byte order mark and CRLF": lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "all quoted": lambda text: rewritten(text, quoting=csv.QUOTE_ALL),
    "semicolons": lambda text: rewritten(text, delimiter=";"),
    "tabs": lambda text: rewritten(text, delimiter="\t"),
    "columns in another order": lambda text: rewritten(text, backwards=True),
    "blank lines, no last line end": lambda text: text.replace("\n", "\n\n").strip(),
    "lines above the header": lambda text: "Report\n\n" + text,
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("preset", FORMS)
def test_a_form_is_read_however_it_was_saved(tmp_path: pathlib.Path, preset: str, variant: str) -> None:
    usual = read(tmp_path, FORMS[preset], preset, zone=LISBON)
    assert usual.channels and not usual.refused
    assert read(tmp_path, VARIANTS[variant](FORMS[preset]), preset, zone=LISBON).channels == usual.channels


@pytest.mark.parametrize("preset", sorted(FORMS.keys() - HAVE_POINTS_IN_LABELS))
def test_a_decimal_comma_in_a_file_of_semicolons_is_read(tmp_path: pathlib.Path, preset: str) -> None:
    usual = read(tmp_path, FORMS[preset], preset, zone=LISBON)
    text = rewritten(FORMS[preset], delimiter=";").replace(".", ",")
    assert read(tmp_path, text, preset, zone=LISBON).channels == usual.channels


# --- decimals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("at;value\n{0};1.234,5\n{1};2,5\n", [1234.5, 2.5]),
        ("at;value\n{0};1.234\n{1};12,5\n", [1234.0, 12.5]),
        ("at;value\n{0};12,345\n{1};13,456\n", [12.345, 13.456]),
        ("at;value\n{0};1.234.567\n{1};1.234.568\n", [1234567.0, 1234568.0]),
        ("at;value\n{0};1 234,5\n{1};1 234,75\n", [1234.5, 1234.75]),
        ('at,value\n{0},"1,234.5"\n{1},"1,236"\n', [1234.5, 1236.0]),
        ("at,value\n{0},0.5\n{1},1e3\n", [0.5, 1000.0]),
        ("at,value\n{0},28480\n{1},28481\n", [28480.0, 28481.0]),
        ("at\tvalue\n{0}\t12.345\n{1}\t13.456\n", [12.345, 13.456]),
    ],
)
def test_the_decimal_sign_is_decided_for_the_file(tmp_path: pathlib.Path, text: str, values: list[float]) -> None:
    found = read(tmp_path, text.format("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"), "csv", unit="kWh")
    assert [value for _, value in found.only] == values


def test_a_number_of_the_other_decimal_sign_is_refused_by_its_row(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"2024-01-01T0{hour}:00:00Z,{hour}.5\n" for hour in range(5))
    found = read(tmp_path, f'at,value\n{rows}2024-01-01T06:00:00Z,"6,5"\n', "csv", unit="kWh")
    assert [value for _, value in found.only] == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert found.refusals == [("row", 7)]


def test_decimals_that_can_not_be_told_have_to_be_named(tmp_path: pathlib.Path) -> None:
    text = 'at,value\n2024-01-01T00:00:00Z,"12,345"\n2024-01-01T01:00:00Z,"12,346"\n'
    with pytest.raises(BadInput, match="--decimal"):
        read(tmp_path, text, "csv", unit="kWh")
    assert read(tmp_path, text, "csv", unit="kWh", decimal="comma").only[0][1] == 12.345
    assert read(tmp_path, text, "csv", unit="kWh", decimal="point").only[0][1] == 12345.0


def test_numbers_that_might_be_thousands_are_told(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, "at;value\n2024-01-01T00:00:00Z;1.234\n", "csv", unit="kWh")
    assert found.only[0][1] == 1.234
    assert any("--decimal comma" in note for note in found.notes)


@pytest.mark.parametrize("cell", ["inf", "1_000", "12 kWh", "0x10", "1.2.3"])
def test_what_is_no_number_is_refused_by_its_row(tmp_path: pathlib.Path, cell: str) -> None:
    text = f"at,value\n2024-01-01T00:00:00Z,1.5\n2024-01-01T01:00:00Z,{cell}\n"
    found = read(tmp_path, text, "csv", unit="kWh")
    assert found.refusals == [("row", 3)]


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_short_row_is_refused_by_its_line(tmp_path: pathlib.Path) -> None:
    text = P1 + "2022-01-01 03:00:00,6437\n2022-01-01 04:00:00,6437.1,3687.0,0\n"
    found = read(tmp_path, text, "p1-monitor", zone=AMSTERDAM)
    assert found.refusals == [("row", 5)]
    assert "2 cells" in found.refused[0].reason
    assert len(found.channels["tariff1", "energy_import"]) == 4


@pytest.mark.parametrize(
    "label", ["yesterday", "2024/13/01 00:15", "2024/02/30 00:15", "2024/09/14 25:15", "2024/09/14 00:61"]
)
def test_a_bad_label_refuses_its_row_alone(tmp_path: pathlib.Path, label: str) -> None:
    date, _, time = label.partition(" ")
    found = read(tmp_path, EREDES + f"{date},{time},1.5,Real\n", "e-redes", zone=LISBON)
    assert found.refusals == [("row", 5)]
    assert len(found.only) == 3


def test_bad_labels_in_every_row_tell_the_form_that_is_needed(tmp_path: pathlib.Path) -> None:
    text = "TIMESTAMP,VERBR_KWH_181\n" + "soon,1.5\n" * 3
    with pytest.raises(BadInput, match=r"no row can be read; row 2: 'soon' is no label such as 2024-01-31 00:15"):
        read(tmp_path, text, "p1-monitor", zone=AMSTERDAM, interval="PT1H")


def test_an_empty_cell_is_no_reading_and_no_refusal(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, ENPHASE, "enphase", zone=AMSTERDAM)
    assert [value for _, value in found.channels["grid", "energy_import"]] == [566, 571]
    assert not found.refused


def test_a_file_of_several_homes_is_not_booked_into_one(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadInput, match="MAC000002, MAC000003"):
        read(tmp_path, LONDON + "MAC000003,2013-01-01 00:00:00,0.5\n", "london")


def test_rows_of_another_household_are_refused(tmp_path: pathlib.Path) -> None:
    text = "household,at,value\nhome1,2024-01-01T00:00:00Z,1\nhome2,2024-01-01T00:00:00Z,2\n"
    found = read(tmp_path, text, "csv", unit="kWh")
    assert [value for _, value in found.only] == [1.0]
    assert found.refusals == [("row", 3)]


@pytest.mark.parametrize(
    "words",
    [
        "grid,energy_imported,,kWh,",
        "grid,voltage,register,V,",
        "grid,energy_import,,km,",
        "grid,energy_import,interval,kWh,",
    ],
)
def test_a_row_whose_channel_can_not_be_is_refused(tmp_path: pathlib.Path, words: str) -> None:
    head = "at,value,meter,quantity,kind,unit,interval\n2024-01-01T00:00:00Z,1,grid,energy_import,,kWh,\n"
    found = read(tmp_path, f"{head}2024-01-01T01:00:00Z,2,{words}\n", "csv")
    assert found.refusals == [("row", 3)]
    assert len(found.only) == 1


def test_the_bytes_read_are_told_up_to_the_size_of_the_file(tmp_path: pathlib.Path) -> None:
    seen: list[int] = []
    text = "at,value\n" + "".join(f"{1_700_000_000 + i},{i}\n" for i in range(50_000))
    content = gzip.compress(text.encode())
    found = read(tmp_path, content, "csv", unit="kWh", on_bytes=seen.append)
    assert len(found.only) == 50_000
    assert seen == sorted(seen) and len(seen) == 3 and seen[-1] == len(content)


def test_a_large_file_comes_in_pieces(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_text("at,value\n" + "".join(f"{1_600_000_000 + i},{i}\n" for i in range(PIECE + 1)))
    sizes = [sum(len(one.at_us) for one in piece.channels) for piece in read_file(path, "csv", household="home1")]
    assert sizes == [PIECE, 1]


# --- clocks -----------------------------------------------------------------------------------------------------------


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


# --- forms ------------------------------------------------------------------------------------------------------------


def test_e_redes_books_one_column_a_direction_and_says_which(tmp_path: pathlib.Path) -> None:
    text = (
        "Data;Hora;Consumo medido na IC, Ativa (kW);Consumo registado (kW);Consumo, Reativa (kVAr);"
        "Injeção registada (kW);Injeção na rede medida na IC, Ativa (kW)\n"
        "2025/01/01;00:15;2,0;1,5;0,1;0,0;0,25\n2025/01/01;00:30;2,5;1,75;0,1;0,5;0,75\n"
    )
    found = read(tmp_path, text.encode("latin-1"), "e-redes", zone=LISBON)
    assert found.channels == {
        ("grid", "energy_import"): [("2025-01-01T00:15Z", 1.5), ("2025-01-01T00:30Z", 1.75)],
        ("grid", "energy_export"): [("2025-01-01T00:15Z", 0.0), ("2025-01-01T00:30Z", 0.5)],
    }
    assert any("energy_import is read from 'Consumo registado (kW)'" in note for note in found.notes)


def test_e_redes_dates_are_read_as_a_spreadsheet_saves_them(tmp_path: pathlib.Path) -> None:
    usual = read(tmp_path, EREDES, "e-redes", zone=LISBON)
    for date in ("2024-09-13 00:00:00", "13/09/2024", "13-09-2024"):
        assert read(tmp_path, EREDES.replace("2024/09/13", date), "e-redes", zone=LISBON).only == usual.only


def test_e_redes_passes_over_a_column_without_values(tmp_path: pathlib.Path) -> None:
    text = "Data;Hora;Consumo registado (kW);Consumo medido na IC, Ativa (kW)\n2025/01/01;00:15;;2,5\n"
    assert read(tmp_path, text, "e-redes", zone=LISBON).only == [("2025-01-01T00:15Z", 2.5)]


def test_rows_further_apart_than_the_form_says_need_a_length(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"2025/01/01,{hour:02}:00,1.5\n" for hour in range(1, 10))
    text = "Data,Hora,Consumo registado (kW)\n" + rows
    with pytest.raises(BadInput, match="60 minutes apart"):
        read(tmp_path, text, "e-redes", zone=LISBON)
    assert len(read(tmp_path, text, "e-redes", zone=LISBON, interval="PT1H").only) == 9


def test_enphase_days_first_are_seen_where_months_first_would_not_exist(tmp_path: pathlib.Path) -> None:
    text = ENPHASE.replace("06/20/2024", "20/06/2024")
    found = read(tmp_path, text, "enphase", zone=AMSTERDAM)
    assert found.channels == read(tmp_path, ENPHASE, "enphase", zone=AMSTERDAM).channels
    assert any("day first" in note for note in found.notes)


def test_home_assistant_takes_one_entity_at_a_time(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadInput, match="one at a time"):
        read(tmp_path, HISTORY + "sensor.other,5,2025-01-01T01:00:00.000Z\n", "home-assistant")


@pytest.mark.parametrize("factor", ["0", "-inf", "nan", "soon"])
def test_an_emo_row_whose_factor_makes_no_energy_is_refused(tmp_path: pathlib.Path, factor: str) -> None:
    found = read(tmp_path, EMO + f"HOME,1,ellm,1735687800,2025-01-01 00:30:00,35090217,{factor},0\n", "emo")
    assert found.refusals == [("row", 5)]


FEED = """<feed xmlns="http://www.w3.org/2005/Atom"><entry>
<link rel="self" href="/UsagePoint/1/MeterReading/1"/><link rel="related" href="/ReadingType/1"/>
<content><MeterReading xmlns="http://naesb.org/espi"/></content></entry>
<entry><link rel="self" href="/UsagePoint/1/MeterReading/1/IntervalBlock/1"/>
<content><IntervalBlock xmlns="http://naesb.org/espi">
<IntervalReading><timePeriod><duration>900</duration><start>1704067200</start></timePeriod><value>282</value></IntervalReading>
<IntervalReading><timePeriod><duration>900</duration><start>1704068100</start></timePeriod><value>much</value></IntervalReading>
</IntervalBlock></content></entry>
<entry><link rel="self" href="/ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">
<accumulationBehaviour>4</accumulationBehaviour><flowDirection>1</flowDirection>
<powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom></ReadingType></content></entry></feed>
"""


def test_green_button_values_are_scaled_by_their_reading_type(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path, FEED, "green-button")
    assert found.only == [("2024-01-01T00:00Z", 282_000)]
    assert found.refusals == [("row", 7)]


@pytest.mark.parametrize(
    ("right", "other", "why"),
    [
        ("<uom>72<", "<uom>38<", "unit is 38"),
        ("<flowDirection>1<", "<flowDirection>4<", "net"),
        ("<accumulationBehaviour>4<", "<accumulationBehaviour>3<", "accumulationBehaviour"),
        ('href="/ReadingType/1"/><content><R', 'href="/ReadingType/2"/><content><R', "ReadingType"),
        ("<feed ", '<!DOCTYPE feed [<!ENTITY a "aaaa">]><feed ', "DOCTYPE"),
        ("</feed>", "", "not XML"),
    ],
)
def test_green_button_takes_nothing_that_it_does_not_understand(
    tmp_path: pathlib.Path, right: str, other: str, why: str
) -> None:
    assert right in FEED
    feed = FEED.replace(right, other)
    if why == "ReadingType":  # one series and one type would belong to each other
        feed = feed.replace(
            "</feed>", "<entry><link rel='self' href='/ReadingType/3'/><content><ReadingType/></content></entry></feed>"
        )
    with pytest.raises(BadInput, match=why):
        read(tmp_path, feed, "green-button")


def test_green_button_books_two_lengths_of_one_flow_once(tmp_path: pathlib.Path) -> None:
    daily = FEED[FEED.index("<entry>") : FEED.index('<entry><link rel="self" href="/ReadingType')]
    daily = daily.replace("MeterReading/1", "MeterReading/2").replace(">900<", ">86400<")
    found = read(tmp_path, FEED.replace("</feed>", f"{daily}</feed>"), "green-button")
    assert found.only == [("2024-01-01T00:00Z", 282_000)]
    assert any("MeterReading/1, and not from MeterReading/2" in note for note in found.notes)


# --- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        b"a,b\n1,2\n",
        b"\x00\xff\xfe\x01" * 50,
        b"PK\x03\x04rest of a spreadsheet",
        b'at,value\n"' + b"x" * 200_000,
        gzip.compress(b"TIMESTAMP,VERBR_KWH_181\n")[:-6],
        b"{}",
        b"<feed/>",
        "\ufeffat,value\n".encode(),
    ],
)
def test_a_file_of_another_form_is_a_sentence(tmp_path: pathlib.Path, preset: str, content: bytes) -> None:
    with pytest.raises(BadInput) as error:
        read(tmp_path, content, preset, zone=LISBON)
    assert error.value.sentence


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "excel"},
        {"kind": "counter"},
        {"interval": "15 minutes"},
        {"zone": "Lisbon"},
        {"stamp": "middle"},
        {"decimal": "semicolon"},
        {"household": "../x"},
        {"meter": ""},
    ],
)
def test_a_wrong_option_is_named(tmp_path: pathlib.Path, options: dict[str, str]) -> None:
    path = tmp_path / "file"
    path.write_text(PLAIN)
    with pytest.raises(BadInput) as error:
        list(read_file(path, **({"preset": "csv", "household": "home1"} | options)))  # type: ignore[arg-type]
    (fault,) = error.value.faults
    assert fault.where in (*options, "timezone")


def test_the_docs_have_each_preset_with_its_form_and_clock() -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `") and line.count(" | ") == 3]
    told = {row[0].strip("| `"): (row[1], row[2]) for row in rows}
    assert told == {name: (preset.form, preset.clock) for name, preset in PRESETS.items()}


def test_the_example_of_the_docs_is_read(tmp_path: pathlib.Path) -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "importing.md").read_text()
    example = page[page.index("    at,value,meter") :].partition("\n\n")[0].replace("    ", "")
    found = read(tmp_path, example, "csv", zone=LISBON)
    assert not found.refused
    assert set(found.channels) == {("grid", "energy_import"), ("grid", "energy_export"), ("grid", "voltage")}
