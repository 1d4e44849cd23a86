"""The one function that records readings, live or in bulk, and what else changes stored series.

A write transaction: find or make the channels, load the stretch around each change, merge, correct, fold, write blocks,
profiles and running totals, commit, and only then answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Int64, RefusedReading, WireReadings
from statistics_manager_service.errors import BadInput, Fault, UnknownHousehold
from statistics_manager_service.services.ports import Channel, Household, MeterEvent, Store, WriteView
from statistics_manager_service.services.telemetry.accepting import (
    Accepted,
    Claim,
    accept,
    claim,
    default_unit,
    kind_of,
)
from statistics_manager_service.services.telemetry.correcting import correct, set_aside_count
from statistics_manager_service.services.telemetry.folding import fold_stretches, patch_profiles
from statistics_manager_service.services.telemetry.stretches import Replaced, Stretch, events_of, load, packed

ChannelKey = tuple[int, str, str, Kind]


@dataclass(slots=True)
class Recorded:
    """What became of readings: how many were new, known already, set aside; and which were refused, and why."""

    accepted: int = 0
    duplicates: int = 0
    set_aside: int = 0
    refused: list[RefusedReading] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    """What one channel gets."""

    channel: Channel
    parts: list[Accepted]

    def column(self, name: str) -> Int64:
        columns: list[Int64] = [getattr(part, name) for part in self.parts]
        return columns[0] if len(columns) == 1 else np.concatenate(columns)


class Recorder:
    """Records readings into a store. `now_us` tells the present in microseconds UTC."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us = store, now_us

    def record(self, readings: Sequence[WireReadings], *, dry_run: bool = False, whole_rows: bool = False) -> Recorded:
        """Record readings of any number of channels in one transaction; when it returns they are kept and visible.

        Raises NotFound for an unknown household, BadInput for a channel that is wrong as a whole (nothing is kept
        then), Unavailable where the store is down. Single readings that cannot be are refused and told. A dry run tells
        the same and keeps nothing. With `whole_rows` a refused reading takes with it those of the same index, in
        whatever channel: of a line, all fields are kept or none.
        """
        try:
            with self._store.writing() as view:
                recorded = self._record(view, readings, whole_rows)
                if dry_run:
                    raise _DryRun(recorded)
        except _DryRun as end:
            return end.recorded
        return recorded

    def _record(self, view: WriteView, readings: Sequence[WireReadings], whole_rows: bool) -> Recorded:
        known = view.households_by_id(sorted({wire.household for wire in readings}))
        numbers = sorted(one.household_no for one in known.values())
        view.begin_changes(numbers)
        channels = {
            (no, c.meter, c.quantity, c.kind): c for no, some in view.channels_of(numbers).items() for c in some
        }
        now_us = self._now_us()
        accepted, refused = accept(_claims(readings, known, channels), now_us, whole_rows=whole_rows)
        out = Recorded(refused=refused)
        batches: dict[ChannelKey, _Batch] = {}
        for one in accepted:
            if not len(one.at_us):
                continue
            channel = one.channel
            key = (channel.household_no, channel.meter, channel.quantity, channel.kind)
            if key not in batches:
                stored = channels.get(key)
                batches[key] = _Batch(view.add_channel(channel) if stored is None else stored, [])
            batches[key].parts.append(one)
        events = view.meter_events_of(sorted({key[0] for key in batches if key[3] is Kind.REGISTER}))
        self._write(view, list(batches.values()), events, out, now_us)
        return out

    def _write(
        self,
        view: WriteView,
        batches: Sequence[_Batch],
        events: dict[int, list[MeterEvent]],
        out: Recorded,
        now_us: int,
    ) -> None:
        by_kind: dict[Kind, list[Stretch]] = defaultdict(list)
        revisions = []
        columns = [batch.column("at_us") for batch in batches]
        stretches = [
            Stretch(batch.channel, events_of(events.get(batch.channel.household_no, ()), batch.channel))
            for batch in batches
        ]
        load(view, stretches, columns)
        for batch, one, at_us in zip(batches, stretches, columns, strict=True):
            channel = batch.channel
            length_us = batch.column("length_us") if channel.kind is Kind.INTERVAL else None
            before = len(one.at_us)
            replaced = one.merge(at_us, batch.column("value_milli"), length_us)
            fresh = len(one.at_us) - before + len(replaced)
            out.accepted += fresh
            out.duplicates += len(at_us) - fresh
            revisions += _revisions(channel, replaced, now_us)
            if not one.changed.any():
                continue
            one.news = _news(one, len(one.at_us) - before)
            if one.is_new_length:
                _begin_anew(view, one)
            by_kind[channel.kind].append(one)
        view.add_revisions(revisions)
        for stretches in by_kind.values():
            settle(view, stretches)
            out.set_aside += sum(map(set_aside_count, stretches))

    def refold(self, view: WriteView, household: Household, channel: Channel) -> Channel:
        """Correct and fold a channel's whole past anew, after its limits or its meter's events have changed."""
        one = Stretch(channel, events_of(view.meter_events(household.household_no), channel))
        one.load_all(view)
        _begin_anew(view, one)
        if not len(one.at_us):
            view.update_channels([one.channel])
            return one.channel
        return settle(view, [one])[0]


def _begin_anew(view: WriteView, one: Stretch) -> None:
    """Have a channel corrected and folded as a whole, as if nothing of it were folded yet: where what is stored may
    reach further than its readings do now."""
    one.load_rest(view)
    view.delete_profiles(one.channel.household_no, one.channel.channel_no)
    one.channel, one.news = before_profiles(one), {}


class _DryRun(Exception):
    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded


def before_profiles(one: Stretch) -> Channel:
    """The channel of a stretch that is loaded as a whole, as it is before its first profile: its readings alone."""
    is_empty = not len(one.at_us)
    return one.channel._replace(
        reading_count=len(one.at_us),
        first_us=None if is_empty else int(one.at_us[0]),
        last_us=None if is_empty else int(one.at_us[-1]),
        last_value_milli=None if is_empty else int(one.value_milli[-1]),
        first_day=None,
        last_day=None,
        energy_milliwh=0,
        measured_s=0,
        estimated_s=0,
        sample_count=0,
        sample_sum_milli=0,
    )


def settle(view: WriteView, stretches: Sequence[Stretch]) -> list[Channel]:
    """Correct stretches of one kind, widening those that need it; write what changed; the channels as they are now."""
    pending, done = list(stretches), []
    while pending:
        corrections = correct(pending)
        wide = [left and right for left, right in zip(corrections.wide_left, corrections.wide_right, strict=True)]
        folded = fold_stretches(pending, corrections, wide)
        channels = patch_profiles(view, pending, folded)
        ready = [i for i in range(len(pending)) if wide[i]]
        view.put_blocks(packed([pending[i] for i in ready], [corrections.touched[i] for i in ready]))
        rest = []
        for i, one in enumerate(pending):
            if wide[i]:
                done.append(channels[i])
                continue
            if not corrections.wide_left[i]:
                one.widen_left(view)
            if not corrections.wide_right[i]:
                one.widen_right(view)
            rest.append(one)
        pending = rest
    view.update_channels(done)
    return done


def _news(one: Stretch, added: int) -> dict[str, int]:
    """What a merge has changed of the channel's first, last and number of readings."""
    channel, first, newest = one.channel, int(one.at_us[0]), int(one.at_us[-1])
    news = {"reading_count": channel.reading_count + added}
    if channel.first_us is None or first < channel.first_us:
        news["first_us"] = first
    if channel.last_us is None or newest >= channel.last_us:
        news |= {"last_us": newest, "last_value_milli": int(one.value_milli[-1])}
    return news


def _revisions(
    channel: Channel, replaced: Sequence[Replaced], now_us: int
) -> list[tuple[int, int, int, int, int, int]]:
    """Rows of what was replaced, the last one of each instant now, those before it a microsecond apart."""
    key = (channel.household_no, channel.channel_no)
    out = []
    later = 0
    for i in reversed(range(len(replaced))):
        at_us, value_milli, length_us = replaced[i]
        later = later + 1 if i + 1 < len(replaced) and replaced[i + 1][0] == at_us else 0
        out.append((*key, at_us, now_us - later, value_milli, length_us))
    return out[::-1]


def _claims(
    readings: Sequence[WireReadings], households: dict[str, Household], channels: dict[ChannelKey, Channel]
) -> list[Claim]:
    """The readings beside the channels that they are for. Raises NotFound, BadInput with the faults of all."""
    unknown = dict.fromkeys(wire.household for wire in readings if wire.household not in households)
    if unknown:
        raise UnknownHousehold(list(unknown), "; register it first with PUT /households/{id}")
    out: list[Claim] = []
    faults: list[Fault] = []
    for wire in readings:
        household = households[wire.household]
        channel = channels.get((household.household_no, wire.meter, wire.quantity, kind_of(wire)))
        try:
            out.append(claim(wire, household, channel or _new_channel(wire, household)))
        except BadInput as fault:
            faults += fault.faults
    if faults:
        raise BadInput.of(faults)
    return out


def _new_channel(wire: WireReadings, household: Household) -> Channel:
    kind = kind_of(wire)
    quantity = QUANTITIES[wire.quantity]
    if kind not in quantity.kinds:
        allowed = " or ".join(quantity.kinds)
        raise BadInput.of([Fault(f"{wire.where}.kind", f"{wire.quantity} is told by kind {allowed}, not by {kind}")])
    unit = wire.unit or default_unit(wire, household)
    if quantity.dimension is Dimension.ENERGY and not unit.endswith("Wh"):
        unit = quantity.unit  # energy told as mean power
    return Channel(household.household_no, -1, wire.meter, wire.quantity, kind, unit)
