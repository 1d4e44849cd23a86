"""How good the data of a home are: what is measured, estimated and missing; gaps, verdicts, corrections, silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.blocks import Readings, unpack_blocks
from statistics_manager_service.core.correction import SET_ASIDE, Verdict
from statistics_manager_service.core.gaps import Gap, Gaps
from statistics_manager_service.core.grid import block_of
from statistics_manager_service.core.lines import interval_ends
from statistics_manager_service.core.quantities import QUANTITIES, Dimension, Kind
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.core.units import S_PER_MINUTE, US_PER_S
from statistics_manager_service.errors import NotFound
from statistics_manager_service.services.homes import Homes, known_state
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.measuring import Column, Measurer
from statistics_manager_service.services.ports import Channel, Household, ReadView, Store
from statistics_manager_service.services.totals import ESTIMATED, MEASURED, Totals

#: All readings of the time are looked at.
MOST_DAYS: Final = 400
#: Of gaps, the longest; of each verdict, the newest.
MOST_GAPS: Final = 10
MOST_INSTANTS: Final = 5
#: A channel is silent when it has told nothing for so many times its typical step, and for its gap limit.
SILENT_STEPS: Final = 3
#: Between two intervals less than this is a clock that jitters.
_JITTER_US: Final = S_PER_MINUTE * US_PER_S
_BLOCKS_AT_ONCE: Final = 256
#: ESPI QualityOfReading (NAESB REQ.21).
_ESPI_VALIDATED, _ESPI_INTERPOLATED, _ESPI_DERIVED, _ESPI_MIXED = 17, 9, 11, 13
#: Where anything else is known of a home than what it takes from the grid, that is the balance of its flows.
_OF_HOME: Final = ("energy_consumption", "energy_import")


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a time, 0..1, which add up to 1."""

    measured: float
    estimated: float

    @property
    def missing(self) -> float:
        """The rest."""
        return max(1.0 - self.measured - self.estimated, 0.0)


@dataclass(slots=True)
class ChannelQuality:
    """The readings of a channel within a time.

    first_us, last_us: the first and last of them. shares: of the time; None of none. gaps: the longest, longest first.
    gap_limit_s: only longer ones count. verdicts: {verdict: (number, newest instants)}, but for plausible ones.
    corrections: values of the time that later ones have replaced, newest_correction_us: when that was last.
    typical_s: the median step from one reading to the next, None where there are not two. silent_since_us: when the
    channel last told anything, where it has told nothing for long; as of now, whatever the time. quality_of_reading:
    the code of ESPI that holds for all of the time, None where nothing is known of it.
    """

    channel: Channel
    readings: int = 0
    first_us: int | None = None
    last_us: int | None = None
    shares: Shares | None = None
    gap_limit_s: float = 0.0
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0
    gap_total_us: int = 0
    verdicts: dict[str, tuple[int, list[int]]] = field(default_factory=dict)
    corrections: int = 0
    newest_correction_us: int | None = None
    typical_s: float | None = None
    silent_since_us: int | None = None
    quality_of_reading: int | None = None


@dataclass(frozen=True, slots=True)
class HomeQuality:
    """The data of a home within a time, up to now. of_home: the shares of what the home as a whole took, and by which
    measure; None where nothing tells."""

    household: Household
    zone: str
    start_us: int
    end_us: int
    now_us: int
    of_home: tuple[str, Shares] | None
    channels: list[ChannelQuality]


class DataQuality:
    """Tells how good the data of homes are."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us, self._homes = store, now_us, Homes()

    def of(self, household_id: str, asked: AskedTime, meter: str | None = None) -> HomeQuality:
        """The data of a home, or of one of its meters. What lies in the future is not missing.

        Raises BadInput with all faults of the time, NotFound.
        """
        now_us = self._now_us()
        with self._store.reading() as view:
            home = self._homes.of(view, household_id, known_state(view, household_id))
            cal = asked.whole(home.household.timezone, MOST_DAYS)
            channels = [one for one in home.channels if meter is None or one.meter == meter]
            if meter is not None and not channels:
                raise NotFound(f"household {household_id} has no meter {meter[:80]!r}")
            start_us = int(cal.edges_us[0])
            end_us = max(min(int(cal.edges_us[-1]), now_us), start_us)
            shares = _shares(view, channels, start_us, end_us)
            found = [
                _channel_quality(view, one, start_us, end_us, shares=mine, now_us=now_us)
                for one, mine in zip(channels, shares, strict=True)
            ]
            of_home = _of_home(view, home.channels, start_us, end_us) if meter is None else None
        return HomeQuality(home.household, cal.zone, start_us, end_us, now_us, of_home, found)


def _shares(view: ReadView, channels: Sequence[Channel], start_us: int, end_us: int) -> list[Shares | None]:
    """What is measured and estimated of each channel, from running totals."""
    if end_us <= start_us or not channels:
        return [None] * len(channels)
    totals = Totals(view, np.array([start_us, end_us], np.int64))
    elapsed_s = float(totals.elapsed_s[0])
    steps = totals.steps(channels)[:, 0]
    return [
        Shares(min(measured / elapsed_s, 1.0), min(estimated / elapsed_s, 1.0))
        for measured, estimated in steps[:, [MEASURED, ESTIMATED]].tolist()
    ]


def _of_home(view: ReadView, channels: Sequence[Channel], start_us: int, end_us: int) -> tuple[str, Shares] | None:
    if end_us <= start_us:
        return None
    measurer = Measurer(Totals(view, np.array([start_us, end_us], np.int64)), channels)
    for name in _OF_HOME:
        column: Column = measurer.column(name, None)
        if np.isfinite(column.total):
            return name, Shares(float(column.coverage[0]), float(column.estimated[0]))
    return None


def _channel_quality(
    view: ReadView, channel: Channel, start_us: int, end_us: int, *, shares: Shares | None, now_us: int
) -> ChannelQuality:
    is_interval = channel.kind is Kind.INTERVAL
    limit_us = _JITTER_US if is_interval else channel.gap_limit_s * US_PER_S
    found = ChannelQuality(channel, shares=shares, gap_limit_s=limit_us / US_PER_S)
    gaps = Gaps(start_us, end_us, limit_us, MOST_GAPS)
    counts: Counter[int] = Counter()
    newest: dict[int, list[int]] = {}
    for at_us, until_us, verdict in _pieces(view, channel, start_us, end_us):
        counted = ~np.isin(verdict, SET_ASIDE)
        bridges = (channel.kind is Kind.REGISTER) & (verdict != Verdict.RESET)
        gaps.add(at_us[counted], until_us[counted], bridges[counted])
        inside = (at_us >= start_us) & (at_us < end_us)
        _count(found, at_us[inside], verdict[inside], counts, newest)
    found.gaps, found.gap_count, found.gap_total_us = gaps.kept, gaps.count, gaps.total_us
    found.verdicts = {Verdict(one).name.lower(): (counts[one], newest[one]) for one in sorted(counts)}
    revisions = view.revisions(channel.household_no, channel.channel_no, start_us, end_us)
    found.corrections = len(revisions)
    found.newest_correction_us = max((one.replaced_us for one in revisions), default=None)
    found.typical_s = gaps.typical_s
    found.silent_since_us = _silent_since_us(view, channel, now_us)
    found.quality_of_reading = _quality_of_reading(channel, shares)
    return found


def _count(
    found: ChannelQuality, at_us: Int64, verdict: NDArray[np.uint8], counts: Counter[int], newest: dict[int, list[int]]
) -> None:
    """Count readings in order of time, and those that are not plausible by their verdicts."""
    if not len(at_us):
        return
    found.readings += len(at_us)
    found.first_us = int(at_us[0]) if found.first_us is None else found.first_us
    found.last_us = int(at_us[-1])
    for one in np.unique(verdict[verdict != Verdict.PLAUSIBLE]).tolist():
        instants = at_us[verdict == one]
        counts[one] += len(instants)
        newest[one] = [*reversed(instants[-MOST_INSTANTS:].tolist()), *newest.get(one, [])][:MOST_INSTANTS]


def _pieces(
    view: ReadView, channel: Channel, start_us: int, end_us: int
) -> Iterator[tuple[Int64, Int64, NDArray[np.uint8]]]:
    """Readings in order of time, so many blocks at once: from the block before a time, so that the gap over its start
    is seen, to the one behind it. Instants, up to when each tells, verdicts."""
    if channel.first_us is None or channel.last_us is None or end_us <= start_us:
        return
    number, place = channel.household_no, channel.channel_no
    first, last = block_of(start_us), block_of(end_us - 1)
    yield from _read([one.body for one in view.blocks_before(number, place, first, 1)])
    low, last_there = max(first, block_of(channel.first_us)), min(last, block_of(channel.last_us))
    for begin in range(low, last_there + 1, _BLOCKS_AT_ONCE):
        blocks = view.blocks(number, place, begin, min(begin + _BLOCKS_AT_ONCE - 1, last_there))
        yield from _read([one.body for one in blocks])
    yield from _read([one.body for one in view.blocks_after(number, place, last, 1)])


def _read(bodies: Sequence[bytes]) -> Iterator[tuple[Int64, Int64, NDArray[np.uint8]]]:
    if bodies:
        blocks: list[Readings] = unpack_blocks(bodies)
        at_us, verdict = np.concatenate([one[0] for one in blocks]), np.concatenate([one[3] for one in blocks])
        lengths = [one[2] for one in blocks if one[2] is not None]
        yield at_us, interval_ends(at_us, np.concatenate(lengths)) if lengths else at_us, verdict


def _silent_since_us(view: ReadView, channel: Channel, now_us: int) -> int | None:
    """When a channel last told anything, where that is longer ago than it is wont to be silent."""
    if channel.last_us is None:
        return None
    number, place = channel.household_no, channel.channel_no
    last = view.blocks_before(number, place, block_of(channel.last_us) + 1, 2)
    pieces = list(_read([one.body for one in last]))
    typical = Gaps(-(2**62), 2**62, 0, 0)
    for at_us, until_us, _ in pieces:
        typical.add(at_us, until_us, np.zeros(len(at_us), np.bool_))
    heard_us = max((int(until_us[-1]) for _, until_us, _ in pieces), default=channel.last_us)
    limit_s = max(SILENT_STEPS * (typical.typical_s or 0.0), channel.gap_limit_s)
    return channel.last_us if now_us - heard_us > limit_s * US_PER_S else None


def _quality_of_reading(channel: Channel, shares: Shares | None) -> int | None:
    """ESPI's code of a time: validated where all that is known is measured, linear interpolation where all is
    estimated, mixed where both are there; energy from samples of the power is derived."""
    if shares is None or not shares.measured + shares.estimated:
        return None
    if shares.measured and shares.estimated:
        return _ESPI_MIXED
    if shares.estimated:
        return _ESPI_INTERPOLATED
    is_power = QUANTITIES[channel.quantity].dimension is Dimension.POWER
    return _ESPI_DERIVED if is_power else _ESPI_VALIDATED
