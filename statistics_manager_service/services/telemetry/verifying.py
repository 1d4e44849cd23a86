"""Whether what is derived equals what follows from the readings; and making it so again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.ports import Channel, Household, ReadView, Store
from statistics_manager_service.services.telemetry.recording import Recorder, before_profiles, settle
from statistics_manager_service.services.telemetry.scratch import Scratch
from statistics_manager_service.services.telemetry.stretches import Stretch, events_of

_EVERYTHING = 10**9
_PAGE = 200


@dataclass(slots=True)
class Verified:
    """What was looked at, and where stored and derived differ (a sentence each)."""

    households: int = 0
    channels: int = 0
    readings: int = 0
    days: int = 0
    differences: list[str] = field(default_factory=list)


def households_of(store: Store, only: str | None = None) -> Iterator[Household]:
    """All households, or the one that is named."""
    after: str | None = None
    while True:
        with store.reading() as view:
            if only is not None:
                found = view.household(only)
                page = [] if found is None else [found]
            else:
                page = view.households(after, _PAGE)
        yield from page
        if only is not None or len(page) < _PAGE:
            return
        after = page[-1].id


def verify(store: Store, only: str | None = None, on_household: Callable[[], None] = lambda: None) -> Verified:
    """Correct and fold every channel's readings from nothing, and compare with what is stored."""
    out = Verified()
    for household in households_of(store, only):
        out.households += 1
        with store.reading() as view:
            for channel in view.channels(household.household_no):
                out.channels += 1
                name = _name(household, channel)
                out.differences += [f"{name}: {text}" for text in _differences(view, channel, out)]
        on_household()
    return out


def _name(household: Household, channel: Channel) -> str:
    return f"{household.id} {channel.meter} {channel.quantity} {channel.kind}"


def _differences(view: ReadView, channel: Channel, out: Verified) -> Iterator[str]:
    key = (channel.household_no, channel.channel_no)
    blocks = {block.block: block for block in view.blocks(*key, -_EVERYTHING, _EVERYTHING)}
    rows = {row.day: row for row in view.profiles(*key, -_EVERYTHING, _EVERYTHING)}
    one = Stretch(channel, events_of(view.meter_events(channel.household_no), channel))
    try:
        one.load_all(view)
    except ValueError as error:
        yield f"its readings can't be read: {error}"
        return
    one.channel = before_profiles(one)
    out.readings += len(one.at_us)
    out.days += len(rows)
    if len(one.at_us) != channel.reading_count:
        yield f"{len(one.at_us)} readings are stored, {channel.reading_count} are counted"
    if not len(one.at_us):
        if rows:
            yield f"{len(rows)} day profiles without a reading"
        return
    one.changed[:] = True
    scratch = Scratch()
    settle(scratch, [one])  # type: ignore[arg-type] # of a view it needs the three writes alone: all is loaded
    if scratch.blocks != blocks:
        wrong = [block for block in scratch.blocks if scratch.blocks[block] != blocks.get(block)]
        yield f"verdicts or state of {len(wrong)} blocks of readings differ, the first is block {min(wrong)}"
    if scratch.profiles_by_day != rows:
        days = scratch.profiles_by_day.keys() | rows.keys()
        wrong = [day for day in days if scratch.profiles_by_day.get(day) != rows.get(day)]
        yield f"{len(wrong)} day profiles differ from their readings, the first is day {min(wrong)}"
    if scratch.channel is not None and scratch.channel._replace(reading_count=channel.reading_count) != channel:
        yield "the channel's running totals, or its first or newest reading, differ from its readings"


def rebuild(
    store: Store, recorder: Recorder, only: str | None = None, on_household: Callable[[], None] = lambda: None
) -> int:
    """Correct and fold every channel anew, a household a transaction; the number of channels.

    Raises StatisticsError that names the channel whose readings are damaged; its household stays as it was.
    """
    count = 0
    for household in households_of(store, only):
        with store.writing() as view:
            view.begin_changes([household.household_no])
            for channel in view.channels(household.household_no):
                try:
                    recorder.refold(view, household, channel)
                except ValueError as error:
                    raise StatisticsError(
                        f"{_name(household, channel)}: its readings can't be read: {error}"
                    ) from error
                count += 1
        on_household()
    return count
