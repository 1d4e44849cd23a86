"""Bills by the shipped tariffs, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from billing_of import Billed, bill_of

from statistics_manager_service.core.decimals import Decimals, constant
from statistics_manager_service.tariffs.energy import SeriesSource, no_series
from statistics_manager_service.tariffs.shipped import shipped_document


def always(**values: str) -> SeriesSource:
    """Series that have one value at all times."""

    def source(name: str, _first: int, count: int) -> tuple[Decimals, Any]:
        value = constant(Decimal(values[name]))
        return Decimals(np.repeat(value.units, count), value.places), np.ones(count, np.bool_)

    return source


def billed(
    tariff_id: str,
    start: str,
    end: str,
    imported: Mapping[str, str],
    exported: Mapping[str, str] | None = None,
    *,
    source: SeriesSource = no_series,
    meters: Mapping[str, Mapping[str, str]] | None = None,
    **parameters: Any,
) -> Billed:
    """A bill by a shipped tariff. parameters: texts are numbers."""
    told = shipped_document(tariff_id)
    assert told is not None
    numbers = {
        name: Decimal(one) if isinstance(one, str) and one[0].isdigit() else one for name, one in parameters.items()
    }
    return bill_of(told, start, end, imported, exported, parameters=numbers, source=source, meters=meters)


def gross(bill_made: Billed, *components: str) -> float:
    return float(sum(bill_made.taxed(one) for one in components))
