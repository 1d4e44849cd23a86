"""Numbers of text: whether a point or a comma stands before the decimals is decided once for a file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, Literal

import numpy as np

from statistics_manager_service.core.readings import Float64
from statistics_manager_service.ingest.presets.source import wrong

#: What stands in a cell that has no reading.
NOTHING: Final = frozenset(("", "-", "--", "?", "na", "n/a", "nan", "null", "none", "unknown", "unavailable"))
_SPACES: Final = " \u00a0\u202f'"
_GROUPED: Final = {
    "point": re.compile(rf"[+-]?\d{{1,3}}(?:[,{_SPACES}]\d{{3}})+(?:\.\d*)?", re.ASCII),
    "comma": re.compile(rf"[+-]?\d{{1,3}}(?:[.{_SPACES}]\d{{3}})+(?:,\d*)?", re.ASCII),
}
_ONE_MARK: Final = re.compile(rf"[+-]?[\d{_SPACES}]*[.,]\d*(?:[eE][+-]?\d+)?", re.ASCII)
_LIKE_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)

Mark = Literal["point", "comma"]


class Decimals:
    """The numbers of a file. `mark` is what stands before the decimals in all of it."""

    def __init__(self, mark: Mark) -> None:
        self.mark: Mark = mark

    def read(self, cells: list[str]) -> tuple[Float64, list[int]]:
        """(n,) float64 numbers, NaN where there is none; and the places of cells that are no number of this file."""
        out = np.full(len(cells), np.nan)
        bad = []
        for i, cell in enumerate(cells):
            value = self._number(cell)
            if value is None:
                bad.append(i)
            else:
                out[i] = value
        return out, bad

    def _number(self, cell: str) -> float | None:
        """NaN for an empty cell, None for one that is no number."""
        usual = cell if self.mark == "point" else "" if "." in cell else cell.replace(",", ".", 1)
        try:
            value = float(usual)
        except ValueError:
            pass
        else:
            if math.isfinite(value) and "_" not in cell:
                return value
        text = cell.strip()
        if text.casefold() in NOTHING:
            return math.nan
        if _GROUPED[self.mark].fullmatch(text):
            text = re.sub(rf"[{_SPACES}]", "", text)
            text = text.replace(",", "") if self.mark == "point" else text.replace(".", "").replace(",", ".")
        else:
            return None
        value = float(text)
        return value if math.isfinite(value) else None


def decide(cells: Iterable[str], delimiter: str, told: Mark | None, notes: list[str]) -> Decimals:
    """The decimals of a file, from the numbers of its beginning.

    A cell such as 0.25, 1,234.5 or 1.234.567 tells; one such as 1.234 may be either. Where `;` or a tab parts the
    cells, a comma stands before decimals unless other cells say otherwise. Raises BadInput where it can't be told.
    """
    if told is not None:
        return Decimals(told)
    point = comma = like_point = like_comma = 0
    for cell in cells:
        text = cell.strip()
        points, commas = text.count("."), text.count(",")
        if points + commas == 0:
            continue
        if points + commas == 1:
            if _ONE_MARK.fullmatch(text) is None:
                continue
            if _LIKE_THOUSANDS.fullmatch(text):
                like_point, like_comma = like_point + points, like_comma + commas
                continue
            is_point = points == 1
        elif _GROUPED["point"].fullmatch(text) or _GROUPED["comma"].fullmatch(text):
            is_point = _GROUPED["point"].fullmatch(text) is not None
        else:
            continue  # it is no number in either way
        point, comma = point + is_point, comma + (not is_point)
    if not point and not comma:
        if like_comma and not like_point and delimiter != ",":
            return Decimals("comma")
        if like_comma:
            raise _undecided("numbers such as 1,234 may mean thousands or decimals")
        if like_point:
            notes.append("numbers such as 1.234 are read with a decimal point; --decimal comma reads them as thousands")
        return Decimals("point")
    if point == comma:
        raise _undecided("some numbers have a decimal point and as many a decimal comma")
    return Decimals("point" if point > comma else "comma")


def _undecided(why: str) -> Exception:
    return wrong("numbers", f"{why}; tell which it is with --decimal point or --decimal comma")
