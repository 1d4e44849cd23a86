"""HTML that is escaped unless it says that it is markup: what is no `Markup` is text, wherever it comes from."""

from __future__ import annotations

import html
from typing import Final

_VOID: Final = frozenset({"meta"})


class Markup(str):
    """Text that is HTML already, made by `tag` or written here."""

    __slots__ = ()


def tag(name: str, /, *inside: str, **attributes: str | float | None) -> Markup:
    """An element. Attributes: `class_` is class, `data_label` is data-label; one that is None is left out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{told}>" if name in _VOID else f"<{name}{told}>{joined(*inside)}</{name}>")


def joined(*parts: str) -> Markup:
    """Parts one behind the other, those that are no markup escaped."""
    return Markup("".join(one if isinstance(one, Markup) else html.escape(one) for one in parts))


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
