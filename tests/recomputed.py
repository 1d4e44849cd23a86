"""Numbers worked out anew from an explanation alone, by a reader who has neither the product nor its store.

Nothing of the product is imported here: what an explanation says is all that there is.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from fractions import Fraction
from typing import Any

MILLIWH = Fraction(1, 1_000_000)
_KWH_IN = {"Wh": Fraction(1, 1000), "kWh": Fraction(1), "MWh": Fraction(1000)}
_MILLIW_IN = {"W": 1_000, "kW": 1_000_000, "MW": 1_000_000_000}
_QUARTER_US = 900_000_000


def instant_us(text: str) -> int:
    """Microseconds of an instant in UTC, exact."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    seconds = int(at.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + at.microsecond


def half_up(value: Fraction) -> int:
    """The nearest integer; of two the greater."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def energy_kwh(told: dict[str, Any]) -> Fraction:
    """The energy that a channel tells, by what is said of its readings."""
    if "edges" in told:
        return _of_register(told)
    if "intervals" in told:
        return _of_intervals(told)
    if "samples" in told:
        return _of_samples(told)
    return Fraction(0)  # nothing was ever read


def _of_register(told: dict[str, Any]) -> Fraction:
    scale = _KWH_IN[told["unit"]]
    start, end = (_register(edge, scale) for edge in told["edges"])
    added = Fraction(told["events"]["add_kwh"])
    if told["events"]["count"] == len(told["events"]["first"]):
        each = [
            Fraction(one["counted_kwh"]) - (Fraction(one["value"]) - Fraction(one["value_before"])) * scale
            for one in told["events"]["first"]
        ]
        assert sum(each, Fraction(0)) == added, told["events"]
        assert each == [Fraction(one["adds_kwh"]) for one in told["events"]["first"]]
    return end - start + added


def _register(edge: dict[str, Any], scale: Fraction) -> Fraction:
    """What a register shows at an edge: by the readings around it."""
    before, after = edge["before"], edge["after"]
    if before is None or after is None:
        only = before or after
        return _level(only) * scale
    step = Fraction(edge["flowed_between_kwh"])
    if after["verdict"] not in ("reset", "rollover", "swap"):
        assert step == (_level(after) - _level(before)) * scale, edge
    at, begin, stop = (instant_us(one) for one in (edge["at"], before["at"], after["at"]))
    flowed = half_up(step / MILLIWH * Fraction(at - begin, stop - begin)) * MILLIWH
    found = _level(before) * scale + flowed
    assert found == Fraction(edge["register_kwh"]), edge
    return found


def _level(reading: dict[str, Any]) -> Fraction:
    return Fraction(reading.get("counts_as", reading["value"]))


def _of_intervals(told: dict[str, Any]) -> Fraction:
    some = told["intervals"]
    claimed = Fraction(some["whole_kwh"]) + sum(Fraction(one["inside_kwh"]) for one in some["cut_by_an_edge"])
    if "list" in some:
        scale, edges = _KWH_IN[told["unit"]], [instant_us(told[name]) for name in ("from", "to")]
        found = Fraction(0)
        for one in some["list"]:
            if one["verdict"] != "plausible":
                continue
            begin, stop = instant_us(one["from"]), instant_us(one["to"])
            energy = Fraction(one["value"]) * scale / MILLIWH
            parts = [half_up(energy * Fraction(min(max(at - begin, 0), stop - begin), stop - begin)) for at in edges]
            found += (parts[1] - parts[0]) * MILLIWH
        assert found == claimed, (found, claimed)
    return claimed


def _of_samples(told: dict[str, Any]) -> Fraction:
    some = told["samples"]
    assert "list" in some, "too many samples to add up by hand"
    scale, gap_ms = _MILLIW_IN[told["unit"]], some["gap_limit_s"] * 1000
    samples = [(instant_us(one["at"]), int(Fraction(one["value"]) * scale)) for one in some["list"]]
    start, end = instant_us(told["from"]), instant_us(told["to"])
    first, last = start // _QUARTER_US, -(-end // _QUARTER_US)
    total = -_until(samples, start, gap_ms) if start % _QUARTER_US else 0
    for quarter in range(first, last):
        stop = (quarter + 1) * _QUARTER_US
        total += _until(samples, end, gap_ms) if stop > end else _quarter(samples, quarter, gap_ms)
    return total * MILLIWH


def _until(samples: list[tuple[int, int]], at_us: int, gap_ms: int) -> int:
    """From the start of the quarter-hour of an instant up to it."""
    before = [one for one in samples if one[0] < at_us]
    behind = [one for one in samples if one[0] >= at_us]
    if before and behind and behind[0][0] - before[-1][0] <= gap_ms * 1000:
        (begin, low), (stop, high) = before[-1], behind[0]
        part, whole = (at_us - begin) // 1000, max((stop - begin) // 1000, 1)
        before = [*before, (at_us, low + (high - low) * part // whole)]
    return _quarter(before, at_us // _QUARTER_US, gap_ms)


def _quarter(samples: list[tuple[int, int]], quarter: int, gap_ms: int) -> int:
    """The energy of a quarter-hour in milliwatt-hours."""
    area = 0  # twice the integral, in mW·ms
    floor, ceiling = quarter * 900_000, (quarter + 1) * 900_000
    for (begin_us, low), (stop_us, high) in itertools.pairwise(samples):
        if stop_us - begin_us > gap_ms * 1000:
            continue
        begin, stop = begin_us // 1000, stop_us // 1000
        left, right = max(begin, floor), min(stop, ceiling)
        if left < right:
            powers = [low + (high - low) * (at - begin) // (stop - begin) for at in (left, right)]
            area += sum(powers) * (right - left)
    return half_up(Fraction(area, 7_200_000))


def mean(told: list[dict[str, Any]], *, is_power: bool) -> Fraction:
    """The mean of the samples of some channels in the channels' unit: powers add up, other samples count alike."""
    some = [(Fraction(one["samples"]["sum"]), one["samples"]["count"]) for one in told if one["samples"]["count"]]
    for one in told:
        if "list" in one["samples"]:
            assert sum((Fraction(row["value"]) for row in one["samples"]["list"]), Fraction(0)) == Fraction(
                one["samples"]["sum"]
            )
    if is_power:
        return sum((total / count for total, count in some), Fraction(0))
    return sum((total for total, _ in some), Fraction(0)) / sum(count for _, count in some)
