"""The page of a statement: complete, self-contained, and safe whatever stands in it."""

from __future__ import annotations

import dataclasses
import html.parser
import re
from fractions import Fraction
from typing import Any

import pytest
from handmade_statements import erse_month, in_credit, period_of, pv_year, statement_of

from statistics_manager_service.statements.html import to_html
from statistics_manager_service.statements.markup import tag
from statistics_manager_service.statements.sheet import sheet_of
from statistics_manager_service.tariffs.statement import Statement

#: Elements that a page of ours is made of; nothing that runs, loads or sends.
KNOWN = frozenset(
    {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "figure", "div", "h1", "h2", "p"}
    | {"ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "span", "small", "em", "b"}
    | {"bdi", "svg", "rect", "path", "text"}
)


class Page(html.parser.HTMLParser):
    """Reads a page: its elements, attributes and text; fails where tags do not match."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def cells(self) -> list[str]:
        return [" ".join(one.split()) for one in self.texts]


def shown_texts(thing: Any) -> list[str]:
    """Every text of what a statement shows."""
    if isinstance(thing, str):
        return [thing] if thing.strip() else []
    if dataclasses.is_dataclass(thing):
        return [one for field in dataclasses.fields(thing) for one in shown_texts(getattr(thing, field.name))]
    return [text for one in thing for text in shown_texts(one)] if isinstance(thing, tuple) else []


EVERY = {
    "month": erse_month(),
    "exact": erse_month(None),
    "year": pv_year(),
    "thirteen periods": pv_year(13),
    "credit": in_credit(),
    "no period": statement_of(()),
}


@pytest.mark.parametrize("statement", EVERY.values(), ids=EVERY)
def test_the_page_says_all_that_the_statement_shows(statement: Statement) -> None:
    page = Page(to_html(statement))
    lacking = [one for one in shown_texts(sheet_of(statement)) if " ".join(one.split()) not in page.text]
    assert lacking == []


@pytest.mark.parametrize("statement", EVERY.values(), ids=EVERY)
def test_the_page_runs_nothing_and_loads_nothing(statement: Statement) -> None:
    source = to_html(statement)
    page = Page(source)
    assert set(page.tags) <= KNOWN
    assert not {
        name for _, name, _ in page.attributes if name in ("src", "href", "srcset", "style") or name[:2] == "on"
    }
    assert not re.search(r"url\(|@import|https?:", source)
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in (value or ""))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def test_the_published_portuguese_example_is_on_the_page() -> None:
    cells = Page(to_html(erse_month(None))).cells()
    assert "€36.82" in cells  # as ERSE published it
    assert "34.61" in cells
    for quantity, price, net in (
        ("95.000", "0.1988", "18.89"),
        ("63.333", "0.1087", "6.88"),
        ("30.4167", "0.1718", "5.23"),
        ("30.4167", "0.0199", "0.61"),
        ("1", "2.85", "2.85"),
        ("158.333", "0.001", "0.16"),
    ):
        at = next(i for i, text in enumerate(cells) if text == price)
        assert cells[at - 2] == quantity and cells[at + 2] == net


def test_the_gross_of_every_line_and_period_is_there() -> None:
    statement = pv_year()
    cells = Page(to_html(statement)).cells()
    for period in statement.periods:
        for amount in (period.net, period.tax, period.gross, *(one.gross for one in period.lines)):
            assert f"{float(amount):.2f}".replace("-", "−") in cells


@pytest.mark.parametrize("where", ["name", "household", "currency", "tariffs", "provisional", "line", "period"])
def test_markup_in_what_people_name_is_text(where: str) -> None:
    hostile = """<script>alert('1')</script>"><img src=x onerror=alert(2)>&lt;"""
    statement = erse_month()
    period = statement.periods[0]
    if where == "line":
        names = {"title": hostile, "component": hostile, "period": hostile, "unit": hostile, "price_unit": hostile}
        lines = tuple(dataclasses.replace(one, **names, tax_name=hostile, note=hostile) for one in period.lines)
        statement = dataclasses.replace(statement, periods=(dataclasses.replace(period, lines=lines),))
    elif where == "period":
        periods = (dataclasses.replace(period, provisional=(hostile,)), period)
        statement = dataclasses.replace(statement, periods=periods)
    else:
        is_several = where in ("tariffs", "provisional")
        statement = dataclasses.replace(statement, **{where: (hostile,) if is_several else hostile})
    page = Page(to_html(statement))
    assert hostile in page.text
    assert set(page.tags) <= KNOWN


def test_a_credit_is_shown_as_one() -> None:
    text = Page(to_html(in_credit())).text
    assert "Credit in your favour €52.12" in text
    assert "Net −€52.70 + tax €0.58 = −€52.12" in text
    assert "Amounts with a minus are in your favour." in text
    assert "Credit in your favour" not in Page(to_html(erse_month())).text


def test_what_is_provisional_says_so_and_why_once() -> None:
    why = "The newest readings may still be corrected."
    statement = dataclasses.replace(pv_year(), provisional=(why, "A price of 3 March is missing."))
    page = Page(to_html(statement))
    assert "This statement is provisional It may still change: " + f"{why} A price of 3 March is missing." in page.text
    assert page.text.count(why) == 2  # in the box, and at its period
    assert "provisional" not in Page(to_html(erse_month())).text


def test_shares_of_what_is_estimated_and_missing_are_told_and_explained() -> None:
    start_us, end_us = erse_month().start_us, erse_month().end_us
    period = period_of(start_us, end_us, (), measured=0.95, estimated=0.04)
    text = Page(to_html(statement_of((period,)))).text
    assert "Measured 95%" in text and "Estimated 4%" in text and "Missing 1%" in text
    assert "95% measured, 4% estimated, 1% missing" in text
    assert "Missing: no reading tells" in text
    assert "Missing: no reading tells" not in Page(to_html(erse_month())).text


def test_a_period_without_lines_says_so() -> None:
    period = period_of(erse_month().start_us, erse_month().end_us, ())
    assert "Nothing is charged for this time." in Page(to_html(statement_of((period,)))).text


def test_exact_amounts_are_told_to_be_rounded_where_they_are_shown() -> None:
    assert "Amounts are exact" in Page(to_html(erse_month(None))).text
    assert "Amounts are exact" not in Page(to_html(erse_month(2))).text


def test_a_line_tells_its_own_time_its_note_and_what_has_no_price() -> None:
    statement = erse_month()
    period = statement.periods[0]
    half_us = (period.start_us + period.end_us) // 2
    line = dataclasses.replace(period.lines[0], end_us=half_us, missing_price_share=Fraction(1, 32), unit_price=None)
    noted = dataclasses.replace(period.lines[1], note="Capped at 3.50.", missing_price_share=Fraction(1, 2))
    lines = (line, noted, *period.lines[2:])
    text = Page(to_html(dataclasses.replace(statement, periods=(dataclasses.replace(period, lines=lines),)))).text
    assert "1 Jan 2026, 00:00 – 16 Jan 2026, 12:00 price missing for 3.1% of it 95.000" in text
    assert "Energy · V Capped at 3.50. 63.333" in text
    assert "95.000 kWh – 18.89" in text  # no single price


def test_an_unnamed_household_is_told_by_its_id() -> None:
    assert (
        "Electricity statement Household home1 1–31 January 2026 Europe/Lisbon"
        in Page(to_html(dataclasses.replace(erse_month(), name=None))).text
    )


def test_every_letter_is_on_the_page() -> None:
    name = "Łódź João Київ 李小龍 한국 أحمد 😀"
    assert name in Page(to_html(dataclasses.replace(erse_month(), name=name))).text


def test_long_statements_begin_with_a_table_of_their_periods() -> None:
    text = Page(to_html(pv_year(13))).text
    assert text.index("Billing periods") < text.index("Billing period 1 of 13")
    assert "1–31 Jan 2026 provisional 31 306.8 7.2" in text
    assert "Billing periods" not in Page(to_html(erse_month())).text


def test_a_year_of_lines_stays_a_small_page() -> None:
    assert len(to_html(pv_year(13))) < 200_000


def test_what_stands_in_an_attribute_is_escaped_too() -> None:
    assert tag("td", "a & b", data_label='"><script>') == '<td data-label="&quot;&gt;&lt;script&gt;">a &amp; b</td>'
