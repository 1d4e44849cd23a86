"""A home as it was known at an instant: values that were corrected later are what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.homes import Home
from statistics_manager_service.services.ports import Block, Channel, ProfileColumns, ReadView, Revision, Span
from statistics_manager_service.services.telemetry.recording import before_profiles, settle
from statistics_manager_service.services.telemetry.scratch import Scratch
from statistics_manager_service.services.telemetry.stretches import Stretch, events_of

_FAR_US: Final = 2**62
_Key = tuple[int, int]


def as_known(view: ReadView, home: Home, until_us: int) -> tuple[ReadView, Home]:
    """A look at the store, and the home, with readings as they were known at an instant.

    A value that was corrected after it stands as it was. A reading that came in after it as news is not told from the
    others: of those no revision is kept.
    """
    then: dict[_Key, Scratch] = {}
    channels = []
    for channel in home.channels:
        key = (channel.household_no, channel.channel_no)
        revisions = [one for one in view.revisions(*key, -_FAR_US, _FAR_US) if one.replaced_us > until_us]
        if not revisions:
            channels.append(channel)
            continue
        then[key] = _derived(view, channel, revisions)
        channels.append(then[key].channel or channel)
    if not then:
        return view, home
    return cast("ReadView", _PastView(view, then, until_us)), home._replace(channels=channels)


def _derived(view: ReadView, channel: Channel, revisions: Sequence[Revision]) -> Scratch:
    """The day profiles of a channel without some corrections."""
    one = Stretch(channel, events_of(view.meter_events(channel.household_no), channel))
    one.load_all(view)
    one.value_milli = one.value_milli.copy()
    earliest: dict[int, Revision] = {}
    for revision in revisions:  # of several the first tells what was known before them all
        known = earliest.get(revision.at_us)
        if known is None or revision.replaced_us < known.replaced_us:
            earliest[revision.at_us] = revision
    places = np.searchsorted(one.at_us, np.array(list(earliest), np.int64))
    for place, revision in zip(places.tolist(), earliest.values(), strict=True):
        if place < len(one.at_us) and one.at_us[place] == revision.at_us:
            one.value_milli[place] = revision.value_milli
            if one.length_us is not None:
                one.length_us[place] = revision.length_us
    one.channel = before_profiles(one)
    one.changed[:] = True
    scratch = Scratch()
    settle(scratch, [one])  # type: ignore[arg-type] # of a view it needs the three writes alone: all is loaded
    return scratch


class _PastView:
    """A look at the store in which some channels have other readings and day profiles, and no later revisions."""

    def __init__(self, view: ReadView, then: dict[_Key, Scratch], until_us: int) -> None:
        self._view, self._then, self._until_us = view, then, until_us

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def blocks_of(self, spans: Sequence[Span]) -> list[list[Block]]:
        """The blocks of many channels at once, ordered; a list for each span."""
        return [self.blocks(*span) for span in spans]

    def blocks(self, household_no: int, channel_no: int, first: int, last: int) -> list[Block]:
        """The blocks first..last, both included, ordered."""
        mine = self._then.get((household_no, channel_no))
        if mine is None:
            return self._view.blocks(household_no, channel_no, first, last)
        return [mine.blocks[block] for block in sorted(mine.blocks) if first <= block <= last]

    def blocks_before(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks before `block`, ordered."""
        mine = self._then.get((household_no, channel_no))
        if mine is None:
            return self._view.blocks_before(household_no, channel_no, block, limit)
        return [mine.blocks[one] for one in sorted(mine.blocks) if one < block][-limit:]

    def blocks_after(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        """The nearest non-empty blocks after `block`, ordered."""
        mine = self._then.get((household_no, channel_no))
        if mine is None:
            return self._view.blocks_after(household_no, channel_no, block, limit)
        return [mine.blocks[one] for one in sorted(mine.blocks) if one > block][:limit]

    def revisions(self, household_no: int, channel_no: int, start_us: int, end_us: int) -> list[Revision]:
        """What corrections had replaced until then."""
        found = self._view.revisions(household_no, channel_no, start_us, end_us)
        return [one for one in found if one.replaced_us <= self._until_us]

    def profile_columns(self, keys: Sequence[_Key], days: Int64) -> ProfileColumns:
        """The rows of the given days (increasing) of many channels, ordered by channel, then day."""
        found = [self._rows(key, days) for key in keys]
        return ProfileColumns(
            owner=np.concatenate([np.full(len(place), i, np.int64) for i, (place, _, _) in enumerate(found)]),
            place=np.concatenate([place for place, _, _ in found]),
            totals=np.concatenate([totals for _, totals, _ in found]),
            bodies=[body for _, _, bodies in found for body in bodies],
        )

    def _rows(self, key: _Key, days: Int64) -> tuple[Int64, Int64, Sequence[bytes]]:
        """Of one channel: places of the days that there are, running totals (r, 5), packed days."""
        mine = None if key not in self._then else self._then[key].profiles_by_day
        if mine is None:
            stored = self._view.profile_columns([key], days)
            return stored.place, stored.totals, stored.bodies
        there = [(place, mine[day]) for place, day in enumerate(days.tolist()) if day in mine]
        places = np.array([place for place, _ in there], np.int64)
        totals = np.array([row[1:6] for _, row in there], np.int64).reshape(-1, 5)
        return places, totals, [row.body for _, row in there]
