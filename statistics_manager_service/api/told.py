"""By what values are told, as columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from statistics_manager_service.services.carbon.summing import CARBON
from statistics_manager_service.services.measuring import Column


def told_columns(columns: Sequence[Column]) -> dict[str, Any]:
    """Of a measure's columns of several homes: the share of each step, 0 where a home has none by it; and in words the
    intensities that count: zone, source, basis, boundary, scope (- where there is no one such), and `mixed` where those
    of another method are in it."""
    measure = columns[0].measure
    out: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in columns for name in one.shares):
        out[f"{measure}_share_{name}"] = np.concatenate(
            [one.shares.get(name, np.zeros(len(one.value))) for one in columns]
        )
    if any(CARBON in one.more for one in columns):
        out[f"{measure}_carbon"] = [text for one in columns for text in [_words(one)] * len(one.value)]
    return out


def _words(column: Column) -> str | None:
    account = column.more.get(CARBON)
    if account is None:
        return None
    names = ("zone", "source", "basis", "boundary", "scope")
    told = [account[name] or "-" for name in names]
    return " ".join([*told, "mixed"] if account["mixed"] else told)
