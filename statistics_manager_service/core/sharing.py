"""Shared production, allocated to the members of a community in each quarter-hour, exact to the milliwatt-hour.

Rules of this kind: fixed coefficients and shares in proportion to consumption, as in ERSE's Regulamento do Autoconsumo
(Portugal) and, by coefficients, in Real Decreto 244/2019 (Spain). What a regulator's text says of a given community is
for its contract; here is the arithmetic.
"""

from __future__ import annotations

import numpy as np

from statistics_manager_service.core.readings import Int64

#: A coefficient is a whole number of these parts of one.
SHARE_PARTS = 1_000_000_000


def by_coefficients(produced_milliwh: Int64, parts: Int64) -> Int64:
    """What each member is allocated by fixed coefficients, (m, q) int64, milliwatt-hours.

    produced_milliwh: (q,) int64, none negative. parts: (m, q) int64, each member's coefficient in parts of SHARE_PARTS,
    whose sum in each quarter-hour is SHARE_PARTS at most. Allocated is the coefficients' share of what was produced,
    rounded down to whole milliwatt-hours; what they leave stays where it was made.

    Raises ValueError where coefficients add up to more than one.
    """
    if (parts.sum(axis=0) > SHARE_PARTS).any() or (parts < 0).any():
        raise ValueError("coefficients of a quarter-hour are negative, or add up to more than one")
    # the rest takes part like a member, behind all others, so that nothing is lost between the roundings
    rest = SHARE_PARTS - parts.sum(axis=0, keepdims=True)
    return _apportioned(produced_milliwh, np.concatenate((parts, rest)))[:-1]


def by_import(produced_milliwh: Int64, import_milliwh: Int64) -> Int64:
    """What each member is allocated in proportion to its import in the quarter-hour, (m, q) int64, milliwatt-hours.

    produced_milliwh: (q,), none negative. import_milliwh: (m, q); a member whose import is not known has 0. All that
    was produced is allocated, also where it is more than all import; nothing where nobody imports.
    """
    return _apportioned(produced_milliwh, np.maximum(import_milliwh, 0))


def _apportioned(total: Int64, weight: Int64) -> Int64:
    """Whole parts of totals (q,) in proportion to weights (m, q), which add up to the totals: the largest remainder.

    Each part is rounded down; what is left goes, one each, to those whose remainders are the largest; of equal ones, to
    the member that comes first. Where all weights are 0, all parts are.
    """
    whole = weight.sum(axis=0)
    divisor = np.maximum(whole, 1)
    parts, remainder = _rounded_down(total, weight, divisor)
    lacking = np.where(whole > 0, total - parts.sum(axis=0), 0)
    order = np.argsort(-remainder, axis=0, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(weight))[:, None], axis=0)
    return parts + (rank < lacking)


def _rounded_down(total: Int64, weight: Int64, divisor: Int64) -> tuple[Int64, Int64]:
    """total × weight / divisor rounded down, and the remainders, (m, q) int64."""
    if int(divisor.max(initial=1)) >= _LARGE:  # no energy of homes, but readings may be anything
        exact = total.astype(object) * weight.astype(object)
        return (exact // divisor).astype(np.int64), (exact % divisor).astype(np.int64)
    # total × weight would not fit into 64 bits: the product is taken of what the divisor leaves of the total
    times, over = np.divmod(total, divisor)
    high, low = np.divmod(weight, _HALF)
    upper, left = np.divmod(over * high, divisor)
    lower, remainder = np.divmod(left * _HALF + over * low, divisor)
    return times * weight + upper * _HALF + lower, remainder


#: Weights are cut in two here, so that no product leaves 64 bits as long as they add up to less than _LARGE.
_HALF = 1 << 20
_LARGE = 1 << 41


def rest_by_source(rest_milliwh: Int64, made_milliwh: Int64) -> Int64:
    """What was allocated to nobody, (q,), by the sources that made it, (s, q): in proportion to what each made."""
    return _apportioned(rest_milliwh, made_milliwh)
