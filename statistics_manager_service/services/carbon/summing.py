"""Emissions of several homes added up: what the sum is made of, and which can't be added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from statistics_manager_service.core.readings import Float64
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.measuring import Column

CARBON: Final = "carbon"
_METHOD: Final = ("basis", "boundary", "scope")
_SHARE_DECIMALS: Final = 6


def several_methods(columns: Sequence[Column]) -> str | None:
    """The methods of the intensities that some columns of emissions are of, in words; None where there is one at most:
    then they can be added up and compared."""
    methods = sorted({tuple(str(one.more[CARBON][name]) for name in _METHOD) for one in columns if CARBON in one.more})
    return "; ".join(", ".join(one) for one in methods) if len(methods) > 1 else None


def refuse_several_methods(columns: Sequence[Column]) -> None:
    """Raises BadInput, naming the methods, where the emissions of some homes are of intensities of several: what is of
    the life cycle and what is of the stack is no sum, nor what is of average and of marginal plants. columns: of one
    measure."""
    told = several_methods(columns)
    if told is not None:
        why = (
            f"their emissions are of intensities of different methods ({told}), which are not added up: ask for each "
            "alone, or for one method by carbon_source or carbon_boundary"
        )
        raise BadInput.of([Fault("households", why)])


def summed_account(columns: Sequence[Column]) -> tuple[Mapping[str, Float64], Mapping[str, Any], Float64 | None]:
    """Shares, further members and what the shares are of, of the sum of some homes' columns of one measure: each home
    counts by its energy. Empty where none of them is told by steps."""
    some = [one for one in columns if CARBON in one.more and one.shared is not None]
    if not some:
        return {}, {}, None
    energies = [np.rint(one.shared * MILLIWH_PER_KWH) for one in some if one.shared is not None]  # whole again
    whole = np.sum(energies, axis=0)
    names = dict.fromkeys(name for one in some for name in one.shares)
    shares = {}
    for name in names:
        told = sum(
            np.rint(np.nan_to_num(one.shares[name]) * energy)
            for one, energy in zip(some, energies, strict=True)
            if name in one.shares
        )
        shares[name] = np.where(whole > 0, told / np.where(whole > 0, whole, 1), np.nan)
    accounts = [(one.more[CARBON], float(energy.sum())) for one, energy in zip(some, energies, strict=True)]
    return shares, {CARBON: _merged(accounts)}, whole / MILLIWH_PER_KWH


def _merged(accounts: Sequence[tuple[Mapping[str, Any], float]]) -> dict[str, Any]:
    """Accounts with the energies that they are of, as one."""
    first, whole = accounts[0][0], sum(energy for _, energy in accounts)
    told: dict[bytes, tuple[dict[str, Any], float]] = {}
    for account, energy in accounts:
        for step in account["steps"]:
            key = orjson.dumps({name: one for name, one in step.items() if name != "share"})
            known = told.get(key, (step, 0.0))[1]
            told[key] = (step, known + (step["share"] or 0.0) * energy)
    steps = [
        {**step, "share": round(energy / whole, _SHARE_DECIMALS) if whole > 0 else None}
        for step, energy in told.values()
    ]
    found = {**first, "steps": steps, "mixed": any(one["mixed"] for one, _ in accounts)}
    for name in ("zone", "source"):
        if len({one[name] for one, _ in accounts}) > 1:
            found[name] = None  # the steps tell
    for name in ("methods", "own_production"):
        several = {orjson.dumps(each): each for one, _ in accounts for each in one.get(name, ())}
        if several:
            found[name] = list(several.values())
    return found
