"""Pricing quarter-hours: netting of import and export, and exact sums of energy and of money by segment and period.

Arrays of several homes have a row a home, (h, m); all sums are exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.decimals import Decimals
from statistics_manager_service.core.readings import Int64

_MOST = 2**63 - 1


def net(import_milliwh: Int64, export_milliwh: Int64, starts: Int64) -> tuple[Int64, Int64]:
    """Import and export set against each other within groups of neighbouring pieces of time.

    import_milliwh, export_milliwh: (h, m) int64, not negative. starts: (g,) int64, the first piece of each group,
    increasing, the first 0. What is left of a group stands in its pieces in proportion to what flowed there before, so
    that it is conserved to the milliwatt-hour.
    """
    if len(starts) == import_milliwh.shape[-1]:
        balance = import_milliwh - export_milliwh
        imported = np.maximum(balance, 0)
        return imported, np.subtract(imported, balance, out=balance)
    longest = int(np.diff(starts, append=import_milliwh.shape[-1]).max())
    is_wide = max(_bound(import_milliwh), _bound(export_milliwh)) * longest > _MOST
    if is_wide and import_milliwh.dtype != object:  # sums would be too large for int64
        wide = net(import_milliwh.astype(object), export_milliwh.astype(object), starts)
        return wide[0].astype(np.int64), wide[1].astype(np.int64)
    imported = np.add.reduceat(import_milliwh, starts, axis=-1)
    exported = np.add.reduceat(export_milliwh, starts, axis=-1)
    balance = imported - exported
    return (
        _in_proportion(import_milliwh, imported, np.maximum(balance, 0), starts),
        _in_proportion(export_milliwh, exported, np.maximum(-balance, 0), starts),
    )


def net_labelled(import_milliwh: Int64, export_milliwh: Int64, group: Int64) -> tuple[Int64, Int64]:
    """The same for groups whose pieces are no neighbours. group: (m,) int64, 0, 1, …, the group of each piece."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    netted = net(import_milliwh[..., order], export_milliwh[..., order], starts)
    out = (np.empty_like(import_milliwh), np.empty_like(export_milliwh))
    for one, column in zip(netted, out, strict=True):
        column[..., order] = one
    return out


def _in_proportion(flow: Int64, whole: Int64, left: Int64, starts: Int64) -> Int64:
    """What is left of each group's flow, shared among its pieces by differences of rounded running shares."""
    lengths = np.diff(starts, append=flow.shape[-1])
    running = np.cumsum(flow, axis=-1)
    before = np.repeat(
        np.concatenate((np.zeros((*flow.shape[:-1], 1), np.int64), running[..., starts[1:] - 1]), -1), lengths, -1
    )
    within = running - before
    whole_each, left_each = (np.repeat(one, lengths, -1) for one in (np.maximum(whole, 1), left))
    most = int(within.max(initial=0)) * int(left.max(initial=0))
    if most > _MOST and flow.dtype != object:
        shares = (within.astype(object) * left_each // whole_each).astype(np.int64)
    else:
        shares = within * left_each // whole_each
    first = np.zeros(flow.shape[-1], np.bool_)
    first[starts] = True
    shares_before = np.concatenate((np.zeros((*flow.shape[:-1], 1), np.int64), shares[..., :-1]), -1)
    result: Int64 = shares - np.where(first, 0, shares_before)
    return result


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of neighbouring pieces of one key, and the order that brings the runs of a key together.

    starts: (r,) int64, the first piece of each run. order: (r,) int64. key_starts: (k,) int64, where each key's runs
    begin in that order. keys: (k,) int64, increasing, those that there are.
    """

    starts: Int64
    order: Int64
    key_starts: Int64
    keys: Int64
    size: int


def runs_of(key: Int64) -> Runs:
    """The runs of equal keys, (m,) int64, none negative."""
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    of_runs = key[starts]
    order = np.argsort(of_runs, kind="stable")
    ordered = of_runs[order]
    key_starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return Runs(starts, order, key_starts, ordered[key_starts], len(key))


def sums(weight: NDArray[Any], runs: Runs) -> NDArray[Any]:
    """Sums by key, (h, k), of weights (h, m), int64 or Python's integers."""
    if not runs.size:
        return np.zeros((*weight.shape[:-1], 0), np.int64)
    by_run = np.add.reduceat(weight, runs.starts, axis=-1)
    return np.add.reduceat(by_run[..., runs.order], runs.key_starts, axis=-1)


def energy_sums(energy_milliwh: Int64, runs: Runs) -> NDArray[Any]:
    """Energy by key, (h, k), exact."""
    if _bound(energy_milliwh) * max(runs.size, 1) > _MOST:
        return sums(energy_milliwh.astype(object), runs)
    return sums(energy_milliwh, runs)


def money_sums(energy_milliwh: Int64, price: Decimals, runs: Runs) -> NDArray[Any]:
    """Energy times price by key, (h, k), exact, in 10**-price.places of milliwatt-hours times the price's unit.

    energy_milliwh: (h, m) int64. price: (m,) or (1,).
    """
    if len(price.units) == 1:
        totals = energy_sums(energy_milliwh, runs)
        one = int(price.units[0])
        wide = _bound(totals) * abs(one) > _MOST
        return (totals.astype(object) if wide else totals) * one
    bound, most_price = _bound(energy_milliwh), _bound(price.units)
    if price.units.dtype == object:
        return sums(energy_milliwh.astype(object) * price.units, runs)
    if bound * most_price * max(runs.size, 1) <= _MOST:
        return sums(energy_milliwh * price.units, runs)
    # Each product or sum may be too large for int64: energies are cut into limbs whose sums are not.
    bits = max(_MOST // max(most_price * runs.size, 1), 1).bit_length() - 1
    if bits < _SMALLEST_LIMB:
        return sums(energy_milliwh.astype(object) * price.units, runs)
    total: NDArray[Any] = np.zeros((*energy_milliwh.shape[:-1], len(runs.keys)), object)
    rest, shift = energy_milliwh, 0
    while _bound(rest) >= 1 << bits:
        total = total + (sums((rest & ((1 << bits) - 1)) * price.units, runs).astype(object) << shift)
        rest, shift = rest >> bits, shift + bits
    total += sums(rest * price.units, runs).astype(object) << shift
    return total


#: Energies cut into limbs of fewer bits would take longer than Python's integers.
_SMALLEST_LIMB = 8


def _bound(values: NDArray[Any]) -> int:
    """The greatest absolute value."""
    return max(int(values.max()), -int(values.min())) if values.size else 0
