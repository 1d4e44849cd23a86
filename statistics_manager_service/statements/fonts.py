"""The letters of the PDF: the font that is shipped, and fonts of the machine for what it does not have.

Inter (fonts/OFL.txt) is cut down to Latin, Greek and Cyrillic, with figures of one width. Chinese, Japanese and Korean
would weigh megabytes: they are written where the machine has a font of them, and are shown as a box elsewhere. Letters
that have to be joined or reordered to be read (Arabic, Hebrew, Indic, Thai) are boxes too: a wrong word is worse.
"""

from __future__ import annotations

import functools
import pathlib
import unicodedata
from collections.abc import Iterable
from typing import Final

import structlog
from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]  # it has no types

_LOG = structlog.get_logger()

_FOLDER: Final = pathlib.Path(__file__).with_name("fonts")
REGULAR: Final = _FOLDER / "Inter-Regular.ttf"
SEMIBOLD: Final = _FOLDER / "Inter-SemiBold.ttf"
BOX: Final = "\N{WHITE SQUARE}"

#: Fonts that machines have; of those that have as many of the letters in question, the first is taken. A PDF takes
#: 0.6 s with Droid Sans Fallback, 2 s with Noto Sans CJK, 0.1 s without.
_NAMES: Final = (
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "NotoSans-Regular.ttf",
    "DejaVuSans.ttf",
    "FreeSans.ttf",
)
_FOLDERS: Final = (pathlib.Path("/usr/share/fonts"), pathlib.Path("/usr/local/share/fonts"))
#: Directions of letters that are written from right to left.
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
#: Letters that are reordered or stacked: of India, Thailand, Lao, Tibet, Burma, Khmer.
_SHAPED: Final = ((0x0900, 0x109F), (0x1780, 0x17FF), (0x1A00, 0x1AFF), (0xA840, 0xABFF))


@functools.lru_cache(maxsize=16)
def letters_of(font: pathlib.Path) -> frozenset[int]:
    """The code points that a font has."""
    with TTFont(font, lazy=True, fontNumber=0) as opened:
        return frozenset(opened.getBestCmap() or ())


@functools.cache
def installed_fonts() -> tuple[pathlib.Path, ...]:
    """Fonts of the machine that may help out, the preferred first."""
    found = {path.name: path for folder in _FOLDERS for path in sorted(folder.rglob("*.[to]t[fc]"))}
    return tuple(found[name] for name in _NAMES if name in found)


def helping_font(texts: Iterable[str], fonts: Iterable[pathlib.Path]) -> pathlib.Path | None:
    """The font that has most of the letters that the shipped one lacks; None where it lacks none, or none has any."""
    lacking = {ord(one) for text in texts for one in text if _stands_alone(one)} - letters_of(REGULAR)
    if not lacking:
        return None
    best, most = None, 0
    for font in fonts:
        count = len(lacking & _letters_or_none(font))
        if count > most:
            best, most = font, count
    return best


def _letters_or_none(font: pathlib.Path) -> frozenset[int]:
    try:
        return letters_of(font)
    except (OSError, TTLibError) as error:
        _LOG.warning("font_unreadable", font=str(font), error=str(error))
        return frozenset()


def writable(text: str, helping: pathlib.Path | None) -> str:
    """The text, with a box in place of each letter that neither the shipped nor the helping font can write."""
    own = letters_of(REGULAR)
    more = letters_of(helping) if helping else frozenset()
    return "".join(one if ord(one) in own or (ord(one) in more and _stands_alone(one)) else _box(one) for one in text)


def _box(one: str) -> str:
    """A box for a letter, nothing for what joins to the one before it."""
    return "" if unicodedata.category(one) in ("Mn", "Me", "Cf") else BOX


def _stands_alone(one: str) -> bool:
    code = ord(one)
    return (
        unicodedata.bidirectional(one) not in _RIGHT_TO_LEFT
        and not any(first <= code <= last for first, last in _SHAPED)
        and unicodedata.category(one) not in ("Mn", "Me", "Cf")
    )
