"""`statistics-manager import`: a file into a household's channels, by the function that live readings take, too."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from statistics_manager_service import bootstrap
from statistics_manager_service.cli.opening import store_to_fill
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Decoded, RefusedReading, WireReadings
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.ingest.presets import PRESETS, read_file
from statistics_manager_service.services.telemetry.accepting import default_unit, kind_of
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.settings import Settings
from statistics_manager_service.storage.database import SqlStore
from statistics_manager_service.storage.migrate import migrate

_MOST_SHOWN = 20
#: Readings a transaction: large enough to be fast, small enough that others get their turn.
_TRANSACTION = 500_000
_REFUSED, _WRONG_USAGE = 1, 2


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file; .gz is unpacked on the way.")],
    preset: Annotated[str, typer.Option(help="Form of the file: " + ", ".join(PRESETS) + ".")],
    household: Annotated[str, typer.Option(help="Id of the household; it is made if it is not there.")],
    meter: Annotated[str, typer.Option(help="Meter, where the file names none.")] = "grid",
    quantity: Annotated[str, typer.Option(help="Quantity, where the file names none.")] = "energy_import",
    kind: Annotated[str | None, typer.Option(help="register, interval or sample, where the file tells none.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit, where the file tells none.")] = None,
    interval: Annotated[str | None, typer.Option(help="Length of intervals, such as PT15M.")] = None,
    stamp: Annotated[
        str | None, typer.Option(help="Instants are the start or end of intervals (csv, grafana).")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="point or comma, where the numbers do not tell.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Zone of the file's clock; the household's unless given.")
    ] = None,
    refused_to: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write every refused row and its reason to this CSV file.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Tell what would become of the readings, and keep nothing.")] = False,
) -> None:
    """Import readings of a file. Tells of each channel what was accepted, known already, set aside and refused.

    Exit code 1 where some rows were refused, 2 where the file is not of its form or an option is wrong.
    """
    options = {
        "meter": meter, "quantity": quantity, "kind": kind, "unit": unit, "interval": interval, "stamp": stamp,
        "decimal": decimal,
    }  # fmt: skip
    summary = Summary()
    try:
        with _refusals(refused_to, summary):
            _import(file, preset, household, timezone, options, summary, dry_run=dry_run)
    except BadInput as error:
        if summary.channels or summary.refused:
            summary.tell(household, dry_run=dry_run)
        print(f"statistics-manager: {error.sentence}", file=sys.stderr)
        for fault in error.faults[1:_MOST_SHOWN]:
            print(f"  {fault.where}: {fault.why}", file=sys.stderr)
        raise typer.Exit(_WRONG_USAGE) from error
    summary.tell(household, dry_run=dry_run)
    if summary.refused:
        raise typer.Exit(_REFUSED)


@dataclass(slots=True)
class Outcome:
    """What became of a channel's readings, and the first and last instant of those that were taken."""

    unit: str
    accepted: int = 0
    known: int = 0
    set_aside: int = 0
    refused: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def span(self, wire: WireReadings, refused: list[RefusedReading]) -> None:
        """Widen the first and last instant by readings, but for those that were refused."""
        at_us = wire.at_us
        if refused and wire.index is not None:
            at_us = at_us[~np.isin(wire.index, [one.index for one in refused])]
        if len(at_us):
            first, last = int(at_us.min()), int(at_us.max())
            self.first_us = first if self.first_us is None else min(self.first_us, first)
            self.last_us = last if self.last_us is None else max(self.last_us, last)


@dataclass(slots=True)
class Summary:
    """What became of a file. `writer` gets every refusal; the first ones are kept for the screen."""

    channels: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    shown: list[RefusedReading] = field(default_factory=list)
    refused: int = 0
    notes: list[str] = field(default_factory=list)
    writer: Any = None

    def refuse(self, refused: list[RefusedReading]) -> None:
        """Count refusals, and name them."""
        self.shown += refused[: _MOST_SHOWN - len(self.shown)]
        self.refused += len(refused)
        if self.writer is not None:
            self.writer.writerows((one.where, one.index, one.reason) for one in refused)

    def outcome(self, wire: WireReadings) -> Outcome:
        """The outcome of the channel of some readings, which have a unit."""
        key = (wire.meter, wire.quantity, str(kind_of(wire)))
        return self.channels.setdefault(key, Outcome(wire.unit or ""))

    def tell(self, household: str, *, dry_run: bool) -> None:
        """Print it: a line a channel, notes, refusals, and what may be done next."""
        would_be = "would be " if dry_run else ""
        for note in self.notes:
            print(f"note: {note}")
        for (meter, quantity, kind), one in self.channels.items():
            print(
                f"{meter} {quantity} ({kind}, {one.unit}): {would_be}accepted {one.accepted}, "
                f"known already {one.known}, set aside {one.set_aside} of the accepted, "
                f"refused {one.refused}{_span(one)}"
            )
        print(f"{would_be}refused in all: {self.refused}")
        for refused in self.shown:
            print(f"  refused: {_place(refused)}: {refused.reason}")
        if self.refused > len(self.shown) and self.writer is None:
            print(f"  and {self.refused - len(self.shown)} more; --refused-to FILE names every one")
        if dry_run:
            print("Nothing was kept: this was a dry run.")
            return
        for (meter, quantity, kind), one in self.channels.items():
            if one.set_aside:
                path = f"/api/statistics/households/{household}/meters/{meter}/readings"
                verdict = "overlap" if kind == Kind.INTERVAL else "glitch"
                print(f"list what was set aside: GET {path}?quantity={quantity}&verdict={verdict}")


def _place(refused: RefusedReading) -> str:
    """The row, and the column where it is a single cell."""
    if refused.where in ("row", "record"):
        return f"{refused.where} {refused.index}"
    return f"row {refused.index}, {refused.where}"


def _span(one: Outcome) -> str:
    if one.first_us is None or one.last_us is None:
        return ""
    first, last = iso_labels(np.array([one.first_us, one.last_us], np.int64), None)
    return f"; {first} to {last}"


@contextmanager
def _refusals(path: Path | None, summary: Summary) -> Iterator[None]:
    """Every refusal into a CSV file, if one is wished."""
    if path is None:
        yield
        return
    try:
        file: IO[str] = path.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise BadInput.of([Fault("refused-to", f"{path} can't be written: {error.strerror}")]) from error
    with file:
        summary.writer = csv.writer(file)
        summary.writer.writerow(("where", "number", "reason"))
        yield


def _import(
    file: Path,
    preset: str,
    household: str,
    timezone: str | None,
    options: dict[str, str | None],
    summary: Summary,
    *,
    dry_run: bool,
) -> None:
    """Read and record a file, piece by piece. Raises BadInput."""
    store = store_to_fill()
    zone, is_new = timezone, False
    try:
        known = bootstrap.households_of(store).get(household)
        zone = timezone or known.timezone
    except NotFound:
        is_new = True
    with tempfile.TemporaryDirectory() as folder, _progress(file) as on_bytes:
        target, keep = store, not dry_run
        if dry_run and is_new:
            # the household must be somewhere for its readings to be judged: in a store that is thrown away
            target, keep = _scratch(Path(folder)), True
        recorder = bootstrap.recorder_of(target)
        pieces = read_file(file, preset, household=household, zone=zone, on_bytes=on_bytes, **options)  # type: ignore[arg-type]
        for piece in pieces:
            if is_new and any(len(one.at_us) for one in piece.channels):
                bootstrap.households_of(target).put(household, {"timezone": zone or "UTC"})
                made = "would be made" if dry_run else "is new"
                summary.notes.append(f"household {household} {made}; its zone is {zone or 'UTC'}")
                is_new = False
            if piece.channels:
                owner = bootstrap.households_of(target).get(household)
                for wire in piece.channels:
                    wire.unit = wire.unit or default_unit(wire, owner)
            _record(recorder, piece, summary, dry_run=not keep)


def _scratch(folder: Path) -> SqlStore:
    url = f"sqlite:///{folder / 'scratch.sqlite3'}"
    migrate(url)
    return bootstrap.open_store(Settings(database_url=url))


@contextmanager
def _progress(file: Path) -> Iterator[Any]:
    """A bar of the bytes that were read; a function that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size)
        yield lambda count: progress.update(task, completed=count)


def _record(recorder: Recorder, piece: Decoded, summary: Summary, *, dry_run: bool) -> None:
    """Record a piece, a channel a transaction, so that each channel has its own figures."""
    summary.notes += piece.notes
    summary.refuse(piece.refused)
    for wire in piece.channels:
        outcome = summary.outcome(wire)
        outcome.refused += sum(one.where == wire.where != "row" for one in piece.refused)
        for part in _parts(wire):
            done = recorder.record([part], dry_run=dry_run)
            outcome.accepted += done.accepted
            outcome.known += done.duplicates
            outcome.set_aside += done.set_aside
            outcome.refused += len(done.refused)
            summary.refuse(done.refused)
            outcome.span(part, done.refused)


def _parts(wire: WireReadings) -> Iterator[WireReadings]:
    """Readings in transactions of a bounded number each."""
    for begin in range(0, len(wire.at_us), _TRANSACTION):
        part = slice(begin, begin + _TRANSACTION)
        yield WireReadings(
            wire.household,
            wire.meter,
            wire.quantity,
            wire.kind,
            wire.unit,
            wire.at_us[part],
            wire.value[part],
            None if wire.interval_us is None else wire.interval_us[part],
            wire.stamp_end,
            None if wire.index is None else wire.index[part],
            wire.where,
        )
