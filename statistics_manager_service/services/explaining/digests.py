"""The canonical text of a number, and its digest, by which a second machine confirms the same number."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Final

from statistics_manager_service.services.explaining.figures import label

#: The first line; another form of the text has another number.
VERSION: Final = "statistics-explain 1"
ALGORITHM: Final = "sha-256"
OF: Final = (
    "the canonical text: the same call with canonical=true, or statistics-manager explain --quarters FILE; "
    "docs/explain.md"
)


def canonical_text(
    measure: str, meter: str | None, start_us: int, end_us: int, value: float, unit: str, lines: Iterable[str]
) -> bytes:
    """The text: a head, then lines in the order of their bytes, each ended by a line feed."""
    head = [VERSION, f"measure {measure}"]
    head += [] if meter is None else [f"meter {meter}"]
    head += [f"start {label(start_us)}", f"end {label(end_us)}", f"value {number_text(value)} {unit}".rstrip()]
    return "".join(f"{line}\n" for line in (*head, *sorted(set(lines)))).encode()


def number_text(value: float) -> str:
    """A number as JSON has it, `null` where it is not known."""
    return "null" if math.isnan(value) else repr(value + 0.0)


def digest_of(text: bytes) -> dict[str, str]:
    """The digest as answers tell it."""
    return {"algorithm": ALGORITHM, "of": OF, "value": hashlib.sha256(text).hexdigest()}
