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
_CELL_GAP: Final = 1.0
_HEAD_PT: Final = 7.5
_DETAIL_PT: Final = 7.2
_GROUP_ABOVE: Final = 1.0
_GROUP_BELOW: Final = 0.1


@dataclass(frozen=True, slots=True)
class Column:
    """A column; width in mm."""

    head: str
    width: float
    align: Align = "R"
    colour: Colour = INK
    bold: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """A text for each column. details: small lines below the first. flag: a word behind the first."""

    cells: tuple[str, ...]
    details: tuple[str, ...] = ()
    flag: str = ""


#: Rows under a title, or under none ("").
Groups = Sequence[tuple[str, Sequence[TableRow]]]


class Table:
    """A table from the paper's place down. The first column's text may take several lines, the others have one.

    total: the last row's texts; the first may be as wide as `total_width`.
    """

    def __init__(
        self,
        paper: Paper,
        columns: Sequence[Column],
        groups: Groups,
        total: Sequence[str],
        *,
        total_width: float,
        size: float = 8.5,
    ) -> None:
        self._paper, self._columns, self._size = paper, tuple(columns), size
        self._groups, self._total, self._total_width = groups, tuple(total), total_width
        self._width = sum(one.width for one in columns)
        self._head_height = leading(_HEAD_PT) + 2 * _PADDING
        self._group_height = _GROUP_ABOVE + _PADDING + leading(size) + _GROUP_BELOW
        self._total_height = leading(size) + 2 * _PADDING + 0.5

    @property
    def height(self) -> float:
        """Of the whole table."""
        rows = sum(self._row_height(row) for _, rows in self._groups for row in rows)
        titles = sum(self._group_height for title, _ in self._groups if title)
        return self._head_height + titles + rows + self._total_height

    @property
    def least_height(self) -> float:
        """Of the heads and the first row: what must not be torn."""
        first = next((self._keep(title, rows) for title, rows in self._groups), 0.0)
        return self._head_height + first + self._total_height

    def draw(self) -> None:
        """Draw it, on as many pages as it needs; the heads stand on each."""
        self._paper.need(self.least_height)
        self._draw_head()
        for i, (title, rows) in enumerate(self._groups):
            if title:
                self._room(self._keep(title, rows))
                self._draw_group(title)
            for j, row in enumerate(rows):
                is_last = i == len(self._groups) - 1 and j == len(rows) - 1
                self._room(self._row_height(row) + (self._total_height if is_last else 0))
                self._draw_row(row, has_rule=j > 0)
        self._draw_total()

    def _keep(self, title: str, rows: Sequence[TableRow]) -> float:
        """The height of a group's title and first row, and of the total where nothing else stands between."""
        height = (self._group_height if title else 0.0) + sum(self._row_height(one) for one in rows[:1])
        return height + (self._total_height if len(rows) == 1 else 0.0)

    def _row_height(self, row: TableRow) -> float:
        titles, small = self._texts(row)
        return len(titles) * leading(self._size) + len(small) * leading(_DETAIL_PT) + 2 * _PADDING

    def _texts(self, row: TableRow) -> tuple[list[str], list[str]]:
        width = self._columns[0].width - _GAP
        small = [line for one in row.details for line in self._paper.lines(one, width, _DETAIL_PT)]
        return self._paper.lines(row.cells[0], width, self._size), small

    def _room(self, height: float) -> None:
        if self._paper.need(height):
            self._draw_head()

    def _draw_head(self) -> None:
        x, y = LEFT, self._paper.y_mm + _PADDING
        for one in self._columns:
            self._paper.put(x, y, one.head, width=one.width, align=one.align, size=_HEAD_PT, colour=SOFT)
            x += one.width
        self._paper.y_mm += self._head_height
        self._paper.rule(LEFT, self._paper.y_mm, self._width, INK)

    def _draw_group(self, title: str) -> None:
        y = self._paper.y_mm + _PADDING + _GROUP_ABOVE
        self._paper.put(LEFT, y, title, width=self._width, size=self._size, bold=True, colour=ACCENT)
        self._paper.y_mm += self._group_height

    def _draw_row(self, row: TableRow, has_rule: bool) -> None:
        paper, first = self._paper, self._columns[0]
        if has_rule:
            paper.rule(LEFT, paper.y_mm, self._width, HAIR)
        titles, small = self._texts(row)
        y = paper.y_mm + _PADDING
        self._draw_cells(row.cells, y)
        for line in titles:
            paper.put(LEFT, y, line, width=first.width, size=self._size, colour=first.colour)
            y += leading(self._size)
        if row.flag:
            wide = paper.get_string_width(titles[-1]) + _GAP
            line_y = y - leading(self._size)
            paper.put(LEFT + wide, line_y, row.flag, width=first.width - wide, size=_DETAIL_PT, colour=AMBER)
        for line in small:
            paper.put(LEFT, y, line, width=first.width, size=_DETAIL_PT, colour=SOFT)
            y += leading(_DETAIL_PT)
        paper.y_mm += self._row_height(row)

    def _draw_cells(self, texts: Sequence[str], y: float, bold: bool = False) -> None:
        """All but the first, which has lines of its own."""
        x = LEFT + self._columns[0].width
        for one, text in zip(self._columns[1:], texts[1:], strict=True):
            if text:
                gap = _CELL_GAP if one.align == "R" else 0
                self._paper.put(
                    x + gap,
                    y,
                    text,
                    width=one.width - gap,
                    align=one.align,
                    size=self._size,
                    bold=bold or one.bold,
                    colour=one.colour,
                )
            x += one.width

    def _draw_total(self) -> None:
        self._paper.rule(LEFT, self._paper.y_mm, self._width, INK)
        y = self._paper.y_mm + _PADDING + 0.3
        self._paper.put(LEFT, y, self._total[0], width=self._total_width, size=self._size, bold=True)
        self._draw_cells(self._total, y, bold=True)
        self._paper.y_mm += self._total_height
