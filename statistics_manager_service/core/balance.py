"""The balance of a home's flows, and the measures that can be asked for, as data.

consumption = import + production + discharge − export − charge; what a home has no channel of is taken not to exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from statistics_manager_service.core.readings import Float64, Int64

#: The flows that make up consumption, and their signs.
BALANCE: Final[dict[str, int]] = {"import": 1, "production": 1, "discharge": 1, "export": -1, "charge": -1}

#: Meters that measure a whole house, for homes that tell consumption and no flows.
WHOLE_HOUSE: Final = ("home", "house")


@dataclass(frozen=True, slots=True)
class Derived:
    """A measure that is worked out from flows: the flows it needs, and its formula's two sums.

    numerator, denominator: {flow: sign}; a measure without a denominator is an energy, else a rate in 0..1.
    needs: flows without which nothing can be said. source: where the definition comes from.
    """

    name: str
    numerator: dict[str, int]
    denominator: dict[str, int] | None
    needs: tuple[str, ...]
    source: str

    @property
    def flows(self) -> tuple[str, ...]:
        """All flows of the formula."""
        return tuple(dict.fromkeys((*self.numerator, *(self.denominator or {}))))


DERIVED: Final[dict[str, Derived]] = {
    one.name: one
    for one in (
        Derived("energy_consumption", BALANCE, None, ("import",), "energy balance of the home"),
        Derived(
            "energy_self_consumption",
            {"production": 1, "export": -1},
            None,
            ("production",),
            "Luthander et al. 2015, Applied Energy 142:80",
        ),
        Derived(
            "self_consumption_rate",
            {"production": 1, "export": -1},
            {"production": 1},
            ("production",),
            "Luthander et al. 2015, Applied Energy 142:80",
        ),
        Derived(
            "self_sufficiency_rate",
            {flow: sign for flow, sign in BALANCE.items() if flow != "import"},
            BALANCE,
            ("import",),
            "1 − import / consumption; índice de autossuficiência (IAS)",
        ),
        Derived("export_share", {"export": 1}, {"production": 1}, ("production",), "índice de excedente (IER)"),
    )
}


def combine(formula: dict[str, int], energies_milliwh: dict[str, Int64]) -> Int64:
    """The sum of flows with their signs, each (n,) int64."""
    size = len(next(iter(energies_milliwh.values())))
    out = np.zeros(size, np.int64)
    for flow, sign in formula.items():
        if flow in energies_milliwh:
            out += sign * energies_milliwh[flow]
    return out


def rate(numerator_milliwh: Int64, denominator_milliwh: Int64, known: NDArray[np.bool_]) -> Float64:
    """A ratio of sums in 0..1; NaN where it is not known or the denominator is 0."""
    defined = known & (denominator_milliwh > 0)
    ratio = numerator_milliwh / np.where(defined, denominator_milliwh, 1)
    return np.where(defined, np.clip(ratio, 0.0, 1.0), np.nan)
