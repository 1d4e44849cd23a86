"""Day profiles: the 96 quarter-hours of a channel's UTC day, packed into a few hundred bytes.

Layout, little-endian. Byte 0: format version (1). Byte 1: bytes an energy (0, 4 or 8; 0: all are zero). Byte 2: number
of quality runs. Byte 3: bytes 1 where samples follow. Then the runs, each (quarters: u8, measured seconds: u16,
estimated
seconds: u16); then 96 energies; then, of samples, count (u32), and sum, smallest, largest, each as (bytes a value: u8,
base: i64) and 96 values above the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTERS_PER_DAY

VERSION = 1
_HEAD = 4
_RUN = np.dtype([("quarters", "u1"), ("measured_s", "<u2"), ("estimated_s", "<u2")])
_WIDTHS = (1, 2, 4)


@dataclass(slots=True)
class Days:
    """The quarter-hours of r day profiles, each column (r, 96) int64; as unpacked also (r, 1), where all quarters of
    each day have the same.

    energy_milliwh; measured_s and estimated_s: 0..900. count, total, low, high: samples in milli-units, or None where
    the channel has none.
    """

    energy_milliwh: Int64
    measured_s: Int64
    estimated_s: Int64
    count: Int64 | None = None
    total: Int64 | None = None
    low: Int64 | None = None
    high: Int64 | None = None

    @classmethod
    def empty(cls, days: int, with_samples: bool) -> Days:
        """Days of which nothing is known."""
        columns = 7 if with_samples else 3
        return cls(*(np.zeros((days, QUARTERS_PER_DAY), np.int64) for _ in range(columns)))

    @property
    def columns(self) -> list[Int64]:
        """The columns that there are, in the order of the fields."""
        found = (self.energy_milliwh, self.measured_s, self.estimated_s, self.count, self.total, self.low, self.high)
        return [column for column in found if column is not None]


def pack_days(days: Days) -> list[bytes]:
    """The bodies of day profiles."""
    energy = days.energy_milliwh
    narrow = energy.astype("<i4")
    is_zero = ~energy.any(axis=1)
    is_wide = (energy != narrow).any(axis=1)
    runs, ends = _quality_runs(days)
    texts = {4: narrow.tobytes(), 8: energy.astype("<i8").tobytes() if is_wide.any() else b""}
    widths = np.where(is_zero, 0, np.where(is_wide, 8, 4)).tolist()
    bodies, begin, has_samples = [], 0, days.count is not None
    for i, (width, end) in enumerate(zip(widths, ends.tolist(), strict=True)):
        size = width * QUARTERS_PER_DAY
        head = bytes((VERSION, width, end - begin, has_samples))
        data = texts[width][i * size : (i + 1) * size] if width else b""
        body = head + runs[begin * _RUN.itemsize : end * _RUN.itemsize] + data
        bodies.append(body + _pack_samples(days, i) if has_samples else body)
        begin = end
    return bodies


def _quality_runs(days: Days) -> tuple[bytes, Int64]:
    """The runs of equal quality of all days, and where those of each day end among them."""
    changes = np.ones(days.energy_milliwh.shape, np.bool_)
    np.not_equal(days.measured_s[:, 1:], days.measured_s[:, :-1], out=changes[:, 1:])
    changes[:, 1:] |= days.estimated_s[:, 1:] != days.estimated_s[:, :-1]
    begins = np.flatnonzero(changes)
    runs = np.empty(len(begins), _RUN)
    runs["quarters"] = np.diff(begins, append=changes.size)
    runs["measured_s"] = days.measured_s.reshape(-1)[begins]
    runs["estimated_s"] = days.estimated_s.reshape(-1)[begins]
    return runs.tobytes(), np.cumsum(changes.sum(axis=1))


def _pack_samples(days: Days, i: int) -> bytes:
    if days.count is None or days.total is None or days.low is None or days.high is None:
        return b""
    parts = [days.count[i].astype("<u4").tobytes()]
    for column in (days.total, days.low, days.high):
        base = int(column[i].min())
        above = column[i] - base
        width = next((w for w in _WIDTHS if int(above.max()) < 1 << (8 * w)), 8)
        parts += [bytes((width,)), base.to_bytes(8, "little", signed=True), above.astype(f"<u{width}").tobytes()]
    return b"".join(parts)


def unpack_days(bodies: Sequence[bytes]) -> Days:
    """The quarter-hours of day profiles. Raises ValueError for a body of another format version."""
    # Full days of one form, the usual case, are read in one go; so are most others.
    if bodies and all(len(body) == _WHOLE_BYTES and body.startswith(_WHOLE) for body in bodies):
        days = np.frombuffer(b"".join(bodies), _WHOLE_DAY)
        quality = days["quality"].astype(np.int64)
        return Days(days["energy_milliwh"].astype(np.int64), quality[:, :1], quality[:, 1:])
    out = Days.empty(len(bodies), any(body[3] for body in bodies))
    flows = [i for i, body in enumerate(bodies) if body.startswith(_FLOWS) and not body[3]]
    if flows:
        _unpack_flows(out, flows, [bodies[i] for i in flows])
    still = [i for i, body in enumerate(bodies) if body.startswith(_STILL) and not body[3]]
    if still:
        _unpack_quality(out, still, [bodies[i] for i in still])
    for i in sorted(set(range(len(bodies))).difference(flows, still)):
        _unpack_one(out, i, bodies[i])
    return out


#: How a day begins whose energies take four bytes; one on which nothing flowed; and one whose energies take four bytes
#: and whose quarters are of one quality, without samples.
_FLOWS = bytes((VERSION, 4))
_STILL = bytes((VERSION, 0))
_WHOLE = bytes((VERSION, 4, 1, 0))
_WHOLE_BYTES = _HEAD + _RUN.itemsize + 4 * QUARTERS_PER_DAY
_WHOLE_DAY = np.dtype(
    [("head", "V4"), ("quarters", "u1"), ("quality", "<u2", 2), ("energy_milliwh", "<i4", QUARTERS_PER_DAY)]
)


def _unpack_flows(out: Days, rows: Sequence[int], bodies: Sequence[bytes]) -> None:
    """Days without samples whose energies take four bytes, all of them at once."""
    ends = [_HEAD + _RUN.itemsize * body[2] for body in bodies]
    energies = b"".join([body[end:] for body, end in zip(bodies, ends, strict=True)])
    out.energy_milliwh[rows] = np.frombuffer(energies, "<i4").reshape(len(bodies), QUARTERS_PER_DAY)
    _unpack_quality(out, rows, bodies)


def _unpack_quality(out: Days, rows: Sequence[int], bodies: Sequence[bytes]) -> None:
    """The seconds of days without samples, all of them at once."""
    runs = np.frombuffer(b"".join([body[_HEAD : _HEAD + _RUN.itemsize * body[2]] for body in bodies]), _RUN)
    shape = (len(bodies), QUARTERS_PER_DAY)
    out.measured_s[rows] = runs["measured_s"].repeat(runs["quarters"]).reshape(shape)
    out.estimated_s[rows] = runs["estimated_s"].repeat(runs["quarters"]).reshape(shape)


def totals_at(bodies: Sequence[bytes], row: Int64, slot: Int64) -> Int64:
    """What came from midnight to the start of quarter-hours, (n, 5) int64: energy, seconds measured, seconds estimated,
    number and sum of samples.

    row: (n,) int64, which of the day profiles. slot: (n,) int64, 0 … 96, which quarter-hour of it.
    """
    out = np.zeros((len(row), 5), np.int64)
    for i, column in enumerate(unpack_days(bodies).columns[:5]):
        if column.shape[1] == 1:
            out[:, i] = column[:, 0][row] * slot
            continue
        running = np.zeros((len(column), QUARTERS_PER_DAY + 1), np.int64)
        column.cumsum(axis=1, out=running[:, 1:])
        out[:, i] = running[row, slot]
    return out


def _unpack_one(out: Days, i: int, body: bytes) -> None:
    version, width, run_count, has_samples = body[:_HEAD]
    if version != VERSION:
        raise ValueError(f"a day profile has format version {version}, and this program reads {VERSION}")
    runs = np.frombuffer(body, _RUN, run_count, _HEAD)
    out.measured_s[i] = np.repeat(runs["measured_s"], runs["quarters"])
    out.estimated_s[i] = np.repeat(runs["estimated_s"], runs["quarters"])
    place = _HEAD + _RUN.itemsize * run_count
    if width:
        out.energy_milliwh[i] = np.frombuffer(body, f"<i{width}", QUARTERS_PER_DAY, place)
        place += width * QUARTERS_PER_DAY
    if not has_samples or out.count is None or out.total is None or out.low is None or out.high is None:
        return
    out.count[i] = np.frombuffer(body, "<u4", QUARTERS_PER_DAY, place)
    place += 4 * QUARTERS_PER_DAY
    for column in (out.total, out.low, out.high):
        width, base = body[place], int.from_bytes(body[place + 1 : place + 9], "little", signed=True)
        column[i] = np.frombuffer(body, f"<u{width}", QUARTERS_PER_DAY, place + 9).astype(np.int64) + base
        place += 9 + width * QUARTERS_PER_DAY
