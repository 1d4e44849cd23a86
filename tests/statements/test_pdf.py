"""The PDF of a statement, read back by another library."""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import pathlib
import re
import subprocess
import sys
from datetime import UTC, datetime
from fractions import Fraction

import pypdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from handmade_statements import digest, erse_month, in_credit, period_of, pv_year, statement_of
from test_html import EVERY, shown_texts

from statistics_manager_service.statements.fonts import REGULAR, SEMIBOLD, helping_font, letters_of, writable
from statistics_manager_service.statements.pdf import to_pdf
from statistics_manager_service.statements.sheet import sheet_of
from statistics_manager_service.tariffs.statement import Statement

A4_PT = (595.28, 841.89)


def opened(statement: Statement, fonts: tuple[pathlib.Path, ...] = ()) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(to_pdf(statement, fonts)), strict=True)


def texts(reader: pypdf.PdfReader) -> list[str]:
    """The text of each page, without its running head and its number."""
    pages = []
    for i, page in enumerate(reader.pages):
        lines = page.extract_text().splitlines()
        number = f"Page {i + 1} of {len(reader.pages)}"
        assert number in lines
        lines.remove(number)
        pages.append(" ".join(" ".join(lines[1:] if i else lines).split()))
    return pages


def text_of(statement: Statement) -> str:
    return " ".join(texts(opened(statement)))


@pytest.mark.parametrize("statement", EVERY.values(), ids=EVERY)
def test_the_pdf_says_all_that_the_statement_shows(statement: Statement) -> None:
    text = text_of(statement)
    assert [one for one in shown_texts(sheet_of(statement)) if " ".join(one.split()) not in text] == []


def test_the_published_portuguese_example_is_in_the_pdf() -> None:
    text = text_of(erse_month(None))
    assert "€36.82" in text and "Net €34.61 + tax €2.21" in text
    for row in (
        "95.000 kWh 0.1988 / kWh 18.89 6%",
        "63.333 kWh 0.1087 / kWh 6.88 6%",
        "30.4167 days 0.1718 / day 5.23 6%",
        "30.4167 days 0.0199 / day 0.61 23%",
        "1 month 2.85 / month 2.85 6%",
        "158.333 kWh 0.001 / kWh 0.16 23%",
    ):
        assert row in text


def test_the_gross_of_every_line_and_the_totals_are_there() -> None:
    statement = pv_year(13)
    text = text_of(statement)
    amounts = [one.gross for period in statement.periods for one in (*period.lines, period)]
    counts = {}
    for amount in [*amounts, statement.net, statement.tax, statement.gross]:
        told = f"{float(amount):.2f}".replace("-", "−")
        counts[told] = counts.get(told, 0) + 1
    found = re.findall(r"−?[\d,]+\.\d\d(?!\d)", text)
    assert [told for told, count in counts.items() if found.count(told) < count] == []


def test_it_is_a_document_of_a4_with_title_language_date_and_letters_of_its_own() -> None:
    reader = opened(erse_month())
    assert reader.metadata is not None
    assert reader.metadata.title == "Electricity statement – Casa do João – 1–31 January 2026"
    assert reader.metadata.creation_date == datetime(2026, 11, 25, tzinfo=UTC)
    assert reader.root_object["/Lang"] == "en"
    for page in reader.pages:
        assert [float(one) for one in page.mediabox[2:]] == pytest.approx(A4_PT, abs=0.1)
        fonts = page["/Resources"]["/Font"].values()
        for font in fonts:
            descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert "/FontFile2" in descriptor


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_statement_is_the_same_bytes_in_every_process(seed: str) -> None:
    code = "from handmade_statements import digest; print(digest())"
    here = pathlib.Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1])])
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert told.stdout.strip() == digest()


@pytest.mark.parametrize(
    ("statement", "pages"),
    [(erse_month(), 2), (in_credit(), 2), (statement_of(()), 1), (pv_year(2), 3), (pv_year(12), 8)],
    ids=["month", "credit", "nothing", "two periods", "year"],
)
def test_it_has_no_more_pages_than_it_needs(statement: Statement, pages: int) -> None:
    assert len(opened(statement).pages) == pages


def long_periods(counts: range) -> Statement:
    """Periods of so many lines each, of two kinds and of different heights."""
    month = erse_month()
    period = month.periods[0]
    periods = []
    for count in counts:
        lines = tuple(
            dataclasses.replace(
                period.lines[i % len(period.lines)],
                title=f"Charge {i} of {count}",
                note="With a note." if (i + count) % 5 else None,
            )
            for i in range(count)
        )
        periods.append(dataclasses.replace(period, lines=lines))
    return dataclasses.replace(month, periods=tuple(periods))


def test_long_tables_repeat_their_heads_and_tear_nothing() -> None:
    counts = range(45, 60)
    pages = texts(opened(long_periods(counts)))
    heads = "Charge Quantity Unit price € Net € Rate Tax € Gross €"
    groups = ("Energy from the grid", "Fixed charges")
    assert len(pages) > len(counts)
    for page in pages[3:-1]:
        begin, *tables = page.split(heads)
        assert tables
        assert not begin or begin.startswith("Billing period")
        for table in tables:
            assert not table.strip().startswith("Total")
            assert not re.sub("Billing period.*", "", table).strip().endswith(groups)
            assert re.search(r"Charge \d+ of \d+", table)
    text = " ".join(pages)
    assert [f"{i} of {n}" for n in counts for i in range(n) if f"Charge {i} of {n}" not in text] == []


def test_no_period_that_fits_a_page_is_torn() -> None:
    for page in texts(opened(pv_year(13))):
        assert len(re.findall(r"Billing period \d+ of 13", page)) == len(re.findall(r"Total 1–\d\d \w+ 202[56]", page))


def placed_texts(page: pypdf.PageObject) -> list[tuple[float, float, float, str]]:
    """(y, x, end, text) of each text of a page, in points; the end by the widths of the regular letters."""
    font = TTFont(REGULAR)
    names, widths, per_em = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
    found = []

    def visit(text: str, _matrix: list[float], at: list[float], _font: object, size: float) -> None:
        if shown := text.strip():  # the reader puts spaces between texts of a line
            wide = sum(widths[names[ord(one)]][0] for one in shown) * size / per_em
            found.append((round(at[5], 1), at[4], at[4] + wide, shown))

    page.extract_text(visitor_text=visit)
    return sorted(found)


def test_texts_do_not_overlap_and_stand_between_the_margins_however_long_they_are() -> None:
    amount = Fraction(-(10**13), 7)
    month = long_periods(range(20, 21))
    lines = tuple(
        dataclasses.replace(
            one, net=amount, tax=amount, gross=amount, quantity=-amount, unit_price=amount, unit="kVA·days"
        )
        for one in month.periods[0].lines
    )
    periods = (dataclasses.replace(month.periods[0], lines=lines, net=amount, tax=amount, gross=amount),) * 2
    wide = dataclasses.replace(
        month,
        periods=periods,
        name="W" * 300,
        household="i" * 300,
        currency="XTS",
        net=amount,
        tax=amount,
        gross=amount,
    )
    for page in opened(wide).pages:
        placed = placed_texts(page)
        assert placed
        for (y, _, end, text), (next_y, x, *_) in itertools.pairwise(placed):
            assert y != next_y or end <= x, text
        assert [one for one in placed if one[1] < 50 or one[2] > 546 or not 25 < one[0] < 815] == []


def test_a_credit_is_shown_as_one() -> None:
    text = text_of(in_credit())
    assert "Credit in your favour" in text and "€52.12" in text
    assert "Net −€52.70 + tax €0.58 = −€52.12" in text
    assert "Credit in your favour" not in text_of(erse_month())


def test_what_is_provisional_says_so_and_why_on_the_first_page() -> None:
    why = "The price of 3 March, 14:00, is missing; " * 5
    pages = texts(opened(dataclasses.replace(erse_month(), provisional=(why, "Newest readings."))))
    assert f"This statement is provisional It may still change: • {why.strip()} • Newest readings." in pages[0]
    assert "provisional" not in text_of(erse_month())


def test_a_hundred_reasons_are_all_told_at_their_period_and_the_first_ones_before() -> None:
    reasons = tuple(f"Reason number {i}." for i in range(100))
    month = erse_month()
    periods = (dataclasses.replace(month.periods[0], provisional=reasons),)
    pages = texts(opened(dataclasses.replace(month, periods=periods, provisional=reasons)))
    assert [one for one in reasons if f"Provisional: {one}" not in " ".join(pages)] == []
    assert "• Reason number 7. • 92 more reasons, told at the billing periods" in pages[0]
    assert all(pages)


def test_a_period_without_lines_says_so() -> None:
    month = erse_month()
    text = text_of(statement_of((period_of(month.start_us, month.end_us, ()),)))
    assert "Nothing is charged for this time." in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "Łódź João Ελλάδα Київ Nguyễn", "a" * 400, "{nb} (\\) **x**"]
)
def test_a_name_is_written_as_it_is(name: str) -> None:
    reader = opened(dataclasses.replace(erse_month(), name=name))
    assert name.replace(" ", "") in texts(reader)[0].replace(" ", "")
    assert reader.metadata is not None and name in (reader.metadata.title or "")


def test_periods_are_bookmarks() -> None:
    titles = [one["/Title"] for one in opened(pv_year(2)).outline]
    assert titles == [
        "Billing periods",
        "Billing period 1 of 2: 1–31 January 2025",
        "Billing period 2 of 2: 1–28 February 2025",
    ]


@pytest.fixture
def plum_font(tmp_path: pathlib.Path) -> pathlib.Path:
    """A font of two letters: 李 and the Hebrew alef, both a square."""
    pen = TTGlyphPen(None)
    for i, point in enumerate(((0, 0), (0, 900), (900, 900), (900, 0))):
        pen.lineTo(point) if i else pen.moveTo(point)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", "plum", "alef"]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord("李"): "plum", ord("א"): "alef"})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Plum", "styleName": "Regular", "psName": "Plum-Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "plum.ttf"
    builder.save(path)
    return path


def test_letters_that_the_font_lacks_are_written_by_one_that_has_them(plum_font: pathlib.Path) -> None:
    statement = dataclasses.replace(erse_month(), name="李 João")
    assert "李 João" in texts(opened(statement, (plum_font,)))[0]


def test_without_such_a_font_they_are_boxes_and_the_title_keeps_them() -> None:
    reader = opened(dataclasses.replace(erse_month(), name="李 João 😀 e\u0301\u0323\u20dd"))
    assert "□ João □ " in texts(reader)[0]
    assert reader.metadata is not None and "李 João 😀" in (reader.metadata.title or "")


def test_letters_that_must_be_joined_or_turned_are_boxes_rather_than_wrong(plum_font: pathlib.Path) -> None:
    assert writable("אa李", plum_font) == "□a李"
    assert helping_font(["אבג"], (plum_font,)) is None


def test_a_file_that_is_no_font_is_passed_over(plum_font: pathlib.Path, tmp_path: pathlib.Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    statement = dataclasses.replace(erse_month(), name="李")
    assert "李" in texts(opened(statement, (broken, tmp_path / "nowhere.ttf", plum_font)))[0]


def test_the_fonts_that_are_shipped_are_small_and_have_latin_greek_and_cyrillic() -> None:
    assert sum(one.stat().st_size for one in (REGULAR, SEMIBOLD)) < 200_000
    for font in (REGULAR, SEMIBOLD):
        assert {ord(one) for one in "Łódź ĂăŞşŢţȘșȚț Ελλάδα Київ Ђђ Nguyễn €£$₴₺ −–·• □…"} <= letters_of(font)
        widths = TTFont(font)["hmtx"]
        names = TTFont(font).getBestCmap()
        assert len({widths[names[ord(one)]][0] for one in "0123456789"}) == 1


def test_notes_stand_on_the_first_page_where_it_has_room_and_at_the_end_elsewhere() -> None:
    month, year = texts(opened(erse_month())), texts(opened(pv_year()))
    assert "Tariffs used" in month[0] and "Billing period" in month[1]
    assert [i for i, page in enumerate(year) if "Tariffs used" in page] == [len(year) - 1]


def test_a_thousand_tariffs_are_all_told() -> None:
    tariffs = tuple(f"tariff-{i} version 1" for i in range(1000))
    pages = texts(opened(dataclasses.replace(erse_month(), tariffs=tariffs)))
    assert [one for one in tariffs if one not in " ".join(pages)] == []
    assert all(pages)
