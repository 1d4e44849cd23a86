"""A statement as one page of HTML: no script, nothing from outside; for the screen, the phone and paper."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Final

from statistics_manager_service.statements.chart import Chart, chart_of
from statistics_manager_service.statements.markup import Markup, joined, tag
from statistics_manager_service.statements.sheet import LANGUAGE, Group, PeriodSheet, Row, Sheet, Sums, sheet_of
from statistics_manager_service.tariffs.statement import Statement

#: The page may use its own style and nothing else, even if something slipped into it.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
#: Widths in mm for which the chart is laid out; the page shows the one that fits.
_WIDE, _NARROW = 174.0, 88.0
_FONT_MM: Final = 2.7


def to_html(statement: Statement) -> str:
    """The page of a statement."""
    sheet = sheet_of(statement)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{sheet.title} – {sheet.name} – {sheet.span}"),
        tag("style", _style()),
    )
    parts = [_header(sheet), _provisional(sheet), _overview(sheet), _charts(statement), _facts(sheet)]
    parts += [_period_table(sheet), *(_period(one, sheet) for one in sheet.periods), _ending(sheet)]
    body = tag("body", tag("main", *parts))
    return f"<!doctype html>\n{tag('html', head, body, lang=LANGUAGE)}\n"


@functools.cache
def _style() -> Markup:
    return Markup(pathlib.Path(__file__).with_name("page.css").read_text(encoding="utf-8"))


def _each(make: Callable[..., Markup], items: Sequence[object]) -> Markup:
    return joined(*(make(one) for one in items))


def _header(sheet: Sheet) -> Markup:
    return tag(
        "header",
        tag("h1", sheet.title),
        tag("p", tag("bdi", sheet.name), class_="name"),
        tag("p", sheet.span, class_="span"),
        tag("p", sheet.about, class_="meta"),
    )


def _provisional(sheet: Sheet) -> Markup:
    if not sheet.provisional:
        return Markup()
    return tag(
        "section",
        tag("h2", "This statement is provisional"),
        tag("p", "It may still change:"),
        tag("ul", *(tag("li", why) for why in sheet.provisional)),
        class_="provisional",
    )


def _overview(sheet: Sheet) -> Markup:
    total = tag(
        "div",
        tag("h2", sheet.total_title),
        tag("p", sheet.total, class_="big"),
        tag("p", sheet.total_detail, class_="detail"),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", text)) for name, text in sheet.energies)),
        class_="total credit" if sheet.is_credit else "total",
    )
    rows = [
        tag(
            "tr",
            tag("th", one.title, scope="row"),
            tag("td", _meter(one.weight), class_="meter"),
            tag("td", one.amount, class_="figure"),
        )
        for one in sheet.parts
    ]
    end = tag("tr", tag("th", "Total", scope="row"), tag("td"), tag("td", sheet.sums.gross, class_="figure"))
    parts = tag(
        "div",
        tag("h2", f"What it is made of, {sheet.mark}"),
        tag("table", tag("tbody", *rows), tag("tfoot", end), class_="parts"),
    )
    return tag("section", total, parts, class_="overview")


def _meter(weight: float) -> Markup:
    kind = "minus" if weight < 0 else "plus"
    bar = tag("rect", width=abs(weight) * 100, height=6.0, class_=kind)
    return tag("svg", bar, viewBox="0 0 100 6", preserveAspectRatio="none", aria_hidden="true")


def _charts(statement: Statement) -> Markup:
    wide, narrow = (chart_of(statement, width) for width in (_WIDE, _NARROW))
    if wide is None or narrow is None:
        return Markup()
    legend = [
        tag("li", tag("svg", tag("rect", width=10.0, height=10.0, class_=tone), viewBox="0 0 10 10"), text)
        for tone, text in wide.legend
    ]
    return tag(
        "figure",
        _svg(wide, "wide"),
        _svg(narrow, "narrow"),
        tag("ul", *legend, class_="legend") if legend else "",
    )


def _svg(chart: Chart, kind: str) -> Markup:
    rules = [tag("path", d=f"M{one.x:.2f} {one.y:.2f}h{one.width:.2f}") for one in chart.rules]
    bars = [
        tag("rect", tag("title", one.tells), x=one.x, y=one.y, width=one.width, height=one.height, class_=one.tone)
        for one in chart.bars
    ]
    anchors = {"left": "start", "middle": "middle", "right": "end"}
    labels = [
        tag(
            "text",
            one.text,
            x=one.x,
            y=one.y + _FONT_MM * 0.36,  # the middle of a digit above its baseline
            text_anchor=anchors[one.align],
            class_="panel" if one.is_title else None,
        )
        for one in chart.labels
    ]
    return tag(
        "svg",
        tag("title", chart.caption),
        *rules,
        *bars,
        *labels,
        class_=f"chart {kind}",
        viewBox=f"0 0 {chart.width:.2f} {chart.height:.2f}",
        role="img",
        aria_label=chart.caption,
    )


def _facts(sheet: Sheet) -> Markup:
    return tag("section", _taxes(sheet), _shares(sheet), class_="facts")


def _taxes(sheet: Sheet) -> Markup:
    rows = [tag("tr", tag("th", one.rate, scope="row"), *_amounts(one.sums)) for one in sheet.taxes]
    end = tag("tr", tag("th", "Total", scope="row"), *_amounts(sheet.sums))
    heads = tag("tr", tag("th", "Rate", scope="col"), *_heads(sheet, ("Net", "Tax", "Gross")))
    table = tag("table", tag("thead", heads), tag("tbody", *rows), tag("tfoot", end))
    return tag("div", tag("h2", "Taxes by rate"), table)


def _heads(sheet: Sheet, names: Sequence[str]) -> list[Markup]:
    return [tag("th", f"{one} {sheet.mark}", scope="col", class_="figure") for one in names]


def _amounts(sums: Sums) -> list[Markup]:
    named = (("Net", sums.net), ("Tax", sums.tax), ("Gross", sums.gross))
    return [tag("td", text, class_=f"figure {name.lower()}", data_label=name) for name, text in named]


def _shares(sheet: Sheet) -> Markup:
    bars, at = [], 0.0
    for one in sheet.shares:
        bars.append(tag("rect", x=at * 100, width=one.weight * 100, height=6.0, class_=one.name.lower()))
        at += one.weight
    items = [
        tag("li", tag("span", class_=f"dot {one.name.lower()}"), one.name, tag("b", one.text)) for one in sheet.shares
    ]
    return tag(
        "div",
        tag("h2", "How the energy is known"),
        tag("svg", *bars, viewBox="0 0 100 6", preserveAspectRatio="none", class_="stack", aria_hidden="true"),
        tag("ul", *items, class_="shares"),
        tag("p", "Shares of the time covered.", class_="meta"),
    )


def _period_table(sheet: Sheet) -> Markup:
    if not sheet.period_rows:
        return Markup()
    heads = [tag("th", "Period", scope="col")]
    heads += [tag("th", one, scope="col", class_="figure") for one in ("Days", "From grid kWh", "To grid kWh")]
    rows = [
        tag(
            "tr",
            tag("th", one.span, tag("em", "provisional") if one.is_provisional else "", scope="row"),
            tag("td", one.days, class_="figure days", data_label="Days"),
            tag("td", one.imported, class_="figure", data_label="From grid kWh"),
            tag("td", one.exported, class_="figure", data_label="To grid kWh"),
            *_amounts(one.sums),
        )
        for one in sheet.period_rows
    ]
    end = tag("tr", tag("th", "Total", scope="row"), tag("td"), tag("td"), tag("td"), *_amounts(sheet.sums))
    table = tag(
        "table",
        tag("thead", tag("tr", *heads, *_heads(sheet, ("Net", "Tax", "Gross")))),
        tag("tbody", *rows),
        tag("tfoot", end),
        class_="periods",
    )
    return tag("section", tag("h2", "Billing periods"), table)


def _period(period: PeriodSheet, sheet: Sheet) -> Markup:
    head = [
        tag("h2", period.title, tag("span", period.span)),
        tag("p", " · ".join(period.facts), class_="meta"),
        *(tag("p", f"Provisional: {why}", class_="why") for why in period.provisional),
    ]
    heads = [
        tag("th", "Charge", scope="col"),
        tag("th", "Quantity", scope="col", colspan="2", class_="pair"),
        tag("th", f"Unit price {sheet.mark}", scope="col", colspan="2", class_="pair"),
        *_heads(sheet, ("Net",)),
        tag("th", "Rate", scope="col", class_="figure"),
        *_heads(sheet, ("Tax", "Gross")),
    ]
    net, tax, gross = _amounts(period.sums)
    end = tag("tr", tag("th", period.total, scope="row", colspan="5"), net, tag("td", class_="rate"), tax, gross)
    bodies = [_group(one) for one in period.groups]
    if not bodies:
        nothing = tag("td", "Nothing is charged for this time.", colspan="9", class_="nothing")
        bodies = [tag("tbody", tag("tr", nothing))]
    table = tag("table", tag("thead", tag("tr", *heads)), *bodies, tag("tfoot", end), class_="lines")
    return tag("section", *head, table, class_="period")


def _group(group: Group) -> Markup:
    head = tag("tr", tag("th", group.title, colspan="9", scope="rowgroup"), class_="group")
    return tag("tbody", head, *(_row(one) for one in group.rows))


def _row(row: Row) -> Markup:
    net, tax, gross = _amounts(row.sums)
    return tag(
        "tr",
        tag("th", row.title, *(tag("small", one) for one in row.details), scope="row"),
        tag("td", row.quantity, class_="figure quantity"),
        tag("td", row.unit, class_="unit"),
        tag("td", row.price, class_="figure price"),
        tag("td", row.price_unit, class_="unit of-price"),
        net,
        tag("td", row.tax_rate, class_="figure rate", data_label="Rate"),
        tax,
        gross,
    )


def _ending(sheet: Sheet) -> Markup:
    tariffs = (
        tag("div", tag("h2", "Tariffs used"), tag("ul", *(tag("li", one) for one in sheet.tariffs)))
        if sheet.tariffs
        else Markup()
    )
    notes = tag("div", tag("h2", "Notes"), tag("ul", *(tag("li", one) for one in sheet.notes)))
    return tag("section", notes, tariffs, class_="ending")
