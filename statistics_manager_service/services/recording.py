"""The one function that records readings, live or in bulk, and what else changes stored series.

A write transaction: find or make the channels, load the stretch around each change, merge, correct, fold, write blocks,
profiles and running totals, commit, and only then answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Int64, RefusedReading, WireReadings
from statistics_manager_service.errors import BadInput, Fault, NotFound
from statistics_manager_service.services.accepting import Accepted, accept, default_unit, kind_of
from statistics_manager_service.services.folding import fold_stretches, patch_profiles
from statistics_manager_service.services.ports import Channel, Household, MeterEvent, Store, WriteView
from statistics_manager_service.services.stretches import Stretch, correct, events_of, set_aside_count

ChannelKey = tuple[str, str, Kind]


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

    def record(self, readings: Sequence[WireReadings], *, dry_run: bool = False) -> Recorded:
        """Record readings of any number of channels in one transaction; when it returns they are kept and visible.

        Raises NotFound for an unknown household, BadInput for a channel that is wrong as a whole (nothing is kept
        then),
        Unavailable where the store is down. Single readings that cannot be are refused and told. A dry run tells the
        same and keeps nothing.
        """
        try:
            with self._store.writing() as view:
                recorded = self._record(view, readings)
                if dry_run:
                    raise _DryRun(recorded)
        except _DryRun as end:
            return end.recorded
        return recorded

    def _record(self, view: WriteView, readings: Sequence[WireReadings]) -> Recorded:
        by_household: dict[str, list[WireReadings]] = defaultdict(list)
        for wire in readings:
            by_household[wire.household].append(wire)
        households = [_known(view, name) for name in sorted(by_household)]
        view.lock_channels([one.household_no for one in households])
        stored = view.channels_of([one.household_no for one in households])
        out, now_us = Recorded(), self._now_us()
        batches: list[_Batch] = []
        events: dict[int, list[MeterEvent]] = {}
        faults: list[Fault] = []
        for household in households:
            known = {(c.meter, c.quantity, c.kind): c for c in stored.get(household.household_no, [])}
            found: dict[ChannelKey, _Batch] = {}
            for wire in by_household[household.id]:
                key = (wire.meter, wire.quantity, kind_of(wire))
                try:
                    channel = known.get(key) or _new_channel(wire, household)
                    accepted = accept(wire, household, channel, now_us)
                except BadInput as fault:
                    faults += fault.faults
                    continue
                out.refused += accepted.refused
                if not len(accepted.at_us):
                    continue
                if channel.channel_no < 0 and not faults:
                    channel = known[key] = view.add_channel(channel)
                found.setdefault(key, _Batch(channel, [])).parts.append(accepted)
            batches += found.values()
            if any(channel.kind is Kind.REGISTER for channel in known.values()):
                events[household.household_no] = view.meter_events(household.household_no)
        if faults:
            raise BadInput.of(faults)
        self._write(view, batches, events, out, now_us)
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
        for batch in batches:
            channel = batch.channel
            one = Stretch(channel, events_of(events.get(channel.household_no, ()), channel))
            at_us = batch.column("at_us")
            one.load(view, int(at_us.min()), int(at_us.max()))
            length_us = batch.column("length_us") if channel.kind is Kind.INTERVAL else None
            before = len(one.at_us)
            replaced = one.merge(at_us, batch.column("value_milli"), length_us)
            fresh = len(one.at_us) - before + len(replaced)
            out.accepted += fresh
            out.duplicates += len(at_us) - fresh
            if not one.changed.any():
                continue
            key = (channel.household_no, channel.channel_no)
            revisions += [(*key, at, now_us + i, value, length) for i, (at, value, length) in enumerate(replaced)]
            one.channel = _with_readings(channel, one, len(one.at_us) - before)
            by_kind[channel.kind].append(one)
        view.add_revisions(revisions)
        for stretches in by_kind.values():
            settle(view, stretches)
            out.set_aside += sum(map(set_aside_count, stretches))

    def refold(self, view: WriteView, household: Household, channel: Channel) -> Channel:
        """Correct and fold a channel's whole past anew, after its limits or its meter's events have changed."""
        one = Stretch(channel, events_of(view.meter_events(household.household_no), channel))
        one.load_all(view)
        view.delete_profiles(channel.household_no, channel.channel_no)
        one.channel = without_profiles(channel)
        if not len(one.at_us):
            view.update_channels([one.channel])
            return one.channel
        one.changed[:] = True
        return settle(view, [one])[0]


class _DryRun(Exception):
    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded


def without_profiles(channel: Channel) -> Channel:
    """The channel as it is before its first profile."""
    return replace(
        channel,
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
        changed = {(channel.household_no, channel.channel_no): channel for channel in channels}
        blocks, rest = [], []
        for i, one in enumerate(pending):
            if wide[i]:
                blocks += one.packed(corrections.touched[i])
                done.append(changed.get((one.channel.household_no, one.channel.channel_no), one.channel))
                continue
            if not corrections.wide_left[i]:
                one.widen_left(view)
            if not corrections.wide_right[i]:
                one.widen_right(view)
            rest.append(one)
        view.put_blocks(blocks)
        pending = rest
    view.update_channels(done)
    return done


def _with_readings(channel: Channel, one: Stretch, added: int) -> Channel:
    """The channel with its first, last and number of readings after a merge."""
    first, newest = int(one.at_us[0]), int(one.at_us[-1])
    is_newest = channel.last_us is None or newest >= channel.last_us
    return replace(
        channel,
        first_us=first if channel.first_us is None else min(channel.first_us, first),
        last_us=newest if is_newest else channel.last_us,
        last_value_milli=int(one.value_milli[-1]) if is_newest else channel.last_value_milli,
        reading_count=channel.reading_count + added,
    )


def _known(view: WriteView, name: str) -> Household:
    household = view.household(name)
    if household is None:
        raise NotFound(f"there is no household {name!r}; register it first with PUT /households/{{id}}")
    return household


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
