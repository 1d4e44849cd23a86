"""`statistics-manager prices …`: series of prices from files and from those who publish them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap import price_feeds
from statistics_manager_service.cli.opening import existing_store, settings, store_to_fill
from statistics_manager_service.cli.told_files import interval_s as told_interval_s
from statistics_manager_service.cli.told_files import of_each_file, option_value, refuse, show_notes
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.units import QUARTER_US, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.prices.price_rows import PriceSeries
from statistics_manager_service.services.prices.price_series import INTERVALS_S, Kept, interval_name
from statistics_manager_service.services.prices.told_prices import (
    PriceOptions,
    ToldPrices,
    WantedSeries,
    check_series,
    keep_told,
)
from statistics_manager_service.settings import Settings

prices_app = typer.Typer(no_args_is_help=True, help="Series of prices: from files, and from those who publish them.")
fetch_app = typer.Typer(no_args_is_help=True, help="Fetch prices from those who publish them. Safe to repeat.")
prices_app.add_typer(fetch_app, name="fetch")

_PAGE: Final = 500
#: Prices are known so far ahead at most.
_KNOWN_AHEAD_US: Final = 2 * US_PER_DAY
#: Option of the command → member of PriceOptions.
_OPTIONS: Final = {
    "unit": "unit", "timezone": "zone", "country": "country", "column": "column", "start-column": "start_column",
    "end-column": "end_column", "where": "where", "interval": "interval_s", "decimal": "decimal",
    "without-vat": "with_vat", "payment-method": "payment_method",
}  # fmt: skip

Series = Annotated[str, typer.Option(help="Name of the series; it is made if it is not there.")]
Start = Annotated[str, typer.Option(help="From when: a date of the market's zone, or a date-time.")]
End = Annotated[str | None, typer.Option(help="Until when, in the same form; two days ahead unless given.")]
Title = Annotated[str | None, typer.Option(help="What people read of the series.")]
WithoutVat = Annotated[bool, typer.Option("--without-vat", help="Take the values without VAT.")]
PaymentMethod = Annotated[
    str | None, typer.Option(help="Whose rates, where they differ by it: DIRECT_DEBIT unless given.")
]


@prices_app.command("import")
def import_prices(
    form: Annotated[str, typer.Argument(help="Form of the files: " + ", ".join(price_feeds.PRICE_FORMATS) + ".")],
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="The files; .gz is unpacked on the way.")
    ],
    series: Series,
    unit: Annotated[str | None, typer.Option(help="Unit of the prices, such as EUR/MWh (csv).")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of labels without an offset (csv).")] = None,
    country: Annotated[str | None, typer.Option(help="pt or es (omie).")] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Which of several: column of the prices (csv, esios), place (esios), region, zone."),
    ] = None,
    start_column: Annotated[str | None, typer.Option(help="Column of the beginnings; `start` unless given.")] = None,
    end_column: Annotated[str | None, typer.Option(help="Column of the ends, if there is one.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE that rows must have (csv); may be given several times.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="How long a price holds: PT15M, PT30M or PT1H.")] = None,
    decimal: Annotated[str | None, typer.Option(help="point or comma, where the numbers do not tell (csv).")] = None,
    without_vat: WithoutVat = False,
    payment_method: PaymentMethod = None,
    start: Annotated[str | None, typer.Option(help="Prices before are left out: a date, or a date-time.")] = None,
    end: Annotated[str | None, typer.Option(help="Prices from then on are left out.")] = None,
    title: Title = None,
    dry_run: Annotated[bool, typer.Option(help="Tell what the files hold, and keep nothing.")] = False,
) -> None:
    """Import prices of files into a series: all of them, or none where any file has a fault.

    Exit code 2 where a file is not of its form or an option is wrong.
    """
    told: dict[str, Any] = {
        "unit": unit, "timezone": timezone, "country": country, "column": column, "start-column": start_column,
        "end-column": end_column, "where": where, "interval": interval, "decimal": decimal,
        "without-vat": without_vat or None, "payment-method": payment_method,
    }  # fmt: skip
    try:
        found = _format(form)
        options = _options(form, found, {name: value for name, value in told.items() if value}, start, end)
        check_series(series, options.unit)
        pieces = of_each_file(files, lambda body: found.read(body, options))
        kept = None
        if not dry_run:
            shape = WantedSeries(series, options.interval_s or found.interval_s, title, found.source)
            kept = keep_told(store_to_fill(), shape, pieces, bootstrap.now_us())
    except BadInput as error:
        refuse(error)
    _tell(series, pieces, kept)


# --- options ----------------------------------------------------------------------------------------------------------


def _format(form: str) -> price_feeds.PriceFormat:
    found = price_feeds.PRICE_FORMATS.get(form)
    if found is None:
        forms = "; ".join(f"{name}: {one.about}" for name, one in price_feeds.PRICE_FORMATS.items())
        raise BadInput.of([Fault("form", f"{form[:40]!a} is none; there are {forms}")])
    return found


def _options(
    form: str, found: price_feeds.PriceFormat, told: dict[str, Any], start: str | None, end: str | None
) -> PriceOptions:
    """The options of the command for the reader of a form. Raises BadInput with all that is wrong with them."""
    faults: list[Fault] = []
    members: dict[str, Any] = {}
    for name, value in told.items():
        if _OPTIONS[name] not in found.options:
            heeding = [one for one, each in price_feeds.PRICE_FORMATS.items() if _OPTIONS[name] in each.options]
            faults.append(Fault(name, f"{form} has no use for it; it is for {', '.join(heeding)}"))
            continue
        try:
            members[_OPTIONS[name]] = _value(name, value)
        except BadInput as error:
            faults += error.faults
    zone = told.get("timezone") or "UTC"
    for member, text in (("start", start), ("end", end)):
        try:
            members[f"{member}_us"] = None if text is None else parse_moment(text, zone, member)
        except BadInput as error:
            faults += [one for one in error.faults if one not in faults]
    if faults:
        raise BadInput.of(faults)
    return PriceOptions(**members)


def _value(name: str, told: Any) -> Any:
    """An option as the reader takes it. Raises BadInput."""
    return False if name == "without-vat" else option_value(name, told)


# --- fetching ---------------------------------------------------------------------------------------------------------


@fetch_app.command("octopus")
def fetch_octopus(
    tariff: Annotated[str, typer.Argument(help="Code of the tariff, such as E-1R-AGILE-24-10-01-C.")],
    series: Series,
    start: Start,
    end: End = None,
    rates: Annotated[str, typer.Option(help="Which rates: " + ", ".join(price_feeds.RATES) + ".")] = "standard",
    without_vat: WithoutVat = False,
    payment_method: PaymentMethod = None,
    title: Title = None,
) -> None:
    """Unit rates of a tariff of Octopus Energy, by the half-hour."""
    found = _opened()
    start_us, end_us = _time(start, end, "Europe/London")
    options = PriceOptions(with_vat=not without_vat, payment_method=payment_method, start_us=start_us, end_us=end_us)
    service = price_feeds.octopus(found)

    def piece() -> Iterator[ToldPrices]:
        yield service.fetch(tariff, options, rates)

    _fetch(WantedSeries(series, None, title, "Octopus Energy"), piece())


@fetch_app.command("omie")
def fetch_omie(
    country: Annotated[Literal["pt", "es"], typer.Option(help="Whose prices.")],
    series: Series,
    start: Start,
    end: End = None,
    title: Title = None,
) -> None:
    """Day-ahead prices of Portugal or Spain, from OMIE's day files."""
    found = _opened()
    start_us, end_us = _time(start, end, "Europe/Madrid", is_market=True)
    options = PriceOptions(country=country, start_us=start_us, end_us=end_us)
    wanted = WantedSeries(series, INTERVALS_S["PT15M"], title, "OMIE")
    _fetch(wanted, price_feeds.omie(found).fetch(options, start_us, end_us))


@fetch_app.command("entsoe")
def fetch_entsoe(
    zone: Annotated[str, typer.Argument(help="Bidding zone, such as PT or DE_LU, or its EIC code.")],
    series: Series,
    start: Start,
    end: End = None,
    unit: Annotated[str | None, typer.Option(help="Such as EUR/MWh, where prices are in several currencies.")] = None,
    interval: Annotated[str | None, typer.Option(help="PT15M, PT30M or PT1H, where there are several.")] = None,
    title: Title = None,
) -> None:
    """Day-ahead prices of a European bidding zone, from ENTSO-E, with the token of ENTSOE_TOKEN."""
    found = _opened()
    start_us, end_us = _time(start, end, "Europe/Brussels", is_market=True)
    interval_s = None if interval is None else told_interval_s(interval)
    options = PriceOptions(unit=unit, interval_s=interval_s, start_us=start_us, end_us=end_us)
    wanted = WantedSeries(series, interval_s or INTERVALS_S["PT15M"], title, f"ENTSO-E, {zone}")
    _fetch(wanted, price_feeds.entsoe(found).fetch(zone, options, start_us, end_us), unit)


@fetch_app.command("esios")
def fetch_esios(
    series: Series,
    start: Start,
    end: End = None,
    indicator: Annotated[
        int, typer.Option(min=1, help="1001 is PVPC; others, such as 1739 (surplus), need ESIOS_TOKEN.")
    ] = price_feeds.PVPC,
    column: Annotated[
        str | None, typer.Option(help="PCB or CYM of PVPC; or a place, by name or geo_id, of an indicator.")
    ] = None,
    title: Title = None,
) -> None:
    """The Spanish regulated price PVPC, or another indicator, from ESIOS."""
    found = _opened()
    start_us, end_us = _time(start, end, "Europe/Madrid", is_market=True)
    options = PriceOptions(column=column, start_us=start_us, end_us=end_us)
    wanted = WantedSeries(series, None, title, f"Red Eléctrica, ESIOS {indicator}")
    _fetch(wanted, price_feeds.esios(found).fetch(indicator, options, start_us, end_us))


def _opened() -> Settings:
    found = settings()
    configure_logging(found.log_level, found.log_format)  # to standard error: the summary stands alone
    return found


def _time(start: str, end: str | None, zone: str, *, is_market: bool = False) -> tuple[int, int]:
    """From when until when. is_market: of a market, which has no prices of days to come. Raises BadInput."""
    latest_us = bootstrap.now_us() // QUARTER_US * QUARTER_US + _KNOWN_AHEAD_US
    faults: list[Fault] = []
    moments = []
    for name, text in (("start", start), ("end", end)):
        try:
            moments.append(latest_us if text is None else parse_moment(text, zone, name))
        except BadInput as error:
            faults += error.faults
    if not faults and moments[1] <= moments[0]:
        faults.append(Fault("end", f"{iso_label(moments[1])} is not after the start, {iso_label(moments[0])}"))
    if not faults and is_market and end is not None and moments[1] > latest_us + US_PER_DAY:
        faults.append(
            Fault("end", f"{iso_label(moments[1])} lies more than three days ahead; no market has prices yet")
        )
    if faults:
        raise BadInput.of(faults)
    return moments[0], moments[1]


def _fetch(wanted: WantedSeries, pieces: Iterable[ToldPrices], unit: str | None = None) -> None:
    """Keep what comes, piece by piece, and tell of it, also where it ends in an error."""
    check_series(wanted.name, unit)
    store = store_to_fill()
    done: list[ToldPrices] = []
    accepted = known = 0
    try:
        screen = Console(stderr=True)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
            task = progress.add_task("fetching", total=None)
            for piece in pieces:
                kept = keep_told(store, wanted, [piece], bootstrap.now_us())
                done.append(piece)
                accepted, known = accepted + kept.accepted, known + kept.duplicates
                progress.advance(task)
    finally:
        _tell(wanted.name, done, Kept(accepted, known))


# --- what is told -----------------------------------------------------------------------------------------------------


def _tell(series: str, pieces: list[ToldPrices], kept: Kept | None) -> None:
    """Print what became of prices: the series, how many were accepted, from when to when, and the notes."""
    show_notes([note for one in pieces for note in one.notes])
    prices = sorted((price for one in pieces for price in one.prices), key=lambda price: price.start_us)
    if not prices:
        print(f"{series}: no prices")
        return
    unit = next(one.unit for one in pieces if one.prices)
    outcome = f"accepted {kept.accepted}, known already {kept.duplicates}" if kept else f"{len(prices)} prices"
    ends = np.array([prices[0].start_us, max(one.start_us + one.length_us for one in prices)], np.int64)
    first, last = iso_labels(ends, None)
    print(f"{series} ({unit}): {outcome}; {first} to {last}")
    holes = ToldPrices(unit, prices).holes
    if holes:
        print(f"  the time between is interrupted {holes} times: of these there is no price")
    if kept is None:
        print("Nothing was kept: this was a dry run.")


@prices_app.command("list")
def list_prices() -> None:
    """The series of prices: name, unit, interval, from when to when, and what is told of them."""
    store = existing_store()
    after: str | None = None
    count = 0
    while True:
        with store.reading() as view:
            page = view.price_series_list(after, _PAGE)
            spans = [view.price_span(one.series_no) for one in page]
        for one, span in zip(page, spans, strict=True):
            print(_line(one, span))
        count += len(page)
        if len(page) < _PAGE:
            break
        after = page[-1].name
    print(f"{count} series", file=typer.get_text_stream("stderr"))


def _line(series: PriceSeries, span: tuple[int, int] | None) -> str:
    days = "empty"
    if span is not None:
        first, last = (iso_label(day * US_PER_DAY)[:10] for day in span)
        days = f"{first} to {last}"
    about = ", ".join(one for one in (series.title, series.source) if one)
    return "  ".join(part for part in (series.name, series.unit, interval_name(series), days, about) if part)
