"""Measures of one household over buckets: flows from their sources, means of samples, what is derived from flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.balance import DERIVED, WHOLE_HOUSE, Derived, combine, rate
from statistics_manager_service.core.grid import quarter_after, quarter_of
from statistics_manager_service.core.quantities import ANSWER_UNIT, QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Float64, Int64
from statistics_manager_service.core.units import MILLI, MILLIWH_PER_KWH, QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.services.ports import Channel
from statistics_manager_service.services.totals import COUNT, ENERGY, ESTIMATED, MEASURED, SUM, Totals

MEASURES = tuple(dict.fromkeys((*QUANTITIES, *DERIVED)))


class Lack(NamedTuple):
    """Why a bucket has no value though there are readings, or what its value lacks: the bucket's place, the share of it
    that is lacking (of its energy, or of its time where no contract holds), and why."""

    bucket: int
    share: float
    why: str


@dataclass(slots=True)
class Column:
    """One measure over n buckets.

    value: (n,) float64 in `unit`, NaN where unknown. coverage, estimated: (n,) shares of the bucket's elapsed time that
    are measured, estimated. total: over the whole range, NaN where unknown. lacks: what a value lacks, where it is more
    than readings. shares: {of what: (n,) float64 shares of the value in 0..1}, such as by which step of a fall-back it
    was told. more: further members of the series in JSON, what it was made of. shared: (n,) what the shares are of, so
    that those of several homes can be put together.
    """

    measure: str
    meter: str | None
    unit: str
    value: Float64
    coverage: Float64
    estimated: Float64
    total: float
    lacks: tuple[Lack, ...] = ()
    shares: Mapping[str, Float64] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    shared: Float64 | None = None


@dataclass(slots=True)
class Flow:
    """Energy between edges: (n,) int64 milliwatt-hours and seconds; begins_us: where the first source begins, or
    None.
    """

    energy_milliwh: Int64
    measured_s: Int64
    estimated_s: Int64
    begins_us: int | None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where anything is known of it."""
        known: NDArray[np.bool_] = (self.measured_s + self.estimated_s > 0) | (self.energy_milliwh != 0)
        return known


class Measurer:
    """Works out measures of a household's channels between edges."""

    def __init__(self, totals: Totals, channels: Sequence[Channel]) -> None:
        self._totals, self._channels, self._edges_us = totals, channels, totals.edges_us

    def column(self, measure: str, meter: str | None) -> Column:
        """A measure of the household, or of one of its meters."""
        if measure in DERIVED and (meter is None or measure not in QUANTITIES):
            return self._derived(DERIVED[measure])
        quantity = QUANTITIES[measure]
        channels = _of_meter(self._channels, meter)
        if quantity.dimension is Dimension.ENERGY:
            return self._energy(measure, meter, flow_between(self._totals, sources(channels, measure)))
        return self._mean(measure, meter, [c for c in channels if c.quantity == measure])

    def _shares(self, measured_s: Int64 | Float64, estimated_s: Int64 | Float64) -> tuple[Float64, Float64]:
        return np.minimum(measured_s / self._totals.elapsed_s, 1.0), np.minimum(
            estimated_s / self._totals.elapsed_s, 1.0
        )

    def _energy(self, measure: str, meter: str | None, flow: Flow) -> Column:
        rows = (flow.energy_milliwh[None], flow.measured_s[None], flow.estimated_s[None])
        return _energy_columns(measure, meter, *rows, self._totals.elapsed_s)[0]

    def _mean(self, measure: str, meter: str | None, channels: Sequence[Channel]) -> Column:
        """Mean of the samples. Powers of several meters add up; of other quantities all samples count alike."""
        dimension = QUANTITIES[measure].dimension
        scale = MILLI * MILLI if dimension is Dimension.RATIO else MILLI
        buckets = len(self._edges_us) - 1
        if not channels:
            nothing = np.zeros(buckets)
            return Column(measure, meter, ANSWER_UNIT[dimension], np.full(buckets, np.nan), nothing, nothing, np.nan)
        steps = self._totals.steps(channels)
        measured_s, _ = seconds_covered(self._totals, channels, steps)
        if dimension is not Dimension.POWER:
            steps = steps.sum(axis=0, keepdims=True)
        count, total = steps[:, :, COUNT], steps[:, :, SUM]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = total / count
            whole = total.sum(axis=1) / count.sum(axis=1)
        # a meter without samples in a bucket leaves the others' sum; none at all is unknown
        known, whole_known = count.any(axis=0), count.any()
        value = np.where(known, np.nansum(means, axis=0), np.nan) / scale
        overall = float(np.nansum(whole)) / scale if whole_known else np.nan
        coverage = np.minimum(measured_s / self._totals.elapsed_s, 1.0)
        return Column(measure, meter, ANSWER_UNIT[dimension], value, coverage, np.zeros(buckets), overall)

    def _derived(self, one: Derived) -> Column:
        """A measure of several flows: over the time in which all of them are known."""
        found = {flow: sources(self._channels, f"energy_{flow}") for flow in one.flows}
        if one.name == "energy_consumption" and not any(found.values()):
            house = [c for c in self._channels if c.meter in WHOLE_HOUSE]
            return self._energy(one.name, None, flow_between(self._totals, sources(house, one.name)))
        present = {flow: channels for flow, channels in found.items() if channels}
        buckets = len(self._edges_us) - 1
        if not all(flow in present for flow in one.needs):
            nothing = np.zeros(buckets)
            unit = "kWh" if one.denominator is None else "1"
            return Column(one.name, None, unit, np.full(buckets, np.nan), nothing, nothing, np.nan)
        flows = {flow: flow_between(self._totals, some) for flow, some in present.items()}
        common = _common(flows, self._edges_us)
        if common is None:  # somewhere a flow is not known: look at each quarter-hour
            fine, place = self._totals.fine
            flows = {flow: flow_between(fine, some) for flow, some in present.items()}
            common = _common_quarters(flows, fine.edges_us, place[:-1])
        energies, measured_s, estimated_s, known = common
        numerator = combine(one.numerator, energies)
        shares = self._shares(measured_s, estimated_s)
        if one.denominator is None:
            value = np.where(known, numerator / MILLIWH_PER_KWH, np.nan)
            total = int(numerator.sum()) / MILLIWH_PER_KWH if known.any() else np.nan
            return Column(one.name, None, "kWh", value, *shares, total)
        denominator = combine(one.denominator, energies)
        any_known = np.array([known.any()])
        whole = rate(numerator.sum(keepdims=True), denominator.sum(keepdims=True), any_known)
        return Column(one.name, None, "1", rate(numerator, denominator, known), *shares, float(whole[0]))


def _energy_columns(
    measure: str, meter: str | None, energy_milliwh: Int64, measured_s: Int64, estimated_s: Int64, elapsed_s: Float64
) -> list[Column]:
    """An energy of c homes over n buckets, each (c, n)."""
    value = energy_milliwh / MILLIWH_PER_KWH
    total = energy_milliwh.sum(axis=1) / MILLIWH_PER_KWH
    if not measured_s.all():
        known = (measured_s + estimated_s > 0) | (energy_milliwh != 0)
        value[~known] = np.nan
        total[~known.any(axis=1)] = np.nan
    coverage, estimated = measured_s / elapsed_s, estimated_s / elapsed_s
    for share in (coverage, estimated):
        np.minimum(share, 1.0, out=share)
    columns = zip(value, coverage, estimated, total.tolist(), strict=True)
    return [Column(measure, meter, "kWh", *column) for column in columns]


def columns_of_each(
    totals: Totals, homes: Sequence[Sequence[Channel]], measure: str, meter: str | None
) -> list[Column]:
    """A measure of many homes. Energies that one channel tells are worked out for all such homes together."""
    if is_plain_energy(measure, meter):
        found = [sources(_of_meter(channels, meter), measure).channels for channels in homes]
        plain = [i for i, channels in enumerate(found) if len(channels) == 1]
        steps = totals.steps([found[i][0] for i in plain])
        energy, measured_s, estimated_s = (steps[:, :, column] for column in (ENERGY, MEASURED, ESTIMATED))
        columns = _energy_columns(measure, meter, energy, measured_s, estimated_s, totals.elapsed_s)
        done = dict(zip(plain, columns, strict=True))
    else:
        done = {}
    return [
        done[i] if i in done else Measurer(totals, channels).column(measure, meter) for i, channels in enumerate(homes)
    ]


def is_plain_energy(measure: str, meter: str | None) -> bool:
    """Whether a measure is the energy of channels, and not worked out from several flows."""
    if measure not in QUANTITIES or (measure in DERIVED and meter is None):
        return False
    return QUANTITIES[measure].dimension is Dimension.ENERGY


def _of_meter(channels: Sequence[Channel], meter: str | None) -> Sequence[Channel]:
    return channels if meter is None else [c for c in channels if c.meter == meter]


Common = tuple[dict[str, Int64], Int64, Int64, NDArray[np.bool_]]


def _common(flows: dict[str, Flow], edges_us: Int64) -> Common | None:
    """The flows as they are where each is known all of the time since it began; None where one is not."""
    elapsed = edges_us[1:] // US_PER_S - edges_us[:-1] // US_PER_S
    for flow in flows.values():
        absent = edges_us[1:] <= (edges_us[-1] if flow.begins_us is None else flow.begins_us)
        complete = flow.measured_s + flow.estimated_s >= elapsed
        if not (complete | absent).all():
            return None
    energies = {name: flow.energy_milliwh for name, flow in flows.items()}
    present = [flow for flow in flows.values() if flow.begins_us is not None]
    some = present or list(flows.values())
    known: NDArray[np.bool_] = np.logical_or.reduce([flow.known for flow in some])
    counted = [np.where(flow.known, flow.measured_s, elapsed * known) for flow in some]
    measured: Int64 = np.minimum.reduce(counted)
    return energies, measured, np.where(known, elapsed - measured, 0), known


class KnownQuarters(NamedTuple):
    """What is known of pieces of time of several flows: whether every flow that had begun is known, and of how many
    seconds all of them are measured, and measured or estimated; (m,) each."""

    good: NDArray[np.bool_]
    measured_s: Int64
    covered_s: Int64


def known_quarters(flows: Sequence[Flow], fine_us: Int64) -> KnownQuarters:
    """What is known of the pieces of time between the edges fine_us, (m+1,)."""
    known = np.zeros(len(fine_us) - 1, np.bool_)
    lacking = np.zeros(len(fine_us) - 1, np.bool_)
    measured_s = np.full(len(fine_us) - 1, np.iinfo(np.int64).max)
    covered_s = measured_s.copy()
    for flow in flows:
        begun = fine_us[1:] > (fine_us[-1] if flow.begins_us is None else flow.begins_us)
        known |= flow.known
        lacking |= begun & ~flow.known
        measured_s = np.where(begun, np.minimum(measured_s, flow.measured_s), measured_s)
        covered_s = np.where(begun, np.minimum(covered_s, flow.measured_s + flow.estimated_s), covered_s)
    return KnownQuarters(known & ~lacking, measured_s, covered_s)


def _common_quarters(flows: dict[str, Flow], fine_us: Int64, first: Int64) -> Common:
    """The sums over those quarter-hours in which every flow that had begun is known."""
    good, measured_s, covered_s = known_quarters(list(flows.values()), fine_us)

    def summed(column: Int64) -> Int64:
        return np.add.reduceat(np.where(good, column, 0), first)

    energies = {name: summed(flow.energy_milliwh) for name, flow in flows.items()}
    measured, covered = summed(measured_s), summed(covered_s)
    return energies, measured, covered - measured, np.logical_or.reduceat(good, first)


@dataclass(slots=True)
class Sources:
    """The channels that tell a flow, in groups, best first: registers, intervals, samples of the power. None is empty,
    and none speaks only of the time of a better one."""

    groups: list[list[Channel]]

    def __bool__(self) -> bool:
        return bool(self.groups)

    @property
    def channels(self) -> list[Channel]:
        """All channels that count."""
        return [one for group in self.groups for one in group]


def sources(channels: Sequence[Channel], quantity: str) -> Sources:
    """The channels that tell an energy."""
    power = quantity.replace("energy_", "power_", 1)
    some = [c for c in channels if c.first_us is not None and c.quantity in (quantity, power)]
    if len(some) == 1:
        return Sources([some])
    by_kind = (
        [c for c in some if c.quantity == quantity and c.kind is Kind.REGISTER],
        [c for c in some if c.quantity == quantity and c.kind is Kind.INTERVAL],
        [c for c in some if c.quantity == power],
    )
    found = Sources([])
    for group in filter(None, by_kind):
        first, last = hull_us(found.channels) if found else (0, 0)
        begin, end = hull_us(group)
        if begin < first or end > last:
            found.groups.append(group)
    return found


def hull_us(channels: Sequence[Channel]) -> tuple[int, int]:
    """From when until when channels speak, on edges of quarter-hours.

    Until when an interval lasts is not among a channel's figures, but its last day is: so what is worse than intervals
    begins to speak with the UTC day behind them.
    """
    first = min(c.first_us for c in channels if c.first_us is not None)
    lasts = [
        (c.last_day + 1) * US_PER_DAY if c.kind is Kind.INTERVAL and c.last_day is not None else c.last_us
        for c in channels
    ]
    last = max(last for last in lasts if last is not None)
    return quarter_of(first) * QUARTER_US, quarter_after(last) * QUARTER_US


def hull(channels: Sequence[Channel]) -> tuple[int, int] | None:
    """From when until when some channels speak, on edges of quarter-hours; None where none has been read."""
    some = [one for one in channels if one.first_us is not None]
    return hull_us(some) if some else None


def flow_between(totals: Totals, found: Sources) -> Flow:
    """What flowed between edges. A source tells the time from its first to its last reading; the next best one what
    lies before and behind."""
    edges_us = totals.edges_us
    if not found:
        nothing = np.zeros(len(edges_us) - 1, np.int64)
        return Flow(nothing, nothing, nothing, None)
    begins = min(c.first_us for c in found.channels if c.first_us is not None)
    flow = _joined(found.groups[0], totals, begins)
    for i, group in enumerate(found.groups[1:], start=1):
        first, last = hull_us([one for better in found.groups[:i] for one in better])
        for clipped in (np.minimum(edges_us, first), np.maximum(edges_us, last)):
            if clipped[0] == clipped[-1]:
                continue
            more = _joined(group, Totals(totals.view, clipped), begins)
            flow.energy_milliwh = flow.energy_milliwh + more.energy_milliwh
            flow.measured_s = flow.measured_s + more.measured_s
            flow.estimated_s = flow.estimated_s + more.estimated_s
    return flow


def _joined(channels: Sequence[Channel], totals: Totals, begins: int | None) -> Flow:
    """The sum of the channels of a group."""
    steps = totals.steps(channels)
    if len(channels) == 1:
        one = steps[0]
        return Flow(one[:, ENERGY], one[:, MEASURED], one[:, ESTIMATED], begins)
    return Flow(steps[:, :, ENERGY].sum(axis=0), *seconds_covered(totals, channels, steps), begins)


def seconds_covered(totals: Totals, channels: Sequence[Channel], steps: Int64) -> tuple[Int64, Int64]:
    """The seconds measured and estimated of what several channels (c, n, 5) tell together, (n,) each.

    Decided for each quarter-hour, so that the parts of any grouping add up to the whole.
    """
    if len(channels) == 1:
        return steps[0, :, MEASURED], steps[0, :, ESTIMATED]
    elapsed = totals.whole_elapsed_s
    if (steps[:, :, MEASURED] >= elapsed).all():
        return elapsed, np.zeros_like(elapsed)
    fine, place = totals.fine
    shared = _shared_out(channels, fine.steps(channels), fine.edges_us, fine.whole_elapsed_s)
    running = np.concatenate((np.zeros((2, 1), np.int64), shared.cumsum(axis=1)), axis=1)[:, place]
    measured_s, estimated_s = running[:, 1:] - running[:, :-1]
    return measured_s, estimated_s


def _shared_out(channels: Sequence[Channel], steps: Int64, edges_us: Int64, elapsed_s: Int64) -> Int64:
    """(2, n) int64, the seconds measured and estimated of n quarter-hours: channels side by side are covered as their
    mean over those that have begun and not ended; intervals of one flow fill each other's gaps."""
    measured, estimated = steps[:, :, MEASURED].sum(axis=0), steps[:, :, ESTIMATED].sum(axis=0)
    if channels[0].kind is Kind.INTERVAL:
        return np.array([np.minimum(measured, elapsed_s), estimated])
    alive = np.zeros(len(elapsed_s), np.int64)
    for one in channels:
        if one.first_us is not None and one.last_us is not None:
            alive += (edges_us[1:] > one.first_us) & (edges_us[:-1] < one.last_us)
    return np.array([measured, estimated]) // np.maximum(alive, 1)


def needed(channels: Sequence[Channel], measures: Sequence[str], meter: str | None) -> list[Channel]:
    """The channels whose totals some measures need, so that those of many households can be read at once."""
    found: list[Channel] = []
    for measure in measures:
        if measure in DERIVED and (meter is None or measure not in QUANTITIES):
            for flow in DERIVED[measure].flows:
                found += sources(channels, f"energy_{flow}").channels
            continue
        mine = _of_meter(channels, meter)
        if QUANTITIES[measure].dimension is Dimension.ENERGY:
            found += sources(mine, measure).channels
        else:
            found += [c for c in mine if c.quantity == measure]
    return list({(c.household_no, c.channel_no): c for c in found}.values())
