"""Tables on paper: heads that are repeated on each page, rows that are not torn, groups that keep their first row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from statistics_manager_service.statements.paper import (
    ACCENT,
    AMBER,
    HAIR,
    INK,
    LEFT,
    SOFT,
    Align,
    Colour,
    Paper,
    leading,
)

_PADDING: Final = 0.9
_GAP: Final = 2.0
_HEAD_PT: Final = 7.5
_DETAIL_PT: Final = 7.2
_GROUP_ABOVE: Final = 1.0
_GROUP_BELOW: Final = 0.1


@dataclass(frozen=True, slots=True)
class Column:
    """A column; width in mm. head_width: of a head that stands over the next column, too."""

    head: str
    width: float
    align: Align = "R"
    colour: Colour = INK
    bold: bool = False
    head_width: float | None = None


class Table:
    """A table from the paper's place down. The first column's text may take several lines, the others have one."""

    def __init__(self, paper: Paper, columns: Sequence[Column], x: float = LEFT, size: float = 8.5) -> None:
        self._paper, self._columns, self._x, self._size = paper, tuple(columns), x, size
        self._width = sum(one.width for one in columns)
        self._is_first = True

    @property
    def head_height(self) -> float:
        """Of the row of heads."""
        return leading(_HEAD_PT) + 2 * _PADDING

    @property
    def group_height(self) -> float:
        """Of a group's title."""
        return _GROUP_ABOVE + _PADDING + leading(self._size) + _GROUP_BELOW

    @property
    def total_height(self) -> float:
        """Of the last row."""
        return leading(self._size) + 2 * _PADDING + 0.5

    def row_height(self, title: str, details: Sequence[str] = ()) -> float:
        """Of a row."""
        titles, small = self._texts(title, details)
        return len(titles) * leading(self._size) + len(small) * leading(_DETAIL_PT) + 2 * _PADDING

    def _texts(self, title: str, details: Sequence[str]) -> tuple[list[str], list[str]]:
        width = self._columns[0].width - _GAP
        small = [line for one in details for line in self._paper.lines(one, width, _DETAIL_PT)]
        return self._paper.lines(title, width, self._size), small

    def head(self, keep: float = 0) -> None:
        """The heads, on a page where there is room for them and for what has to stay with them."""
        self._paper.need(self.head_height + keep)
        x, y = self._x, self._paper.y_mm + _PADDING
        for one in self._columns:
            width = one.head_width or one.width
            if one.head:
                self._paper.put(x, y, one.head, width=width, align=one.align, size=_HEAD_PT, colour=SOFT)
            x += one.width
        self._paper.y_mm += self.head_height
        self._paper.rule(self._x, self._paper.y_mm, self._width, INK)
        self._is_first = True

    def _room(self, height: float) -> None:
        if self._paper.need(height):
            self.head()

    def group(self, title: str, keep: float) -> None:
        """A title of rows, on one page with the first of them."""
        self._room(self.group_height + keep)
        y = self._paper.y_mm + _PADDING + _GROUP_ABOVE
        self._paper.put(self._x, y, title, width=self._width, size=self._size, bold=True, colour=ACCENT)
        self._paper.y_mm += self.group_height
        self._is_first = True

    def row(self, cells: Sequence[str], details: Sequence[str] = (), keep: float = 0, flag: str = "") -> None:
        """A row, of one text for each column. flag: a word behind the first one."""
        titles, small = self._texts(cells[0], details)
        height = self.row_height(cells[0], details)
        self._room(height + keep)
        if not self._is_first:
            self._paper.rule(self._x, self._paper.y_mm, self._width, HAIR)
        self._is_first = False
        y = self._paper.y_mm + _PADDING
        self._cells(cells[1:], y)
        first = self._columns[0]
        for line in titles:
            self._paper.put(self._x, y, line, width=first.width, size=self._size, colour=first.colour)
            y += leading(self._size)
        if flag:
            wide = self._paper.get_string_width(titles[-1]) + _GAP
            self._paper.put(
                self._x + wide, y - leading(self._size), flag, width=first.width - wide, size=_DETAIL_PT, colour=AMBER
            )
        for line in small:
            self._paper.put(self._x, y, line, width=first.width, size=_DETAIL_PT, colour=SOFT)
            y += leading(_DETAIL_PT)
        self._paper.y_mm += height

    def _cells(self, texts: Sequence[str], y: float, bold: bool = False) -> None:
        x = self._x + self._columns[0].width
        for one, text in zip(self._columns[1:], texts, strict=True):
            if text:
                is_bold = bold or one.bold
                self._paper.put(
                    x, y, text, width=one.width, align=one.align, size=self._size, bold=is_bold, colour=one.colour
                )
            x += one.width

    def total(self, cells: Sequence[str], title_width: float) -> None:
        """The last row. Who draws the row before keeps `total_height` for it."""
        self._room(self.total_height)
        self._paper.rule(self._x, self._paper.y_mm, self._width, INK)
        y = self._paper.y_mm + _PADDING + 0.3
        self._paper.put(self._x, y, cells[0], width=title_width, size=self._size, bold=True)
        self._cells(cells[1:], y, bold=True)
        self._paper.y_mm += self.total_height
