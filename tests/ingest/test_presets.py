"""Files in all their variety: what is read, what is refused by its row, and what is never guessed."""

from __future__ import annotations

import csv
import gzip
import io
import pathlib

import pytest
from preset_files import AMSTERDAM, ENPHASE, EREDES, FORMS, LISBON, LONDON, P1, PLAIN, read

from statistics_manager_service.errors import BadInput
from statistics_manager_service.ingest.presets import PRESETS, read_file
from statistics_manager_service.ingest.presets.gathering import PIECE


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


def test_a_register_has_no_stamp_in_the_plain_form(tmp_path: pathlib.Path) -> None:
    text = "at,value,stamp\n2024-01-01T00:00:00Z,1,end\n2024-01-01T01:00:00Z,2,\n"
    found = read(tmp_path, text, "csv", unit="kWh", meter="grid", quantity="energy_import", kind="register")
    assert [value for _, value in found.only] == [2.0]
    assert "stamp" in found.refused[0].reason


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
        gzip.compress(b"TIMESTAMP,VERBR_KWH_181\n", mtime=0)[:-6],
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
