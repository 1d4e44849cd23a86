"""Sheets of A4: fonts, colours, texts at a place, page breaks. What stands on them is told by pdf.py."""

from __future__ import annotations

import pathlib
from datetime import UTC, datetime
from typing import Final, Literal

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos

from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.statements.fonts import REGULAR, SEMIBOLD, writable

Colour = tuple[int, int, int]
INK: Final[Colour] = (27, 39, 51)
SOFT: Final[Colour] = (92, 107, 121)
HAIR: Final[Colour] = (221, 227, 232)
ACCENT: Final[Colour] = (15, 92, 110)
GREEN: Final[Colour] = (47, 125, 79)
AMBER: Final[Colour] = (154, 91, 0)
AMBER_PALE: Final[Colour] = (253, 244, 227)
GREY: Final[Colour] = (143, 163, 173)
LIGHT: Final[Colour] = (156, 195, 203)
SAND: Final[Colour] = (201, 162, 106)
SAND_PALE: Final[Colour] = (243, 234, 219)
WHITE: Final[Colour] = (255, 255, 255)

Align = Literal["L", "C", "R"]

LEFT: Final = 18.0
WIDTH: Final = 174.0
TOP: Final = 18.0
_RUNNING_TOP: Final = 24.0
BOTTOM: Final = 279.0
_MM_PER_PT: Final = 25.4 / 72
_LEADING: Final = 1.38
_LEAST_PT: Final = 3.0


class Paper(FPDF):
    """A document of A4 sheets; `y_mm` is where the next thing goes.

    running: what stands at the head of each page but the first. made_us: its date of creation; nothing else of it
    depends on the clock, so that the same statement is the same bytes.
    """

    def __init__(self, title: str, running: str, language: str, made_us: int, helping: pathlib.Path | None) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._helping, self._running = helping, running
        self.set_title(title)
        self.set_lang(language)
        self.set_creation_date(datetime.fromtimestamp(made_us / US_PER_S, tz=UTC))
        self.set_margins(LEFT, TOP, LEFT)
        self.set_auto_page_break(False)
        self.str_alias_nb_pages = ""
        self.c_margin = 0
        self.add_font("Inter", "", REGULAR)
        self.add_font("Inter", "B", SEMIBOLD)
        if helping is not None:
            self.add_font("Helping", "", helping)
            self.set_fallback_fonts(["Helping"], exact_match=False)
        self._top_mm = self.y_mm = TOP
        self.add_page()

    def header(self) -> None:
        """The running head."""
        self._top_mm = self.y_mm = TOP
        if self.page_no() > 1:
            self.put(LEFT, 12, self.fitted(self._running, WIDTH, 8), size=8, colour=SOFT)
            self.rule(LEFT, 18, WIDTH, HAIR)
            self._top_mm = self.y_mm = _RUNNING_TOP

    def finished(self) -> bytes:
        """The document, its pages numbered: at the end, since only then their number is known.

        The library's own way, a mark in the text that it replaces, would replace it in a household's name, too.
        """
        count = self.page_no()
        for page in range(1, count + 1):
            self.page = page
            self.current_font_is_set_on_page = False
            self.put(LEFT, 284, f"Page {page} of {count}", align="R", size=8, colour=SOFT)
        return bytes(self.output())

    def _font(self, size: float, bold: bool, colour: Colour) -> None:
        self.set_font("Inter", "B" if bold else "", size)
        self.set_text_color(*colour)

    def put(
        self,
        x: float,
        y: float,
        text: str,
        *,
        width: float = WIDTH,
        align: Align = "L",
        size: float = 9,
        bold: bool = False,
        colour: Colour = INK,
    ) -> None:
        """One line of text, whose line box begins at y. It is made smaller where it would be wider than its place."""
        shown = writable(text, self._helping)
        self._font(size, bold, colour)
        wide = self.get_string_width(shown)
        if wide > width:
            self.set_font_size(max(size * width / wide, _LEAST_PT))
        self.set_xy(x, y)
        self.cell(width, leading(size), shown, align=align, new_x=XPos.RIGHT, new_y=YPos.TOP)

    def lines(self, text: str, width: float, size: float, bold: bool = False) -> list[str]:
        """A text cut into lines that fit a width."""
        self._font(size, bold, INK)
        shown = writable(text, self._helping)
        if self.get_string_width(shown) <= width:
            return [shown]
        cut = self.multi_cell(width, leading(size), shown, align="L", dry_run=True, output=MethodReturnValue.LINES)
        return cut if isinstance(cut, list) and cut else [""]

    def fitted(self, text: str, width: float, size: float, bold: bool = False) -> str:
        """A text, with an ellipsis in place of what does not fit a width."""
        cut = self.lines(text, width, size, bold)
        return cut[0] if len(cut) == 1 else f"{cut[0][: max(len(cut[0]) - 2, 0)].rstrip()}…"

    def paragraph(
        self,
        text: str,
        *,
        x: float = LEFT,
        width: float = WIDTH,
        size: float = 9,
        bold: bool = False,
        colour: Colour = INK,
    ) -> None:
        """A text of as many lines as it needs, on the next page where this one is full."""
        for line in self.lines(text, width, size, bold):
            self.need(leading(size))
            self.put(x, self.y_mm, line, width=width + 1, size=size, bold=bold, colour=colour)
            self.y_mm += leading(size)

    def space(self, height: float) -> None:
        """Leave a height free, but not at the head of a page."""
        if self.y_mm > self._top_mm:
            self.y_mm += height

    def need(self, height: float) -> bool:
        """Begin a page where less than a height (or a page's) is left of this one; whether that was so."""
        if self.y_mm + min(height, BOTTOM - self._top_mm) <= BOTTOM:
            return False
        self.add_page()
        return True

    def box(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """A filled rectangle."""
        self.set_fill_color(*colour)
        self.rect(x, y, width, height, style="F", round_corners=radius > 0, corner_radius=radius)

    def rule(self, x: float, y: float, width: float, colour: Colour, thick: float = 0.15) -> None:
        """A horizontal line."""
        self.set_draw_color(*colour)
        self.set_line_width(thick)
        self.line(x, y, x + width, y)


def leading(size: float) -> float:
    """The height in mm of a line of a size in points."""
    return size * _MM_PER_PT * _LEADING
