"""`statistics-manager import`: a file into a household's channels, by the function that live readings take, too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from statistics_manager_service import bootstrap
from statistics_manager_service.core.readings import RefusedReading, WireReadings
from statistics_manager_service.errors import NotFound
from statistics_manager_service.ingest.presets import PRESETS, read_file
from statistics_manager_service.services.recording import Recorded
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.migrate import migrate

_MOST_SHOWN = 20
#: Readings a transaction: large enough to be fast, small enough that others get their turn.
_PIECE = 500_000


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file; .gz is unpacked on the way.")],
    preset: Annotated[str, typer.Option(help="Form of the file: " + ", ".join(PRESETS) + ".")],
    household: Annotated[str, typer.Option(help="Id of the household; it is made if it is not there.")],
    meter: Annotated[str, typer.Option(help="Meter, where the file names none.")] = "grid",
    quantity: Annotated[str, typer.Option(help="Quantity, where the file names none.")] = "energy_import",
    kind: Annotated[str | None, typer.Option(help="register, interval or sample, where the file tells none.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit, where the file tells none.")] = None,
    interval: Annotated[str | None, typer.Option(help="Length of intervals, such as PT15M.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Zone of the file's clock; the household's unless given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Tell what would become of the readings, and keep nothing.")] = False,
) -> None:
    """Import readings of a file. Tells what was accepted, known already, set aside and refused."""
    settings = Settings()
    if settings.migrate_on_start:
        migrate(settings.store_url)
    store = bootstrap.open_store(settings)
    households = bootstrap.households_of(store)
    try:
        known = households.get(household)
        zone = timezone or known.timezone
    except NotFound:
        zone = timezone or "UTC"
        households.put(household, {"timezone": zone})
        print(f"household {household} is new; its zone is {zone}")
    decoded = read_file(
        file,
        preset,
        household=household,
        meter=meter,
        quantity=quantity,
        kind=kind,
        unit=unit,
        zone=zone,
        interval=interval,
    )
    recorder = bootstrap.recorder_of(store)
    total, refused = Recorded(), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(file.name, total=None)
        for piece in decoded:
            refused += piece.refused
            for part in _parts(piece.channels):
                done = recorder.record(part, dry_run=dry_run)
                total.accepted += done.accepted
                total.duplicates += done.duplicates
                total.set_aside += done.set_aside
                refused += done.refused
                progress.advance(task, sum(len(one.at_us) for one in part))
    _tell(total, refused, dry_run)


def _parts(channels: list[WireReadings]) -> list[list[WireReadings]]:
    """The channels in transactions of a bounded number of readings each."""
    parts: list[list[WireReadings]] = [[]]
    size = 0
    for one in channels:
        if size and size + len(one.at_us) > _PIECE:
            parts.append([])
            size = 0
        parts[-1].append(one)
        size += len(one.at_us)
    return [part for part in parts if part]


def _tell(total: Recorded, refused: list[RefusedReading], dry_run: bool) -> None:
    print(
        f"{'would be ' if dry_run else ''}accepted {total.accepted}, known already {total.duplicates}, "
        f"set aside {total.set_aside} of the accepted, refused {len(refused)}"
    )
    for one in refused[:_MOST_SHOWN]:
        print(f"  refused: {one.where} {one.index}: {one.reason}")
    if len(refused) > _MOST_SHOWN:
        print(f"  and {len(refused) - _MOST_SHOWN} more")
    if refused:
        raise typer.Exit(1)
