"""A store in memory, for the property tests: the same contract as the SQL stores, hundreds of times faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from statistics_manager_service.services.carbon.carbon_rows import (
    KINDS,
    IntensityColumns,
    IntensityRow,
    IntensitySeries,
)
from statistics_manager_service.services.ports import (
    Block,
    Channel,
    Household,
    MeterEvent,
    ProfileColumns,
    ProfileRow,
    Revision,
)


def _copied(held: Any) -> Any:
    """What is held, kept from changes; the rows themselves do not change."""
    if isinstance(held, dict):
        return {key: _copied(one) for key, one in held.items()}
    return list(held) if isinstance(held, list) else held


class MemoryStore:
    """Store, read view and write view in one; a failed transaction leaves nothing behind."""

    def __init__(self) -> None:
        self.all_households: dict[int, Household] = {}
        self.all_channels: dict[tuple[int, int], Channel] = {}
        self.all_events: list[MeterEvent] = []
        self.all_blocks: dict[tuple[int, int], dict[int, Block]] = {}
        self.all_profiles: dict[tuple[int, int], dict[int, ProfileRow]] = {}
        self.all_series: list[IntensitySeries] = []
        self.all_intensities: dict[tuple[int, int, str, int], IntensityRow] = {}
        self.changes = 0
        self.all_revisions: list[tuple[int, int, int, int, int, int]] = []

    @contextmanager
    def reading(self) -> Iterator[MemoryStore]:
        yield self

    @contextmanager
    def writing(self) -> Iterator[MemoryStore]:
        before = _copied(self.__dict__)
        try:
            yield self
        except BaseException:
            self.__dict__ = before
            raise

    def household(self, household: str) -> Household | None:
        return next((one for one in self.all_households.values() if one.id == household), None)

    def state_of(self, household: str) -> tuple[int, int] | None:
        return self.states_of([household]).get(household)

    def states_of(self, households: Sequence[str]) -> dict[str, tuple[int, int]]:
        return {one.id: (one.household_no, self.changes) for one in self.households_by_id(households).values()}

    def households_by_id(self, households: Sequence[str]) -> dict[str, Household]:
        return {one.id: one for one in self.all_households.values() if one.id in households}

    def channels(self, household_no: int) -> list[Channel]:
        return [c for key, c in sorted(self.all_channels.items()) if key[0] == household_no]

    def channels_of(self, household_nos: Sequence[int]) -> dict[int, list[Channel]]:
        return {no: self.channels(no) for no in household_nos}

    def meter_events(self, household_no: int) -> list[MeterEvent]:
        return [e for e in self.all_events if e.household_no == household_no]

    def meter_events_of(self, household_nos: Sequence[int]) -> dict[int, list[MeterEvent]]:
        return {no: self.meter_events(no) for no in household_nos if self.meter_events(no)}

    def begin_changes(self, household_nos: Sequence[int]) -> None:
        self.changes += 1

    def put_household(self, household: Household) -> Household:
        household = household._replace(household_no=household.household_no or len(self.all_households) + 1)
        self.all_households[household.household_no] = household
        self.changes += 1
        return household

    def add_channel(self, channel: Channel) -> Channel:
        channel = channel._replace(channel_no=len(self.channels(channel.household_no)) + 1)
        self.all_channels[channel.household_no, channel.channel_no] = channel
        return channel

    def update_channels(self, channels: Sequence[Channel]) -> None:
        for channel in channels:
            self.all_channels[channel.household_no, channel.channel_no] = channel

    def _blocks(self, household_no: int, channel_no: int) -> list[Block]:
        found = self.all_blocks.get((household_no, channel_no), {})
        return [found[block] for block in sorted(found)]

    def blocks(self, household_no: int, channel_no: int, first: int, last: int) -> list[Block]:
        return [b for b in self._blocks(household_no, channel_no) if first <= b.block <= last]

    def blocks_before(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        return [b for b in self._blocks(household_no, channel_no) if b.block < block][-limit:]

    def blocks_after(self, household_no: int, channel_no: int, block: int, limit: int) -> list[Block]:
        return [b for b in self._blocks(household_no, channel_no) if b.block > block][:limit]

    def blocks_of(self, spans: Sequence[tuple[int, int, int, int]]) -> list[list[Block]]:
        return [self.blocks(*span) for span in spans]

    def profiles_of(self, spans: Sequence[tuple[int, int, int, int]]) -> list[list[ProfileRow]]:
        return [self.profiles(*span) for span in spans]

    def put_blocks(self, rows: Sequence[tuple[int, int, int, int | None, int, bytes]]) -> None:
        for household_no, channel_no, *row in rows:
            self.all_blocks.setdefault((household_no, channel_no), {})[row[0]] = Block(*row)

    def _profiles(self, household_no: int, channel_no: int) -> list[ProfileRow]:
        found = self.all_profiles.get((household_no, channel_no), {})
        return [found[day] for day in sorted(found)]

    def profiles(self, household_no: int, channel_no: int, first_day: int, last_day: int) -> list[ProfileRow]:
        return [row for row in self._profiles(household_no, channel_no) if first_day <= row.day <= last_day]

    def profile_columns(self, keys: Sequence[tuple[int, int]], days: Any) -> Any:
        wanted = set(days.tolist())
        rows = [(i, row) for i, key in enumerate(keys) for row in self._profiles(*key) if row.day in wanted]
        totals = [(r.energy_milliwh, r.measured_s, r.estimated_s, r.sample_count, r.sample_sum_milli) for _, r in rows]
        return ProfileColumns(
            np.array([i for i, _ in rows], np.int64),
            np.searchsorted(days, [row.day for _, row in rows]),
            np.array(totals, np.int64).reshape(-1, 5),
            [row.body for _, row in rows],
        )

    def put_profiles(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for household_no, channel_no, *row in rows:
            self.all_profiles.setdefault((household_no, channel_no), {})[row[0]] = ProfileRow(*row)

    def shift_profiles(self, household_no: int, channel_no: int, after_day: int, totals: tuple[int, ...]) -> None:
        found = self.all_profiles[household_no, channel_no]
        for day, row in found.items():
            if day > after_day:
                found[day] = row._replace(
                    energy_milliwh=row.energy_milliwh + totals[0],
                    measured_s=row.measured_s + totals[1],
                    estimated_s=row.estimated_s + totals[2],
                    sample_count=row.sample_count + totals[3],
                    sample_sum_milli=row.sample_sum_milli + totals[4],
                )

    def delete_profiles(self, household_no: int, channel_no: int) -> None:
        self.all_profiles.pop((household_no, channel_no), None)

    def add_revisions(self, rows: Sequence[tuple[int, int, int, int, int, int]]) -> None:
        self.all_revisions += rows

    def revisions(self, household_no: int, channel_no: int, start_us: int, end_us: int) -> list[Revision]:
        return [
            Revision(at_us, value, length, replaced)
            for h, c, at_us, replaced, value, length in self.all_revisions
            if (h, c) == (household_no, channel_no) and start_us <= at_us < end_us
        ]

    def carbon_state(self) -> int:
        return len(self.all_series) + len(self.all_intensities)

    def intensity_series(self, zone: str | None = None) -> list[IntensitySeries]:
        return [one for one in self.all_series if zone in (None, one.zone)]

    def put_intensity_series(self, series: IntensitySeries) -> IntensitySeries:
        known = next((one for one in self.all_series if one[1:] == series[1:]), None)
        if known is None:
            known = series._replace(series_no=len(self.all_series) + 1)
            self.all_series.append(known)
        return known

    def put_intensities(self, rows: Sequence[IntensityRow]) -> int:
        before = len(self.all_intensities)
        for row in rows:
            self.all_intensities.setdefault((row.series_no, row.start_us, row.kind, row.issued_us), row)
        return len(self.all_intensities) - before

    def intensities(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> list[IntensityRow]:
        newest: dict[tuple[int, str], IntensityRow] = {}
        for row in sorted(self.all_intensities.values(), key=lambda one: one.issued_us):
            is_known = issued_until_us is None or row.issued_us <= issued_until_us
            if row.series_no == series_no and start_us <= row.start_us < end_us and is_known:
                newest[row.start_us, row.kind] = row
        return sorted(newest.values(), key=lambda one: (one.issued_us, one.start_us))

    def intensity_columns(
        self, series_no: int, start_us: int, end_us: int, issued_until_us: int | None = None
    ) -> IntensityColumns:
        rows = self.intensities(series_no, start_us, end_us, issued_until_us)
        told = [(r.start_us, r.length_us, r.issued_us, r.intensity_mg_per_kwh, KINDS.index(r.kind)) for r in rows]
        return IntensityColumns(*np.array(told, np.int64).reshape(-1, 5).T)
