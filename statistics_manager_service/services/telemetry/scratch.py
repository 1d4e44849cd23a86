"""A place for what a correction would write, where nothing is to be written: to verify, and to look back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from statistics_manager_service.services.ports import Block, Channel, ProfileRow


@dataclass(slots=True)
class Scratch:
    """Takes what a correction would write, and writes nothing."""

    blocks: dict[int, Block] = field(default_factory=dict)
    profiles_by_day: dict[int, ProfileRow] = field(default_factory=dict)
    channel: Channel | None = None

    def put_blocks(self, rows: Sequence[tuple[int, int, int, int | None, int, bytes]]) -> None:
        """Take blocks of readings."""
        for _, _, block, carry, count, body in rows:
            self.blocks[block] = Block(block, carry, count, body)

    def put_profiles(self, rows: Sequence[tuple[int, int, int, int, int, int, int, int, bytes]]) -> None:
        """Take day profiles."""
        for _, _, *row in rows:
            profile = ProfileRow(*row)  # type: ignore[arg-type] # the row without its two keys
            self.profiles_by_day[profile.day] = profile

    def update_channels(self, channels: Sequence[Channel]) -> None:
        """Take the channel with its running totals."""
        self.channel = channels[0]
