"""A statement as a PDF to send: A4, the same texts as the page, the chart as vectors."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import Final

from statistics_manager_service.statements.chart import Chart, Tone, chart_of
from statistics_manager_service.statements.fonts import helping_font, installed_fonts
from statistics_manager_service.statements.paper import (
    ACCENT,
    AMBER,
    AMBER_PALE,
    BOTTOM,
    GREEN,
    GREY,
    HAIR,
    INK,
    LEFT,
    LIGHT,
    SAND,
    SAND_PALE,
    SOFT,
    TOP,
    WHITE,
    WIDTH,
    Align,
    Colour,
    Paper,
    leading,
)
from statistics_manager_service.statements.sheet import LANGUAGE, PeriodSheet, Row, Sheet, Sums, sheet_of
from statistics_manager_service.statements.tables import Column, Table, TableRow
from statistics_manager_service.tariffs.statement import Statement

_TONES: Final[dict[Tone, Colour]] = {
    "energy": ACCENT,
    "cost": GREY,
    "credit": GREEN,
    "part": LIGHT,
    "unknown": SAND_PALE,
}
_SHARES: Final = (ACCENT, LIGHT, SAND)
_SPACE: Final = 8.5
_GUTTER: Final = 12.0
_HALF: Final = (WIDTH - _GUTTER) / 2
_HEADING: Final = leading(11) + 1.5
_SHARES_HEIGHT: Final = 34.0
_CARD_WIDTH: Final = 74.0
_CARD_HEIGHT: Final = 50.0
_PART_HEIGHT: Final = 6.0
_CHART_PT: Final = 7.5
_LIST_HEAD_PT, _LIST_PT, _LIST_GAP = 9.5, 8.0, 0.8
_TARIFFS_WIDTH: Final = 52.0
_LABEL_ROOM: Final = 20.0
#: By where a label's point is: how far left of it its room begins, and how it stands in there.
_PLACES: Final[dict[str, tuple[float, Align]]] = {
    "left": (0, "L"),
    "middle": (_LABEL_ROOM / 2, "C"),
    "right": (_LABEL_ROOM, "R"),
}


def to_pdf(statement: Statement, fonts: Sequence[pathlib.Path] | None = None) -> bytes:
    """The PDF of a statement: the same bytes for the same statement and fonts.

    fonts: files of fonts for letters that the shipped one lacks, the preferred first; those of the machine unless told.
    """
    sheet = sheet_of(statement)
    helping = helping_font(_foreign(sheet), installed_fonts() if fonts is None else fonts)
    running = f"{sheet.title} · {sheet.span} · {sheet.name}"  # what is too long is cut at its end
    paper = Paper(f"{sheet.title} – {sheet.name} – {sheet.span}", running, LANGUAGE, statement.made_us, helping)
    _header(paper, sheet)
    _provisional(paper, sheet)
    _overview(paper, sheet)
    _chart(paper, chart_of(statement, WIDTH))
    _facts(paper, sheet)
    ends_first = paper.page_no() == 1 and paper.y_mm + _SPACE + _ending_height(paper, sheet) <= BOTTOM
    if ends_first:  # rather than on a page of their own
        _ending(paper, sheet)
    _period_table(paper, sheet)
    for period in sheet.periods:
        _period(paper, sheet, period)
    if not ends_first:
        _ending(paper, sheet)
    return paper.finished()


def _foreign(sheet: Sheet) -> Iterator[str]:
    """Texts that people have written."""
    yield from (sheet.name, sheet.about, sheet.mark, *sheet.tariffs, *sheet.provisional)
    for period in sheet.periods:
        yield from (*period.facts, *period.provisional)
        for group in period.groups:
            for row in group.rows:
                yield from (row.title, *row.details, row.unit, row.price_unit)


def _header(paper: Paper, sheet: Sheet) -> None:
    paper.box(LEFT, 0, WIDTH, 1.6, ACCENT)
    paper.paragraph(sheet.title, size=24, bold=True)
    paper.y_mm += 1.5
    paper.paragraph(sheet.name, size=13)
    paper.paragraph(sheet.span, size=13, colour=ACCENT)
    paper.y_mm += 1
    paper.paragraph(sheet.about, size=8.5, colour=SOFT)


def _provisional(paper: Paper, sheet: Sheet) -> None:
    if not sheet.provisional:
        return
    paper.space(_SPACE)
    inside = WIDTH - 12
    reasons = [paper.lines(why, inside - 4, 9) for why in sheet.provisional]
    height = 8 + leading(10) + leading(9) * (1 + sum(map(len, reasons)))
    paper.need(height)
    y = paper.y_mm
    paper.box(LEFT, y, WIDTH, height, AMBER_PALE)
    paper.box(LEFT, y, 1.2, height, AMBER)
    y += 4
    paper.put(LEFT + 6, y, "This statement is provisional", size=10, bold=True, colour=AMBER)
    y += leading(10)
    paper.put(LEFT + 6, y, "It may still change:", size=9)
    y += leading(9)
    for lines in reasons:
        paper.put(LEFT + 6, y, "•")
        for line in lines:
            paper.put(LEFT + 10, y, line, width=inside - 3)
            y += leading(9)
    paper.y_mm += height


def _heading(paper: Paper, text: str, x: float = LEFT, width: float = WIDTH) -> None:
    paper.put(x, paper.y_mm, text, width=width, size=11, bold=True)
    paper.y_mm += _HEADING


def _overview(paper: Paper, sheet: Sheet) -> None:
    paper.space(_SPACE)
    parts_height = _HEADING + _PART_HEIGHT * (len(sheet.parts) + 1)
    paper.need(max(_CARD_HEIGHT, parts_height))
    top = paper.y_mm
    _card(paper, sheet, top)
    x, width = LEFT + _CARD_WIDTH + _GUTTER, WIDTH - _CARD_WIDTH - _GUTTER
    _heading(paper, f"What it is made of, {sheet.mark}", x, width)
    for i, one in enumerate(sheet.parts):
        y = paper.y_mm
        paper.rule(x, y, width, HAIR) if i else None
        paper.put(x, y + 1, one.title, width=38, size=9)
        paper.box(x + 40, y + 2.3, abs(one.weight) * 22, 1.7, GREEN if one.weight < 0 else ACCENT)
        paper.put(x + 64, y + 1, one.amount, width=width - 64, align="R", size=9)
        paper.y_mm += _PART_HEIGHT
    paper.rule(x, paper.y_mm, width, INK)
    paper.put(x, paper.y_mm + 1.2, "Total", size=9, bold=True)
    paper.put(x, paper.y_mm + 1.2, sheet.sums.gross, width=width, align="R", size=9, bold=True)
    paper.y_mm = top + max(_CARD_HEIGHT, parts_height)


def _card(paper: Paper, sheet: Sheet, top: float) -> None:
    x, width = LEFT + 7, _CARD_WIDTH - 14
    paper.box(LEFT, top, _CARD_WIDTH, _CARD_HEIGHT, GREEN if sheet.is_credit else ACCENT, radius=1.6)
    paper.put(x, top + 6, sheet.total_title, width=width, size=10, colour=WHITE)
    paper.put(x, top + 11, sheet.total, width=width, size=32, bold=True, colour=WHITE)
    paper.put(x, top + 27, sheet.total_detail, width=width, size=8.5, colour=WHITE)
    paper.rule(x, top + 34.5, width, LIGHT)
    for i, (name, text) in enumerate(sheet.energies):
        y = top + 37 + i * 4.8
        paper.put(x, y, name, width=width, size=8.5, colour=WHITE)
        paper.put(x, y, text, width=width, align="R", size=8.5, colour=WHITE)


def _chart(paper: Paper, chart: Chart | None) -> None:
    if chart is None:
        return
    paper.space(_SPACE)
    paper.need(chart.height + (leading(_CHART_PT) if chart.legend else 0))
    top = paper.y_mm
    for rule in chart.rules:
        paper.rule(LEFT + rule.x, top + rule.y, rule.width, HAIR)
    for bar in chart.bars:
        paper.box(LEFT + bar.x, top + bar.y, bar.width, bar.height, _TONES[bar.tone])
    for label in chart.labels:
        size, colour = (8.5, INK) if label.is_title else (_CHART_PT, SOFT)
        begin, align = _PLACES[label.align]
        width = WIDTH if begin == 0 else _LABEL_ROOM
        x, y = LEFT + label.x - begin, top + label.y - leading(size) / 2
        paper.put(x, y, label.text, width=width, align=align, size=size, bold=label.is_title, colour=colour)
    paper.y_mm += chart.height
    x = LEFT
    for tone, text in chart.legend:
        paper.box(x, paper.y_mm + 0.9, 2, 2, _TONES[tone])
        paper.put(x + 3.2, paper.y_mm, text, size=_CHART_PT, colour=SOFT)
        x += 3.2 + paper.get_string_width(text) + 6
    paper.y_mm += leading(_CHART_PT) if chart.legend else 0


def _facts(paper: Paper, sheet: Sheet) -> None:
    paper.space(_SPACE)
    columns = [Column("Rate", 20, "L"), *_amount_columns(sheet.mark, (_HALF - 20) / 3)]
    rows = [TableRow((one.rate, *_amounts(one.sums))) for one in sheet.taxes]
    table = Table(paper, columns, [("", rows)], ["Total", *_amounts(sheet.sums)], total_width=20)
    paper.need(max(_HEADING + _whole_or_least(table, BOTTOM - TOP), _SHARES_HEIGHT))
    top = paper.y_mm
    _heading(paper, "How the energy is known", LEFT + _HALF + _GUTTER, _HALF)
    _shares(paper, sheet)
    page, bottom, paper.y_mm = paper.page, paper.y_mm, top
    _heading(paper, "Taxes by rate")
    table.draw()
    paper.y_mm = max(paper.y_mm, bottom if page == paper.page else 0)


def _amount_columns(mark: str, width: float) -> list[Column]:
    return [Column(f"{one} {mark}", width, bold=one == "Gross") for one in ("Net", "Tax", "Gross")]


def _whole_or_least(table: Table, room: float) -> float:
    """The height that must be left on this page: of the whole table, if a page can hold it."""
    return table.height if table.height < room - 20 else table.least_height


def _amounts(sums: Sums) -> tuple[str, str, str]:
    return sums.net, sums.tax, sums.gross


def _shares(paper: Paper, sheet: Sheet) -> None:
    x, at = LEFT + _HALF + _GUTTER, 0.0
    paper.y_mm += 1
    paper.box(x, paper.y_mm, _HALF, 2.6, HAIR)
    for one, colour in zip(sheet.shares, _SHARES, strict=True):
        paper.box(x + at * _HALF, paper.y_mm, one.weight * _HALF, 2.6, colour)
        at += one.weight
    paper.y_mm += 5
    for one, colour in zip(sheet.shares, _SHARES, strict=True):
        paper.box(x, paper.y_mm + 1.1, 2.2, 2.2, colour)
        paper.put(x + 4, paper.y_mm, one.name, size=8.5)
        paper.put(x, paper.y_mm, one.text, width=_HALF, align="R", size=8.5)
        paper.y_mm += 5
    paper.put(x, paper.y_mm + 0.5, "Shares of the time covered.", size=7.5, colour=SOFT)
    paper.y_mm += 0.5 + leading(7.5)


def _period_table(paper: Paper, sheet: Sheet) -> None:
    if not sheet.period_rows:
        return
    columns = [Column("Period", 52, "L"), Column("Days", 15), Column("From grid kWh", 25), Column("To grid kWh", 22)]
    rows = [
        TableRow(
            (one.span, one.days, one.imported, one.exported, *_amounts(one.sums)),
            flag="provisional" if one.is_provisional else "",
        )
        for one in sheet.period_rows
    ]
    columns += _amount_columns(sheet.mark, 20)
    table = Table(paper, columns, [("", rows)], ["Total", "", "", "", *_amounts(sheet.sums)], total_width=52)
    paper.space(_SPACE)
    paper.need(_HEADING + _whole_or_least(table, BOTTOM - TOP))
    paper.start_section("Billing periods")
    _heading(paper, "Billing periods")
    table.draw()


def _lines_table(paper: Paper, sheet: Sheet, period: PeriodSheet) -> Table:
    """Quantity and price have their unit in a column of its own, so that the figures stand below each other."""
    columns = [
        Column("Charge", 60, "L"),
        Column("Quantity", 16),
        Column("", 13, "L", SOFT),
        Column(f"Unit price {sheet.mark}", 15),
        Column("", 15, "L", SOFT),
        Column(f"Net {sheet.mark}", 15),
        Column("Rate", 10, colour=SOFT),
        Column(f"Tax {sheet.mark}", 14),
        Column(f"Gross {sheet.mark}", 16, bold=True),
    ]
    groups = [(group.title, [_table_row(row) for row in group.rows]) for group in period.groups]
    if not groups:
        groups = [("", [TableRow(("Nothing is charged for this time.", *[""] * 8))])]
    net, tax, gross = _amounts(period.sums)
    return Table(paper, columns, groups, [period.total, "", "", "", "", net, "", tax, gross], total_width=119, size=8)


def _table_row(row: Row) -> TableRow:
    net, tax, gross = _amounts(row.sums)
    unit, price_unit = f" {row.unit}", f" {row.price_unit}"
    return TableRow(
        (row.title, row.quantity, unit, row.price, price_unit, net, row.tax_rate, tax, gross), details=row.details
    )


def _period(paper: Paper, sheet: Sheet, period: PeriodSheet) -> None:
    table = _lines_table(paper, sheet, period)
    small = [(line, SOFT) for line in paper.lines(" · ".join(period.facts), WIDTH, 8.2)]
    small += [(line, AMBER) for why in period.provisional for line in paper.lines(f"Provisional: {why}", WIDTH, 8.2)]
    intro = leading(11) + len(small) * leading(8.2) + 1.5
    paper.space(_SPACE)
    paper.need(intro + _whole_or_least(table, BOTTOM - TOP - intro))
    paper.start_section(f"{period.title}: {period.span}")
    paper.put(LEFT, paper.y_mm, period.title, size=11, bold=True)
    paper.put(LEFT + paper.get_string_width(period.title) + 4, paper.y_mm, period.span, size=11, colour=ACCENT)
    paper.y_mm += leading(11)
    for line, colour in small:
        paper.paragraph(line, size=8.2, colour=colour)
    paper.y_mm += 1.5
    table.draw()


def _ending(paper: Paper, sheet: Sheet) -> None:
    """Notes and tariffs beside each other; below each other where they are longer than a page."""
    height = _ending_height(paper, sheet)
    is_long = height > BOTTOM - TOP - _SPACE
    paper.space(_SPACE)
    paper.need(0 if is_long else height)
    top = paper.y_mm
    for title, items, x, width in _lists(sheet):
        x, width = (LEFT, WIDTH) if is_long else (x, width)
        paper.y_mm = paper.y_mm if is_long else top
        paper.need(leading(_LIST_HEAD_PT) + leading(_LIST_PT))
        paper.paragraph(title, x=x, width=width, size=_LIST_HEAD_PT, bold=True)
        for one in items:
            paper.y_mm += _LIST_GAP
            paper.paragraph(one, x=x, width=width, size=_LIST_PT, colour=SOFT)
    paper.y_mm = paper.y_mm if is_long else top + height


def _ending_height(paper: Paper, sheet: Sheet) -> float:
    """Of both beside each other."""
    heights = []
    for _, items, _, width in _lists(sheet):
        lines = sum(len(paper.lines(one, width, _LIST_PT)) for one in items)
        heights.append(leading(_LIST_HEAD_PT) + lines * leading(_LIST_PT) + len(items) * _LIST_GAP)
    return max(heights)


def _lists(sheet: Sheet) -> list[tuple[str, tuple[str, ...], float, float]]:
    """Title, items, place and width of each."""
    notes, tariffs = WIDTH - _TARIFFS_WIDTH - _GUTTER, ("Tariffs used", sheet.tariffs)
    found = [("Notes", sheet.notes, LEFT, notes), (*tariffs, LEFT + notes + _GUTTER, _TARIFFS_WIDTH)]
    return [one for one in found if one[1]]
