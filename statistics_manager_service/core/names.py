"""Names that callers give: ids of households, names of meters."""

from __future__ import annotations

import re
from typing import Final

from statistics_manager_service.errors import Fault

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")


def check_name(text: str, where: str) -> list[Fault]:
    """The faults of a name: none, or one that says what a name is."""
    if NAME.match(text):
        return []
    shown = ascii(text[:40])
    return [
        Fault(
            where,
            f"{shown} is no name; a name has 1 to 64 letters, digits, '-', '_', '.' or ':', a letter or digit first",
        )
    ]
