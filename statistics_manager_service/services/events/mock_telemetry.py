"""Mock telemetry of dongles and smart meters, for test systems: what a home with the mock curves would send.

It goes on where the stored readings end, so that it can be repeated at any time: registers only rise, also by what
flowed while nothing was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.grid import quarter_of
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, Int64, WireReadings
from statistics_manager_service.core.units import (
    MILLI,
    MILLIWH_PER_KWH,
    QUARTER_S,
    QUARTER_US,
    QUARTERS_PER_DAY,
    QUARTERS_PER_HOUR,
    S_PER_HOUR,
    S_PER_MINUTE,
    US_PER_S,
)
from statistics_manager_service.services.events.mock_curves import curve_w
from statistics_manager_service.services.events.producing import USUAL_CONTRACTED_POWER_KVA
from statistics_manager_service.services.ports import Channel, Household, Store
from statistics_manager_service.services.telemetry.recording import Recorder
from statistics_manager_service.services.telemetry.telemetry import DONGLE, SMART_METER

#: What flowed in a longer silence is not added to a register.
_LONGEST_SILENCE_QUARTERS: Final = 400 * QUARTERS_PER_DAY
_VOLTS: Final = 231.0
_OHMS: Final = 0.2


class MockTelemetry:
    """Records mock telemetry of households that have a dongle or a smart meter."""

    def __init__(self, store: Store, recorder: Recorder, now_us: Callable[[], int]) -> None:
        self._store, self._recorder, self._now_us = store, recorder, now_us

    def record(self, household: Household, look_back_minutes: int) -> int | None:
        """Record what came in the last minutes, a reading each quarter-hour; how many readings were new. None where the
        household has neither dongle nor smart meter."""
        if not household.api_key and not household.meter_id:
            return None
        with self._store.reading() as view:
            channels = view.channels(household.household_no)
        now = quarter_of(self._now_us())
        earliest = now - look_back_minutes * S_PER_MINUTE // QUARTER_S
        readings: list[WireReadings] = []
        if household.api_key:
            readings += self._dongle(household, channels, earliest, now)
        if household.meter_id:
            readings += self._smart_meter(household, channels, earliest, now)
        return self._recorder.record(readings).accepted if readings else 0

    def _dongle(self, household: Household, channels: Sequence[Channel], earliest: int, now: int) -> list[WireReadings]:
        """A register, power and voltage at each quarter-hour's begin."""
        known = _channel(channels, DONGLE, "energy_import", Kind.REGISTER)
        since, last_milliwh = earliest, 0
        if known is not None and known.last_us is not None:
            since, last_milliwh = quarter_of(known.last_us), known.last_value_milli or 0
            earliest = max(earliest, since)
        if earliest >= now:
            return []
        since = max(since, earliest - _LONGEST_SILENCE_QUARTERS)
        power_w = mock_power_w(household, since, now - since)
        energy_milliwh = np.round(power_w * MILLI / QUARTERS_PER_HOUR)
        register_at = np.arange(since, now + 1, dtype=np.int64) * QUARTER_US
        register = (last_milliwh + np.concatenate(([0.0], np.cumsum(energy_milliwh)))) / MILLIWH_PER_KWH
        is_first = known is None or known.last_us is None  # then one more tells where the register stood before
        sent = slice(earliest - since + (not is_first), None)
        register_at, register, power_w = register_at[sent], register[sent], power_w[earliest - since :]
        at_us = (np.arange(earliest, now, dtype=np.int64) + 1) * QUARTER_US
        volts = np.round(_VOLTS - _OHMS * power_w / _VOLTS, 1)
        return [
            WireReadings(household.id, DONGLE, "energy_import", Kind.REGISTER, "kWh", register_at, register),
            WireReadings(household.id, DONGLE, "power_import", Kind.SAMPLE, "W", at_us, np.round(power_w)),
            WireReadings(household.id, DONGLE, "voltage", Kind.SAMPLE, "V", at_us, volts),
        ]

    def _smart_meter(
        self, household: Household, channels: Sequence[Channel], earliest: int, now: int
    ) -> list[WireReadings]:
        """The energy of each quarter-hour."""
        known = _channel(channels, SMART_METER, "energy_import", Kind.INTERVAL)
        if known is not None and known.last_us is not None:
            earliest = max(earliest, quarter_of(known.last_us) + 1)
        if earliest >= now:
            return []
        at_us = np.arange(earliest, now, dtype=np.int64) * QUARTER_US
        energy_wh = np.round(mock_power_w(household, earliest, now - earliest) / QUARTERS_PER_HOUR, 3)
        length_us = np.full(len(at_us), QUARTER_US, np.int64)
        told = (household.id, SMART_METER, "energy_import", Kind.INTERVAL, "Wh")
        return [WireReadings(*told, at_us, energy_wh, length_us)]


def mock_power_w(household: Household, first_quarter: int, count: int) -> Float64:
    """The mock curve of a household's quarters, (count,) W, day by civil day."""
    zone = ZoneInfo(household.timezone)
    contracted_w = (household.contracted_power_kva or USUAL_CONTRACTED_POWER_KVA) * MILLI
    at_us: Int64 = (first_quarter + np.arange(count, dtype=np.int64)) * QUARTER_US
    walls = [datetime.fromtimestamp(at / US_PER_S + QUARTER_S / 2, UTC).astimezone(zone) for at in at_us.tolist()]
    out = np.zeros(count)
    curves: dict[date, Float64] = {}
    for i, wall in enumerate(walls):
        if wall.date() not in curves:
            hours = (np.arange(24 * QUARTERS_PER_HOUR) + 0.5) / QUARTERS_PER_HOUR
            curves[wall.date()] = curve_w(household.id, wall.date().isoformat(), hours, contracted_w)[1]
        second = wall.hour * S_PER_HOUR + wall.minute * S_PER_MINUTE + wall.second
        out[i] = curves[wall.date()][second // QUARTER_S]
    return out


def _channel(channels: Sequence[Channel], meter: str, quantity: str, kind: Kind) -> Channel | None:
    return next((c for c in channels if (c.meter, c.quantity, c.kind) == (meter, quantity, kind)), None)
