"""Mock curves: a plausible forecast and measured curve of a household's day, for demos and test systems.

The same household and day always get the same curves: they come from the two alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Float64, Int64, WireReadings
from statistics_manager_service.core.units import (
    MILLI,
    QUARTER_S,
    QUARTER_US,
    QUARTERS_PER_HOUR,
    S_PER_HOUR,
    S_PER_MINUTE,
    US_PER_S,
)
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.events.events import Work
from statistics_manager_service.services.events.producing import USUAL_CONTRACTED_POWER_KVA
from statistics_manager_service.services.forecasts.forecasting import (
    MEASURE,
    MOCK,
    Issue,
    civil_day,
    keeping,
    measured_quarters,
)
from statistics_manager_service.services.homes import known_household
from statistics_manager_service.services.ports import Household, Store
from statistics_manager_service.services.telemetry.recording import Recorder

#: The meter that a mock curve is measured by.
METER: Final = "mock"
_LEAST_MINUTES: Final = QUARTER_S // S_PER_MINUTE
_MOST_KVA: Final = 100_000.0
#: Contracted power as FlexiHome's account manager tells it, such as "6.9 kVA".
_KVA: Final = re.compile(r"\s*(\d{1,6}(?:\.\d+)?)\s*(?:kVA)?\s*", re.ASCII | re.IGNORECASE)
#: Shares of the contracted power: what always runs, and the peaks of morning and evening at their hours.
_BASE: Final = 0.04
_PEAKS: Final = ((7.8, 0.16, 1.1), (13.0, 0.10, 1.3), (20.3, 0.34, 1.8))


def curve_w(household: str, day: str, hour: Float64, contracted_w: float) -> tuple[Float64, Float64]:
    """The forecast and the measured mean power of a day's quarter-hours, each (n,) W.

    hour: (n,) float64, the wall clock's hour at the middle of each.
    """
    seed = hashlib.sha256(f"{household}|{day}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, np.uint32))
    share = np.full(len(hour), _BASE)
    for at, height, width in _PEAKS:
        shift, factor = rng.normal(0, 0.4), rng.uniform(0.7, 1.3)
        share += height * factor * np.exp(-0.5 * ((hour - at - shift) / width) ** 2)
    measured = share * rng.lognormal(0, 0.25, len(hour)) * rng.uniform(0.9, 1.1)
    return share * contracted_w, np.minimum(measured, 1.0) * contracted_w


class MockCurveHandler:
    """Handles ComputeMockConsumptionCurveEvent {user_id, start_date, delivery_time, contracted_power}.

    delivery_time: minutes over which the power keeps its mean. A day keeps its first curves.

    The forecast is issued as the day before begins: never in the future of today's or tomorrow's. The measured curve is
    recorded as quarter-hours of a meter of its own, where nothing is known of that day, and not of a day that lies
    further ahead than readings may.
    """

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store, self._recorder = store, recorder

    def __call__(self, payload: Mapping[str, Any]) -> Work:
        """Record the measured curve; storing the forecast is the work. Raises BadInput, NotFound, Unavailable."""
        household, start_us, minutes, contracted_w = _told(payload)
        with self._store.reading() as view:
            owner = known_household(view, household)
        zone = ZoneInfo(owner.timezone)
        day = datetime.fromtimestamp(start_us / US_PER_S, UTC).astimezone(zone).date()
        first_us, end_us = civil_day(day, owner.timezone)
        first, count = quarter_of(first_us), quarter_after(end_us) - quarter_of(first_us)
        at_us = (first + np.arange(count, dtype=np.int64)) * QUARTER_US
        forecast_w, measured_w = (
            _kept_for(minutes, one)
            for one in curve_w(household, day.isoformat(), _wall_hours(at_us, zone), contracted_w)
        )
        if not self._is_measured(owner, first, count):
            self._record(household, at_us, measured_w)
        issued_us, _ = civil_day(day - timedelta(days=1), owner.timezone)
        return keeping(owner, Issue(first, np.round(forecast_w * MILLI / QUARTERS_PER_HOUR), issued_us, MOCK))

    def _is_measured(self, owner: Household, first: int, count: int) -> bool:
        """Whether anything is known of what was taken that day."""
        with self._store.reading() as view:
            return bool(np.isfinite(measured_quarters(view, owner, first, count)).any())

    def _record(self, household: str, at_us: Int64, power_w: Float64) -> None:
        energy_wh = np.round(power_w / QUARTERS_PER_HOUR, 3)
        length_us = np.full(len(at_us), QUARTER_US, np.int64)
        readings = [WireReadings(household, METER, MEASURE, Kind.INTERVAL, "Wh", at_us, energy_wh, length_us)]
        if not self._recorder.record(readings, dry_run=True).refused:
            self._recorder.record(readings)


def _wall_hours(at_us: Int64, zone: ZoneInfo) -> Float64:
    walls = [datetime.fromtimestamp(at / US_PER_S + QUARTER_S / 2, UTC).astimezone(zone) for at in at_us.tolist()]
    return np.array([wall.hour + wall.minute / S_PER_MINUTE + wall.second / S_PER_HOUR for wall in walls])


def _kept_for(minutes: int, power_w: Float64) -> Float64:
    """A curve that keeps its mean over each so many minutes, at quarter-hours."""
    fine = np.repeat(power_w, QUARTER_S // S_PER_MINUTE)
    starts = np.arange(0, len(fine), minutes)
    counts = np.diff(starts, append=len(fine))
    kept = np.repeat(np.add.reduceat(fine, starts) / counts, counts)
    out: Float64 = kept.reshape(len(power_w), -1).mean(axis=1)
    return out


def _told(payload: Mapping[str, Any]) -> tuple[str, int, int, float]:
    """Household, start, minutes and contracted power in W of a payload. Raises BadInput with all faults."""
    faults, start_us = [], 0
    household, start, minutes = (payload.get(name) for name in ("user_id", "start_date", "delivery_time"))
    kva = _kva(payload.get("contracted_power"))
    if not isinstance(household, str):
        faults.append(Fault("user_id", "a text is expected"))
    try:
        start_us = parse_moment(str(start), "UTC", "start_date")
    except BadInput as error:
        faults += error.faults
    if isinstance(minutes, bool) or not isinstance(minutes, int) or minutes < _LEAST_MINUTES:
        faults.append(Fault("delivery_time", f"a whole number of minutes, {_LEAST_MINUTES} or more, is expected"))
        minutes = 0
    if not 0 < kva <= _MOST_KVA:
        faults.append(Fault("contracted_power", f"a number of kVA above 0, up to {_MOST_KVA:g}, is expected"))
    if faults:
        raise BadInput.of(faults)
    return str(household), start_us, minutes, kva * MILLI


def _kva(told: Any) -> float:
    """A number of kVA, or its text; the usual one where none is told, 0 for what is no such number."""
    if told is None:
        return USUAL_CONTRACTED_POWER_KVA
    if isinstance(told, str):
        match = _KVA.fullmatch(told)
        return float(match[1]) if match else 0.0
    return float(told) if isinstance(told, int | float) and not isinstance(told, bool) else 0.0
