"""`statistics-manager carbon …`: series of carbon intensities from sources and files; the factors that are shipped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap import feeds
from statistics_manager_service.cli.opening import existing_store, settings, store_to_fill
from statistics_manager_service.cli.told_files import of_each_file, option_value, refuse, show_notes
from statistics_manager_service.core.carbon import grams_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.grid import quarter_after
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import MILLI, QUARTER_US, US_PER_DAY
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.observability import configure_logging
from statistics_manager_service.services.carbon.carbon import ZONE_PATTERN, IntensitySource, time_zone_of
from statistics_manager_service.services.carbon.carbon_rows import (
    BASES,
    BOUNDARIES,
    KINDS,
    MEASURED,
    SCOPES,
    SOURCE_PATTERN,
    IntensitySeries,
    IntensitySpan,
    Method,
)
from statistics_manager_service.services.carbon.factors import mix_factors
from statistics_manager_service.services.carbon.histories import keep_stretch
from statistics_manager_service.services.carbon.intensities import Kept, ToldIntensity, keep
from statistics_manager_service.services.carbon.shipped_factors import annual_countries, annual_means, own_production
from statistics_manager_service.services.carbon.uploading import UPLOADED
from statistics_manager_service.services.ports import Store

carbon_app = typer.Typer(no_args_is_help=True, help="Carbon intensities of grids: from sources and from files.")

_UNIT: Final = "gCO2eq/kWh"

Zone = Annotated[str, typer.Option(help="Zone of the grid: a country's two letters, or a part such as DK-DK1, GB-13.")]


# --- from sources -----------------------------------------------------------------------------------------------------


@carbon_app.command("fetch")
def fetch(
    source: Annotated[str, typer.Argument(help="One of " + ", ".join(feeds.CARBON_SOURCES) + ".")],
    zone: Annotated[str, typer.Argument(help="Zone of the grid, such as PT, DK-DK1, GB-13.")],
    start: Annotated[str, typer.Option(help="From when: a date of the zone, or a date-time.")],
    end: Annotated[str | None, typer.Option(help="Until when, in the same form; now unless given.")] = None,
) -> None:
    """The history of a zone, stretch by stretch. Safe to repeat: what is known already changes nothing."""
    found = settings()
    configure_logging(found.log_level, found.log_format)  # to standard error: the summary stands alone
    try:
        start_us, end_us = _time(source, zone, start, end)
        wanted = feeds.carbon_source_of(source, found)
        if not wanted.serves(zone):
            raise BadInput.of([Fault("zone", f"{source} does not know {zone}")])
    except BadInput as error:
        refuse(error)
    _fetch(wanted, zone, start_us, end_us)


def _time(source: str, zone: str, start: str, end: str | None) -> tuple[int, int]:
    """From when until when; not after now. Raises BadInput with all that is wrong with the arguments."""
    faults = _faults_of({"zone": (zone, ZONE_PATTERN)})
    if source not in feeds.CARBON_SOURCES:
        faults.append(Fault("source", f"{source[:40]!a} is none of {', '.join(feeds.CARBON_SOURCES)}"))
    time_zone = "UTC" if faults else time_zone_of(zone)
    now_us = quarter_after(bootstrap.now_us()) * QUARTER_US
    moments = []
    for name, text in (("start", start), ("end", end)):
        try:
            moments.append(now_us if text is None else _quarter(parse_moment(text, time_zone, name)))
        except BadInput as error:
            faults += error.faults
    start_us, end_us = moments if len(moments) > 1 else (0, now_us)
    end_us = min(end_us, now_us)  # the day that is named may be today
    if not faults and end_us <= start_us:
        faults.append(Fault("start", f"{iso_label(start_us)} is not before the end, {iso_label(end_us)}"))
    if faults:
        raise BadInput.of(faults)
    return start_us, end_us


def _quarter(at_us: int) -> int:
    return at_us // QUARTER_US * QUARTER_US


def _fetch(source: IntensitySource, zone: str, start_us: int, end_us: int) -> None:
    """Keep what comes, stretch by stretch, and tell of it, also where it ends in an error."""
    store = store_to_fill()
    told: list[ToldIntensity] = []
    notes: list[str] = []
    kept = Kept(0, 0)
    try:
        screen = Console(stderr=True)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
            task = progress.add_task("fetching", total=(end_us - start_us) / US_PER_DAY)
            for stretch in source.history(zone, start_us, end_us):
                one = keep_stretch(store, zone, source, stretch, bootstrap.now_us())
                kept = Kept(kept.accepted + one.accepted, kept.duplicates + one.duplicates)
                told += stretch.values
                notes += [f"{iso_label(stretch.start_us)[:10]}: {note}" for note in stretch.notes]
                progress.advance(task, (stretch.end_us - stretch.start_us) / US_PER_DAY)
    finally:
        _tell(IntensitySeries(0, zone, source.name, *source.method), told, notes, kept)


# --- from files -------------------------------------------------------------------------------------------------------


@carbon_app.command("import")
def import_intensities(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="CSV files with a header; .gz is unpacked.")
    ],
    zone: Zone,
    time_column: Annotated[str, typer.Option(help="Column of the beginnings.")] = "at",
    value_column: Annotated[str, typer.Option(help="Column of the intensities.")] = "value",
    kind: Annotated[str, typer.Option(help="One of " + ", ".join(KINDS) + ".")] = MEASURED,
    unit: Annotated[str, typer.Option(help="Unit of the intensities, such as gCO2eq/kWh or kgCO2/kWh.")] = _UNIT,
    basis: Annotated[str, typer.Option(help="One of " + ", ".join(BASES) + ".")] = Method().basis,
    boundary: Annotated[str, typer.Option(help="One of " + ", ".join(BOUNDARIES) + ".")] = Method().boundary,
    scope: Annotated[str, typer.Option(help="One of " + ", ".join(SCOPES) + ".")] = Method().scope,
    source: Annotated[str, typer.Option(help="Name of who tells them, of a-z, 0-9 and _.")] = UPLOADED,
    interval: Annotated[
        str | None, typer.Option(help="How long one counts: PT15M, PT30M or PT1H; the shortest step unless given.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of labels without an offset.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE that rows must have; may be given several times.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="point or comma, where the numbers do not tell.")] = None,
    issued_at: Annotated[str | None, typer.Option(help="When they were issued, a date-time; now unless given.")] = None,
    zero_is_unknown: Annotated[bool, typer.Option("--zero-is-unknown", help="Leave values of 0 out.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Tell what the files hold, and keep nothing.")] = False,
) -> None:
    """Import intensities of CSV files into a series: all of them, or none where any file has a fault.

    Exit code 2 where a file is not of its form or an option is wrong.
    """
    words = {"kind": (kind, KINDS), "basis": (basis, BASES), "boundary": (boundary, BOUNDARIES),
             "scope": (scope, SCOPES)}  # fmt: skip
    told: dict[str, Any] = {"interval": interval, "timezone": timezone, "where": where, "decimal": decimal}
    now_us = bootstrap.now_us()
    try:
        faults = _faults_of({"zone": (zone, ZONE_PATTERN), "source": (source, SOURCE_PATTERN)}, words)
        members = _members(unit, told, issued_at, now_us, faults)
        options = feeds.IntensityOptions(
            time_column, value_column, kind=kind, zero_is_unknown=zero_is_unknown, **members
        )
        read = of_each_file(files, lambda body: feeds.decode_intensities(body, options, now_us))
    except BadInput as error:
        refuse(error)
    values = [one for some, _ in read for one in some]
    series = IntensitySeries(0, zone, source, basis, boundary, scope)
    kept = None if dry_run else _keep(store_to_fill(), series, values, now_us)
    _tell(series, values, [note for _, notes in read for note in notes], kept)


def _members(
    unit: str, told: dict[str, Any], issued_at: str | None, now_us: int, faults: list[Fault]
) -> dict[str, Any]:
    """The options of the command for the reader. Raises BadInput with these faults and all that is wrong with them."""
    members: dict[str, Any] = {}
    names = {"interval": "interval_s", "timezone": "zone", "where": "where", "decimal": "decimal"}
    for name, text in told.items():
        if text:
            try:
                members[names[name]] = option_value(name, text)
            except BadInput as error:
                faults += error.faults
    members["grams"] = grams_of(unit)
    if members["grams"] is None:
        faults.append(Fault("unit", f"{unit[:40]!a} is no unit that is read here; such as {_UNIT} or kgCO2/kWh are"))
    if issued_at is not None:
        try:
            members["issued_us"] = parse_moment(issued_at, "UTC", "issued-at")
            if members["issued_us"] > now_us:
                faults.append(Fault("issued-at", "it lies in the future"))
        except BadInput as error:
            faults += error.faults
    if faults:
        raise BadInput.of(faults)
    return members


def _faults_of(
    patterns: Mapping[str, tuple[str, str]], words: Mapping[str, tuple[str, Sequence[str]]] | None = None
) -> list[Fault]:
    """What is wrong with options that must match a pattern, or be one of some words."""
    faults = []
    for name, (told, pattern) in patterns.items():
        if re.fullmatch(pattern, told) is None:
            wanted = "a zone such as PT or DK-DK1" if name == "zone" else "a name of a-z, 0-9 and _"
            faults.append(Fault(name, f"{told[:40]!a} is not {wanted}"))
    for name, (told, allowed) in (words or {}).items():
        if told not in allowed:
            faults.append(Fault(name, f"{told[:40]!a} is not one of {', '.join(allowed)}"))
    return faults


def _keep(store: Store, series: IntensitySeries, values: Sequence[ToldIntensity], now_us: int) -> Kept:
    method = Method(series.basis, series.boundary, series.scope)
    with store.writing() as view:
        return keep(view, series.zone, series.source, method, values, now_us)


def _tell(series: IntensitySeries, values: Sequence[ToldIntensity], notes: Sequence[str], kept: Kept | None) -> None:
    """Print what became of values."""
    show_notes(notes)
    if not values:
        print(f"{_named(series)}: no intensities")
        return
    outcome = f"accepted {kept.accepted}, known already {kept.duplicates}" if kept else f"{len(values)} intensities"
    first_us, end_us = min(one.start_us for one in values), max(one.start_us + one.length_us for one in values)
    print(f"{_named(series)}: {outcome}; {iso_label(first_us)} to {iso_label(end_us)}")
    if kept is None:
        print("Nothing was kept: this was a dry run.")


# --- what there is ----------------------------------------------------------------------------------------------------


@carbon_app.command("list")
def list_series() -> None:
    """The series of intensities: zone, source, method, from when to when, number of values (each issue counted)."""
    store = existing_store()
    with store.reading() as view:
        series = view.intensity_series()
        for one in series:
            print(f"{_named(one)}  {_spanned(view.intensity_span(one.series_no))}")
    print(f"{len(series)} series", file=typer.get_text_stream("stderr"))


def _named(series: IntensitySeries) -> str:
    return f"{series.zone} {series.source} ({series.basis}, {series.boundary}, {series.scope})"


def _spanned(span: IntensitySpan | None) -> str:
    if span is None:
        return "empty"
    return f"{iso_label(span.first_us)} to {iso_label(span.end_us)}  {span.number}"


@carbon_app.command("factors")
def factors() -> None:
    """The factors that come with the product, with their sources; of those marked ? the note says why."""
    shipped = mix_factors()
    for name, one in shipped.sets.items():
        print(f"{name}: {one.title}, {shipped.unit}")
        _tell_source(one.source, one.released, one.url, one.note)
        for fuel, factor in one.factors.items():
            _tell_factor(f"{fuel} {factor.value:g}", factor.unchecked, factor.note)
    types = shipped.production_types
    print("production types of ENTSO-E")
    _tell_source(types.source, types.released, types.url, types.note)
    for code, kind in types.codes.items():
        _tell_factor(f"{code} {kind.name}: {kind.fuel}", kind.unchecked, kind.note)
    for name, behind in shipped.behind.items():
        print(f"behind {name}: {behind.title}, {shipped.unit}")
        _tell_source(behind.source, behind.released, behind.url)
        for theirs, value in behind.factors.items():
            _tell_factor(f"{theirs} {value:g}")
    for boundary in BOUNDARIES:
        own = own_production(boundary)
        print(f"own production, {boundary}: {own.mg_per_kwh / MILLI:g} {shipped.unit}")
        _tell_source(own.source, own.released, own.url)
    _tell_annual_means()


def _tell_source(source: str, released: str, url: str, note: str | None = None) -> None:
    print(f"  source: {source} ({released}), {url}")
    if note:
        print(f"  {note}")


def _tell_factor(told: str, is_unchecked: bool = False, note: str | None = None) -> None:
    print(f"  {told}{' ?' if is_unchecked else ''}{f'  ({note})' if note else ''}")


def _tell_annual_means() -> None:
    countries = annual_countries()
    print(f"annual means of {len(countries)} countries: {', '.join(countries)}")
    means = [one for one in map(annual_means, countries) if one is not None]
    sources = {one["release"]: one for each in means for one in each.sources}
    for release, one in sources.items():
        years = [
            year
            for each in means
            for year, told in zip(each.years.tolist(), each.sources, strict=True)
            if told["release"] == release
        ]
        print(f"  {release}: years {min(years)} to {max(years)}")
        _tell_source(one["source"], one["released"], one["url"])
