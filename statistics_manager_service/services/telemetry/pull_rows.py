"""What the store keeps of pulls: of each household, up to when a source was read."""

from __future__ import annotations

from typing import Protocol


class PullRows(Protocol):
    """Reading of cursors."""

    def pulled_until(self, household_no: int, source: str) -> int | None:
        """The instant up to which everything of a household was fetched from a source; None where nothing was."""
        ...


class PullWrites(PullRows, Protocol):
    """Changes of cursors, inside a write transaction."""

    def move_cursor(self, household_no: int, source: str, until_us: int) -> None:
        """Move a cursor forward to an instant, or make it; one that is further on stays."""
        ...
