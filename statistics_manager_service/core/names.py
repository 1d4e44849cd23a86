"""Names that callers give: ids of households, names of meters, members of JSON objects."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Final

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


def has_control(text: str) -> bool:
    """Whether control characters stand in a text, such as NUL or a line break: not every store can hold them."""
    return any(unicodedata.category(letter) == "Cc" for letter in text)


def repeated_members(text: bytes) -> list[Fault]:
    """The faults of JSON in which a member stands twice in one object: one of the two would be lost unsaid.

    text: JSON that has been read already.
    """
    repeated: dict[str, None] = {}

    def once(pairs: list[tuple[str, Any]]) -> None:
        seen = set()
        for name, _ in pairs:
            if name in seen:
                repeated[name] = None
            seen.add(name)

    try:
        json.loads(text, object_pairs_hook=once)
    except RecursionError:
        return [Fault("body", "this JSON is nested too deeply")]
    return [Fault(name[:60] or '""', "this member stands twice in one object") for name in repeated]
