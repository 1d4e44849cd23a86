"""Where each milliwatt-hour of a home came from and where it went, in each quarter-hour, by a rule whose parts add up.

The meters tell five flows of a quarter-hour: import I, production P, discharge B_out, export X, charge B_in; the home
used L = I + P + B_out − X − B_in. Which source fed which sink no meter tells. The rule:

1. Where L < 0 the meters disagree: more left the home than came to it. U = −L is a source of its own, `unmetered`, and
   the home used nothing.
2. Export is of the production first (so that production − export is what the home kept of it: self-consumption), then
   of the battery, then of what is unmetered, and only then of the grid.
3. What is left of all sources feeds the home and the battery in proportion: each source gives the same share of its
   rest to the battery. A device gets the home's sources in the home's proportions. So the carbon of a kilowatt-hour is
   that of the mix in the house, whoever used it.

All is whole milliwatt-hours: a running sum over the sources, in their order, is scaled and rounded down, and a part is
the difference of two such sums. So no part is negative or more than its source, and rows and columns add up exactly.

Source: rule 2 is Luthander et al. 2015, Applied Energy 142:80, of each quarter-hour; rule 3 is the proportional sharing
of flow tracing (Bialek 1996, IEE Proc. 143:313), with the house as the one node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from statistics_manager_service.core.readings import Int64

#: In the order in which running sums go through them.
SOURCES: Final = ("grid", "production", "battery", "unmetered")
SINKS: Final = ("home", "battery", "grid")
#: Who gives to the export first.
_EXPORT_ORDER: Final = ("production", "battery", "unmetered", "grid")
_FITS: Final = 2**63


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """The parts of m quarter-hours, each (m,) int64 milliwatt-hours, none negative.

    parts: {(source, sink): energy}, of every source to every sink. Over sinks they add up to what the source gave, over
    sources to what the sink got: home to max(L, 0), battery to the charge, grid to the export.
    """

    parts: Mapping[tuple[str, str], Int64]

    def to(self, sink: str) -> dict[str, Int64]:
        """{source: (m,)} of a sink."""
        return {source: self.parts[source, sink] for source in SOURCES}

    def of(self, source: str) -> dict[str, Int64]:
        """{sink: (m,)} of a source."""
        return {sink: self.parts[source, sink] for sink in SINKS}

    @property
    def home_milliwh(self) -> Int64:
        """What the home used, (m,)."""
        return _sum(list(self.to("home").values()))

    @property
    def unmetered_milliwh(self) -> Int64:
        """What left the home without having come to it by any meter, (m,)."""
        return _sum(list(self.of("unmetered").values()))


def attribute(energy_milliwh: Mapping[str, Int64]) -> Attribution:
    """The parts of m quarter-hours.

    energy_milliwh: {flow: (m,) int64} of import, production, discharge, export and charge, those that there are; what
    is not known must be left out by the caller (0 in all flows gives 0 in all parts). A flow that a meter tells as
    negative flows the other way: import as export, charge as discharge, and either way back; production below zero,
    an inverter's own use at night, is use of the home.
    """
    into, export, charge = _one_way(energy_milliwh)
    balance = _sum(list(into.values())) - export - charge
    into["unmetered"] = np.maximum(-balance, 0)
    sold = _drawn(into, export)
    left = [into[source] - sold[source] for source in SOURCES]
    stored = shared_out(charge, left)
    parts = {(source, "grid"): sold[source] for source in SOURCES}
    for source, rest, part in zip(SOURCES, left, stored, strict=True):
        parts[source, "battery"] = part
        parts[source, "home"] = rest - part
    return Attribution(parts)


def of_device(attribution: Attribution, device_milliwh: Int64) -> dict[str, Int64]:
    """{source: (m,) int64} of a device that used device_milliwh (m,): the home's sources in the home's proportions.

    They add up to the device's energy. Where by the balance the home used nothing, no meter explains the device's
    energy, and it is unmetered.
    """
    home = list(attribution.to("home").values())
    return dict(zip(SOURCES, shared_out(device_milliwh, home), strict=True))


def shared_out(amount: Int64, parts: Sequence[Int64]) -> list[Int64]:
    """An amount (m,) int64 in proportion to some parts, each (m,) int64 and ≥ 0, in whole units that add up to it.

    Differences of running sums, scaled and rounded down: no share is negative where the amount is not, nor more than
    its part where the amount is at most their sum. Where all parts are 0 the last one gets it all.
    """
    whole = _sum(parts)
    shares, running, given = [], np.zeros_like(whole), np.zeros_like(whole)
    for part in parts[:-1]:
        if not part.any():
            shares.append(np.zeros_like(whole))
            continue
        running = running + part
        reached = times_ratio(amount, running, whole)
        shares.append(reached - given)
        given = reached
    shares.append(amount - given)
    return shares


def times_ratio(amount: Int64, numerator: Int64, denominator: Int64) -> Int64:
    """amount · numerator / denominator, rounded down, (m,) int64, also where the product needs more than 64 bits.

    0 ≤ numerator ≤ denominator, each (m,) int64; 0 where the denominator is 0.
    """
    if not len(amount):
        return np.zeros(0, np.int64)
    some = np.flatnonzero(amount)
    if len(some) < len(amount) // 2:  # a car, a battery: a division takes several times as long as a look
        out = np.zeros(len(amount), np.int64)
        if len(some):
            out[some] = times_ratio(amount[some], numerator[some], denominator[some])
        return out
    safe = np.maximum(denominator, 1)
    size, most = max(int(amount.max()), -int(amount.min())), int(safe.max())
    if size * most < _FITS:
        return amount * numerator // safe
    if most * most < _FITS:  # whole times the ratio, and the rest, which is smaller than the denominator
        times, rest = np.divmod(amount, safe)
        return times * numerator + rest * numerator // safe
    out = np.zeros(len(amount), np.int64)
    wide = np.abs(amount.astype(np.float64)) * safe >= _FITS / 2
    out[~wide] = amount[~wide] * numerator[~wide] // safe[~wide]
    out[wide] = amount[wide].astype(object) * numerator[wide] // safe[wide]
    return out


def _one_way(energy_milliwh: Mapping[str, Int64]) -> tuple[dict[str, Int64], Int64, Int64]:
    """What came from grid, production and battery, and what was exported and charged, none negative."""
    nothing = np.zeros(len(next(iter(energy_milliwh.values()))), np.int64)
    told = {one: energy_milliwh.get(one, nothing) for one in ("import", "production", "discharge", "export", "charge")}
    if any((one < 0).any() for one in told.values()):
        forth = {one: np.maximum(energy, 0) for one, energy in told.items()}
        back = {one: np.maximum(-energy, 0) for one, energy in told.items()}
        told = {
            "import": forth["import"] + back["export"],
            "production": forth["production"],
            "discharge": forth["discharge"] + back["charge"],
            "export": forth["export"] + back["import"],
            "charge": forth["charge"] + back["discharge"],
        }
    into = {"grid": told["import"], "production": told["production"], "battery": told["discharge"]}
    return into, told["export"], told["charge"]


def _drawn(into: Mapping[str, Int64], export: Int64) -> dict[str, Int64]:
    """The export by source, from each in turn as much as it has."""
    drawn, rest = {}, export
    for source in _EXPORT_ORDER:
        drawn[source] = np.minimum(into[source], rest)
        rest = rest - drawn[source]
    return drawn


def _sum(columns: Sequence[Int64]) -> Int64:
    out = columns[0].copy()
    for column in columns[1:]:
        out += column
    return out
