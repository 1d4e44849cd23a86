"""What one channel tells of a time: its energy or samples, the readings behind it, and its lines of canonical text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.correction import SET_ASIDE, Verdict
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.quantities import Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import QUARTER_US
from statistics_manager_service.services.explaining.around import inside, provisional
from statistics_manager_service.services.explaining.figures import FIRST_FEW, few, in_unit, kwh, label
from statistics_manager_service.services.explaining.interval_readings import interval_energy
from statistics_manager_service.services.explaining.register_readings import register_energy
from statistics_manager_service.services.explaining.sample_readings import integrated, mean_of
from statistics_manager_service.services.ports import Channel, ReadView
from statistics_manager_service.services.telemetry.stretches import Stretch
from statistics_manager_service.services.telemetry.surroundings import stretch_around
from statistics_manager_service.services.totals import COUNT, ENERGY, ESTIMATED, MEASURED, SUM, Totals

_SET_ASIDE: Final = "kept and left out of the sum, which goes on from the reading before to the one behind"


@dataclass(frozen=True, slots=True)
class ChannelPart:
    """What a channel tells of a time.

    energy_milliwh: 0 of quantities that are no energy. total_milli, count: of the samples of a mean. told: as JSON.
    text: the sum with its figures. lines: of the canonical text.
    """

    channel: Channel
    energy_milliwh: int
    total_milli: int
    count: int
    told: dict[str, Any]
    text: str
    lines: list[str]


def pieces_us(start_us: int, end_us: int) -> Int64:
    """The edges of the quarter-hours from start to end, the outer ones cut to them, (m+1,) int64."""
    first, last = quarter_after(start_us), quarter_of(end_us)
    grid_us = np.arange(first, last + 1, dtype=np.int64) * QUARTER_US
    outer = [[start_us] if start_us % QUARTER_US else [], [end_us] if end_us % QUARTER_US else []]
    return np.concatenate([np.array(outer[0], np.int64), grid_us, np.array(outer[1], np.int64)])


def channel_part(
    view: ReadView, channel: Channel, start_us: int, end_us: int, why: str, *, as_energy: bool
) -> ChannelPart:
    """What a channel tells from start to end, as an energy or as a mean of samples. why: it is asked."""
    edges_us = pieces_us(start_us, end_us)
    steps = Totals(view, edges_us).steps([channel])[0]
    is_sample = channel.kind is Kind.SAMPLE
    outer_us = (start_us, end_us)
    if is_sample:  # the integral of a quarter-hour needs the samples around it
        outer_us = (start_us // QUARTER_US * QUARTER_US, -(-end_us // QUARTER_US) * QUARTER_US)
    one = stretch_around(view, channel, *outer_us)
    told: dict[str, Any] = {
        "meter": channel.meter,
        "quantity": channel.quantity,
        "kind": channel.kind.value,
        "unit": channel.unit,
        "why": why,
        "from": label(start_us),
        "to": label(end_us),
    }
    energy, total, count, text, more = 0, 0, 0, "", dict[str, Any]()
    if not len(one.at_us):
        more = {"sum": "nothing was ever read"}
    elif not as_energy:
        total, count, more = mean_of(one, start_us, end_us)
    elif is_sample:
        energy, more, text = integrated(one, start_us, end_us, steps[:, ENERGY])
    else:
        explain = register_energy if channel.kind is Kind.REGISTER else interval_energy
        energy, more, text = explain(one, start_us, end_us)
    if as_energy:
        told["energy_kwh"] = kwh(energy)
    told |= more
    told |= _verdicts(view, one, start_us, end_us)
    lines = [*_quarter_lines(channel, edges_us, steps), _readings_line(one, start_us, end_us)]
    return ChannelPart(channel, energy, total, count, told, text, lines)


def _verdicts(view: ReadView, one: Stretch, start_us: int, end_us: int) -> dict[str, Any]:
    """The verdicts on the readings of a time, those that are set aside, and what corrections have replaced."""
    channel, mine = one.channel, inside(one, start_us, end_us)
    at_us, value, verdicts = one.at_us[mine], one.value_milli[mine], one.verdict[mine]
    counts = np.bincount(verdicts, minlength=len(Verdict))
    aside = np.flatnonzero(np.isin(verdicts, SET_ASIDE))
    some = aside[:FIRST_FEW]
    rows = zip(at_us[some].tolist(), value[some].tolist(), verdicts[some].tolist(), strict=True)
    revisions = view.revisions(channel.household_no, channel.channel_no, start_us, end_us)
    return {
        "verdicts": {one.name.lower(): int(counts[one]) for one in Verdict if counts[one]},
        "provisional": int(provisional(one, at_us).sum()) if len(at_us) else 0,
        "set_aside": few(
            (
                {"at": label(at), "value": in_unit(channel, milli), "verdict": Verdict(verdict).name.lower()}
                for at, milli, verdict in rows
            ),
            len(aside),
        )
        | ({"why": _SET_ASIDE} if len(aside) else {}),
        "revisions": few(
            (
                {"at": label(r.at_us), "value": in_unit(channel, r.value_milli), "replaced": label(r.replaced_us)}
                for r in revisions[:FIRST_FEW]
            ),
            len(revisions),
        ),
    }


def _quarter_lines(channel: Channel, edges_us: Int64, steps: Int64) -> list[str]:
    """A line a piece of time of which anything is known."""
    rows = np.flatnonzero(steps.any(axis=1))
    if not len(rows):
        return []
    head = f"quarter {channel.quantity} {channel.meter} {channel.kind.value} "
    labels, some = iso_labels(edges_us[:-1][rows], None), steps[rows].T
    energy, measured_s, estimated_s = (some[column].tolist() for column in (ENERGY, MEASURED, ESTIMATED))
    told = zip(labels, energy, measured_s, estimated_s, strict=True)
    lines = [f"{head}{at} {milliwh} {measured} {estimated}" for at, milliwh, measured, estimated in told]
    if channel.kind is Kind.SAMPLE:
        samples = zip(lines, some[COUNT].tolist(), some[SUM].tolist(), strict=True)
        lines = [f"{line} {count} {total}" for line, count, total in samples]
    return lines


def _readings_line(one: Stretch, start_us: int, end_us: int) -> str:
    """The readings of a time as their number and the SHA-256 of their bytes."""
    mine = inside(one, start_us, end_us)
    length_us = np.zeros(len(one.at_us), np.int64) if one.length_us is None else one.length_us
    columns = (one.at_us[mine], one.value_milli[mine], length_us[mine], one.verdict[mine].astype(np.int64))
    rows = np.column_stack(columns).astype("<i8")
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    channel = one.channel
    return f"readings {channel.quantity} {channel.meter} {channel.kind.value} {len(rows)} {digest}"
