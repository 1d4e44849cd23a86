"""What commands that take values of time from files have in common: the files, their options, refusals."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import typer

from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.prices.price_series import INTERVALS_S

WRONG_USAGE: Final = 2
MOST_SHOWN: Final = 20
_LARGEST_FILE_BYTES: Final = 256 * 2**20
_GZIP: Final = b"\x1f\x8b"
Read = TypeVar("Read")


def of_each_file(files: Sequence[Path], read: Callable[[bytes], Read]) -> list[Read]:
    """What is read of each file. Raises BadInput with the faults of all of them."""
    faults: list[Fault] = []
    found = []
    for path in files:
        try:
            found.append(read(_body(path)))
        except BadInput as error:
            faults += [Fault(f"{path.name}, {one.where}", one.why) for one in error.faults]
    if faults:
        raise BadInput.of(faults)
    return found


def _body(path: Path) -> bytes:
    """The bytes of a file, unpacked. Raises BadInput."""
    try:
        with path.open("rb") as handle:
            is_packed = handle.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            body = stream.read(_LARGEST_FILE_BYTES + 1)
    except (EOFError, zlib.error, OSError) as error:
        raise BadInput.of([Fault("body", f"the file can't be read: {error}")]) from error
    if len(body) > _LARGEST_FILE_BYTES:
        raise BadInput.of([Fault("body", f"the file has more than {_LARGEST_FILE_BYTES} bytes")])
    return body


def option_value(name: str, told: Any) -> Any:
    """An option of the command line as a reader takes it: interval in seconds, where as a table. Raises BadInput."""
    if name == "interval":
        return interval_s(told)
    if name == "timezone":
        check_zone(told)
    if name == "decimal" and told not in ("point", "comma"):
        raise BadInput.of([Fault(name, f"{told[:40]!a} is neither point nor comma")])
    if name == "where":
        pairs = [one.partition("=") for one in told]
        wrong = [Fault(name, f"{one[0][:40]!a} has no =; write COLUMN=VALUE") for one in pairs if not one[1]]
        if wrong:
            raise BadInput.of(wrong)
        return {column.strip(): value.strip() for column, _, value in pairs}
    return told


def interval_s(told: str) -> int:
    """Seconds of PT15M, PT30M or PT1H. Raises BadInput."""
    found = INTERVALS_S.get("PT1H" if told == "PT60M" else told)
    if found is None:
        raise BadInput.of([Fault("interval", f"{told[:40]!a} is none of {', '.join(INTERVALS_S)}")])
    return found


def show_notes(notes: Sequence[str]) -> None:
    """Print what was decided while values were read."""
    for note in notes[:MOST_SHOWN]:
        print(f"note: {note}")
    if len(notes) > MOST_SHOWN:
        print(f"  and {len(notes) - MOST_SHOWN} more")


def refuse(error: BadInput) -> NoReturn:
    """Print all faults, and end with the code of wrong usage."""
    print(f"statistics-manager: {error.sentence}", file=sys.stderr)
    for fault in error.faults[1:MOST_SHOWN]:
        print(f"  {fault.where}: {fault.why}", file=sys.stderr)
    if len(error.faults) > MOST_SHOWN:
        print(f"  and {len(error.faults) - MOST_SHOWN} more", file=sys.stderr)
    raise typer.Exit(WRONG_USAGE) from error
