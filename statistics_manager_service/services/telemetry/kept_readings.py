"""What was read, told back: the newest value of each channel, readings with their verdicts page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from statistics_manager_service.core.blocks import unpack_blocks
from statistics_manager_service.core.correction import FEW, RUN_LIMIT_US, Verdict
from statistics_manager_service.core.grid import block_of
from statistics_manager_service.core.quantities import QUANTITIES, Kind
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Channel, ReadView, Revision, Store


@dataclass(slots=True)
class Newest:
    """The newest value of a channel, in milli-units; of an interval, the energy and the start of the last one."""

    channel: Channel
    at_us: int
    value_milli: int


@dataclass(slots=True)
class Page:
    """Readings of a channel with their verdicts, columns; `more`: the instant to go on from, or None at the end.

    revisions: values of the page's stretch of time that corrections have replaced, where they were asked for.
    """

    channel: Channel
    at_us: list[int] = field(default_factory=list)
    value_milli: list[int] = field(default_factory=list)
    verdict: list[str] = field(default_factory=list)
    provisional: list[bool] = field(default_factory=list)
    more_us: int | None = None
    revisions: list[Revision] = field(default_factory=list)


def parse_verdict(text: str) -> Verdict:
    """A verdict by its name. Raises BadInput that names them all."""
    if text.upper() not in Verdict.__members__:
        allowed = ", ".join(one.name.lower() for one in Verdict)
        raise BadInput.of([Fault("verdict", f"{text[:40]!r} is no verdict; there are {allowed}")])
    return Verdict[text.upper()]


def check_quantity(name: str) -> None:
    """Raises BadInput where there is no such quantity, with those that there are."""
    if name not in QUANTITIES:
        raise BadInput.of([Fault("quantity", f"{name[:60]!r} is no quantity; there are {', '.join(QUANTITIES)}")])


class KeptReadings:
    """Tells what a store keeps of readings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self, household_id: str) -> list[Newest]:
        """The newest value of each channel that has one."""
        with self._store.reading() as view:
            household = known_household(view, household_id)
            return newest_of(view.channels(household.household_no))

    def pages(
        self,
        household_id: str,
        meter: str,
        quantity: str,
        start_us: int,
        end_us: int,
        verdict: str | None,
        limit: int,
        *,
        with_revisions: bool = False,
    ) -> list[Page]:
        """Readings with start ≤ instant < end of each channel of a meter's quantity, of one verdict if named."""
        wanted = None if verdict is None else parse_verdict(verdict)
        with self._store.reading() as view:
            household = known_household(view, household_id)
            mine = [c for c in view.channels(household.household_no) if c.meter == meter]
            if not mine:
                raise NotFound(f"household {household_id} has no meter {meter[:80]!r}")
            some = [c for c in mine if not quantity or c.quantity == quantity]
            if not some:
                there = ", ".join(sorted({c.quantity for c in mine}))
                raise BadInput.of(
                    [Fault("quantity", f"meter {meter} does not measure {quantity[:60]!r}; it has {there}")]
                )
            pages = [_page(view, channel, start_us, end_us, wanted, limit) for channel in some]
            for page in pages if with_revisions else []:
                key = (page.channel.household_no, page.channel.channel_no)
                page.revisions = view.revisions(*key, start_us, end_us if page.more_us is None else page.more_us)
            return pages


def newest_of(channels: Sequence[Channel]) -> list[Newest]:
    """The newest value of each channel that has one."""
    return [
        Newest(c, c.last_us, c.last_value_milli)
        for c in channels
        if c.last_us is not None and c.last_value_milli is not None
    ]


def _page(view: ReadView, channel: Channel, start_us: int, end_us: int, wanted: Verdict | None, limit: int) -> Page:
    page = Page(channel)
    if channel.first_us is None or channel.last_us is None:
        return page
    first, last = block_of(max(start_us, channel.first_us)), block_of(min(end_us, channel.last_us))
    step = 64  # blocks read at a time, so that a page of a long channel does not read all of it
    for low in range(first, last + 1, step):
        blocks = view.blocks(channel.household_no, channel.channel_no, low, min(low + step - 1, last))
        for at_us, value, _, verdicts in unpack_blocks([block.body for block in blocks]):
            inside = (at_us >= start_us) & (at_us < end_us)
            if wanted is not None:
                inside &= verdicts == wanted
            rows = np.flatnonzero(inside)
            if len(page.at_us) + len(rows) > limit:
                page.more_us = int(at_us[rows[limit - len(page.at_us)]])
                rows = rows[: limit - len(page.at_us)]
            page.at_us += at_us[rows].tolist()
            page.value_milli += value[rows].tolist()
            page.verdict += [Verdict(v).name.lower() for v in verdicts[rows].tolist()]
            if page.more_us is not None:
                break
        if page.more_us is not None:
            break
    page.provisional = _provisional(channel, page)
    return page


def _provisional(channel: Channel, page: Page) -> list[bool]:
    """Whether later readings may still show a register reading to be part of a glitch."""
    if channel.kind is not Kind.REGISTER or channel.last_us is None:
        return [False] * len(page.at_us)
    at_end = page.more_us is None and bool(page.at_us) and page.at_us[-1] == channel.last_us
    few = len(page.at_us) - FEW if at_end else len(page.at_us)
    return [i >= few or at >= channel.last_us - RUN_LIMIT_US for i, at in enumerate(page.at_us)]
