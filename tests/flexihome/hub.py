"""A home's hub as it writes telemetry, and what follows from it, worked out here with fractions and civil dates."""

from __future__ import annotations

import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hems import Hems, Household

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
#: Two decimals, and a milliwatt-hour at either edge.
WH_TOLERANCE = Fraction(5, 1000) + Fraction(2, 1000)
KWH_TOLERANCE = Fraction(5, 1000) + Fraction(2, 1_000_000)
TOLERANCE = {"Wh": WH_TOLERANCE, "kWh": KWH_TOLERANCE, "W": Fraction(5, 1000), "V": Fraction(5, 1000)}


def at(text: str) -> datetime:
    """An instant of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000_000


@dataclass(frozen=True)
class Bucket:
    """A bucket with its own start, and the part of it that a query asks for."""

    label: datetime
    start: datetime
    end: datetime


def buckets(group_by: str, start: datetime, end: datetime, zone: str = "UTC") -> list[Bucket]:
    """The civil buckets of a zone that hold the time from start to end; the one that contains the end is the last."""
    tz = ZoneInfo(zone)
    edges = [_first(group_by, start, tz)]
    while edges[-1] <= end:
        edges.append(_next(group_by, edges[-1], tz))
    return [Bucket(label, max(label, start), min(following, end)) for label, following in pairwise(edges)]


def _first(group_by: str, start: datetime, tz: ZoneInfo) -> datetime:
    wall = start.astimezone(tz)
    if group_by in ("15_mins", "hourly"):
        length = QUARTER if group_by == "15_mins" else HOUR
        return start - (start - at("2000-01-01")) % length
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if group_by == "monthly":
        midnight = midnight.replace(day=1)
    elif group_by == "yearly":
        midnight = midnight.replace(month=1, day=1)
    return midnight.astimezone(UTC)


def _next(group_by: str, edge: datetime, tz: ZoneInfo) -> datetime:
    if group_by in ("15_mins", "hourly"):
        return edge + (QUARTER if group_by == "15_mins" else HOUR)
    day = edge.astimezone(tz).date()
    if group_by == "monthly":
        day = (day.replace(day=1) + 32 * DAY).replace(day=1)
    elif group_by == "yearly":
        day = day.replace(year=day.year + 1, month=1, day=1)
    else:
        day += {"daily": 1, "weekly": 7}[group_by] * DAY
    return datetime(day.year, day.month, day.day, tzinfo=tz).astimezone(UTC)


@dataclass(frozen=True)
class Register:
    """A cumulative register: readings in Wh at instants."""

    at: Sequence[datetime]
    wh: Sequence[Fraction]

    def between(self, bucket: Bucket) -> Fraction | None:
        """What flowed in the known part of a bucket, Wh; None where no two readings tell it."""
        start, end = max(bucket.start, self.at[0]), min(bucket.end, self.at[-1])
        return self._read(end) - self._read(start) if start < end else None

    def _read(self, moment: datetime) -> Fraction:
        """The register at a moment: the straight line between the readings beside it."""
        after = bisect_left(self.at, moment)
        if self.at[after] == moment:
            return self.wh[after]
        share = Fraction(
            (moment - self.at[after - 1]) // MICROSECOND, (self.at[after] - self.at[after - 1]) // MICROSECOND
        )
        return self.wh[after - 1] + share * (self.wh[after] - self.wh[after - 1])


@dataclass(frozen=True)
class Samples:
    """Values at instants."""

    at: Sequence[datetime]
    value: Sequence[Fraction]

    def between(self, bucket: Bucket, last: bool = False) -> Fraction | None:
        """The mean of a bucket's samples; the last bucket of a query includes its end. None where it has none."""
        first = bisect_left(self.at, bucket.start)
        stop = (bisect_right if last else bisect_left)(self.at, bucket.end)
        return Fraction(sum(self.value[first:stop]), stop - first) if first < stop else None


class Telemetry:
    """What a hub measured every quarter-hour or so, at odd seconds as its dongle answers.

    Between 02:00 and 06:00 of `cut` the home had no power: nothing was measured, and nothing flowed.
    """

    def __init__(self, start: datetime, end: datetime, cut: datetime | None = None) -> None:
        self.at: list[datetime] = []
        imported, exported = 4_321_000, 1_234_500
        self.imported: list[int] = []
        self.exported: list[int] = []
        for i in range((end - start) // QUARTER):
            moment = start + i * QUARTER + timedelta(seconds=3 + i * 7 % 50)
            if cut is not None and cut + 2 * HOUR <= moment < cut + 6 * HOUR:
                continue
            self.at.append(moment)
            self.imported.append(imported)
            self.exported.append(exported)
            imported += 35 + i * 13 % 171 + (240 if moment.hour in (18, 19, 20) else 0)
            exported += i * 11 % 190 if moment.hour in range(9, 17) else 0
        count = range(len(self.at))
        self.power_in = [Decimal(200 + i * 37 % 2301) for i in count]
        self.power_out = [Decimal(i * 53 % 1500) / 4 for i in count]
        self.volts = [Decimal(22850 + i * 17 % 400) / 100 for i in count]

    def lines(self, api_key: str, unit: str = "Wh") -> list[str]:
        """Line protocol as the hub sends it."""
        scale = {"Wh": 1, "kWh": 1000, "MWh": 1_000_000}[unit]
        return [
            f"{api_key} energyImported={Decimal(imported) / scale},energyExported={Decimal(exported) / scale},"
            f"powerImported={power_in},"
            f"powerExported={power_out},powerDifference={power_in - power_out},voltage={volts} {nanoseconds(moment)}"
            for moment, imported, exported, power_in, power_out, volts in zip(
                self.at, self.imported, self.exported, self.power_in, self.power_out, self.volts, strict=True
            )
        ]

    def source(self, path: str) -> Register | Samples:
        """What an endpoint tells of."""
        if path in ("energy-consumption", "energy-injection"):
            return Register(self.at, [Fraction(one) for one in getattr(self, _COLUMNS[path])])
        return Samples(self.at, [Fraction(one) for one in getattr(self, _COLUMNS[path])])

    def expected(self, path: str, asked: Sequence[Bucket]) -> list[Fraction | None]:
        """What the buckets of a query hold."""
        source = self.source(path)
        if isinstance(source, Register):
            return [source.between(one) for one in asked]
        return [source.between(one, last=i == len(asked) - 1) for i, one in enumerate(asked)]

    def newest(self, path: str) -> Decimal:
        return Decimal(getattr(self, _COLUMNS[path])[-1])


_COLUMNS = {
    "energy-consumption": "imported",
    "energy-injection": "exported",
    "power-consumption": "power_in",
    "power-injection": "power_out",
    "voltage": "volts",
}


def check(found: Sequence[Decimal | None], expected: Sequence[Fraction | None], units: str) -> None:
    """The values are those that are expected, to two decimals; null where null is."""
    assert [one is None for one in found] == [one is None for one in expected]
    for i, (value, exact) in enumerate(zip(found, expected, strict=True)):
        if value is not None and exact is not None:
            assert abs(Fraction(value) - exact) <= TOLERANCE[units], (i, value, float(exact))


class HubHome(Household):
    """A household with a dongle, and what its hub wrote."""

    def __init__(self, hems: Hems, telemetry: Telemetry, unit: str = "Wh", **settings: Any) -> None:
        self.api_key = new_key()
        super().__init__(hems, api_key=self.api_key, register_unit=unit, **settings)
        self.telemetry = telemetry
        hems.write(telemetry.lines(self.api_key, unit))


class MeterHome(Household):
    """A household without a dongle: its smart meter tells the energy of each quarter-hour, kWh."""

    def __init__(self, hems: Hems, start: datetime, kwh: Sequence[Decimal]) -> None:
        self.meter_id = f"PT{new_key()}"
        super().__init__(hems, meter_id=self.meter_id)
        self.start, self.kwh = start, [Fraction(one) for one in kwh]
        lines = [
            f"{self.meter_id} meterPowerImported={one} {nanoseconds(start + i * QUARTER)}" for i, one in enumerate(kwh)
        ]
        hems.write(lines)

    def between(self, bucket: Bucket) -> Fraction | None:
        """The energy of a bucket whose edges lie on quarter-hours, kWh."""
        first, stop = ((one - self.start) / QUARTER for one in (bucket.start, bucket.end))
        some = self.kwh[max(round(first), 0) : max(round(stop), 0)]
        return sum(some, Fraction(0)) if some else None


def new_key() -> str:
    """A dongle's key: 16 of 0-9 and A-F."""
    return secrets.token_hex(8).upper()


FAMILY_START, FAMILY_END = at("2023-02-20"), at("2024-04-10")
#: The home had no power for four hours of this day.
CUT = at("2024-03-14")


def family(hems: Hems) -> HubHome:
    """A home of fourteen months of telemetry that no test changes."""
    home: HubHome = hems.shared(_family)
    return home


def _family(hems: Hems) -> HubHome:
    return HubHome(hems, Telemetry(FAMILY_START, FAMILY_END, CUT), timezone="Europe/Lisbon", contracted_power_kva=6.9)


def flat(hems: Hems) -> MeterHome:
    """A home of a smart meter alone: forty days, that no test changes."""
    home: MeterHome = hems.shared(_flat)
    return home


def _flat(hems: Hems) -> MeterHome:
    return MeterHome(hems, at("2024-03-01"), [Decimal(20 + i * 7 % 130) / 1000 for i in range(40 * 96)])


def silent(hems: Hems) -> Household:
    """A registered household of which nothing was ever measured."""
    home: Household = hems.shared(_silent)
    return home


def _silent(hems: Hems) -> Household:
    return Household(hems)
