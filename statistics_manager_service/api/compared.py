"""Comparisons with an earlier time, in the answers of statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.labels import iso_labels
from statistics_manager_service.core.readings import Int64
from statistics_manager_service.services.asking import Statistics
from statistics_manager_service.services.insight.compared import UNITS, Comparison, Matched

#: Columns of a table: when the bucket begins and ends that stands beside one.
COMPARED_EDGES: Final = ("compared_start", "compared_end")


def compare_json(comparison: Comparison | None, zone: str) -> dict[str, Any]:
    """{"compare": the earlier time and its buckets}, or {} where nothing is compared."""
    if comparison is None:
        return {}
    earlier = comparison.earlier
    begins, ends = (_labels(comparison, edge) for edge in (0, 1))
    return {
        "compare": {
            "kind": earlier.kind,
            "start": civil_label(zone, earlier.start_us),
            "end": civil_label(zone, earlier.end_us),
            "matched_by": UNITS[earlier.unit],
            "buckets": [
                None if begin is None else {"start": begin, "end": end} for begin, end in zip(begins, ends, strict=True)
            ],
        }
    }


def with_compared(series: list[dict[str, Any]], comparison: Comparison | None) -> list[dict[str, Any]]:
    """The series of an answer, each beside what it was in the earlier time."""
    if comparison is None:
        return series
    return [one | {"compared": _compared(comparison, i)} for i, one in enumerate(series)]


def _compared(comparison: Comparison, i: int) -> dict[str, Any]:
    column = comparison.before[i]
    return {
        "values": column.value,
        "coverage": column.coverage,
        "estimated": column.estimated,
        "total": column.total,
        **({"lacks": [lack._asdict() for lack in column.lacks]} if column.lacks else {}),
        **({"shares": dict(column.shares)} if column.shares else {}),
        **column.more,
        "matched": _matched_json(comparison.matched(i)),
    }


def _matched_json(found: Matched) -> dict[str, Any]:
    told = {
        "total": _told(found.total),
        "total_before": _told(found.total_before),
        "change": _told(found.change),
        "change_share": _told(found.change_share),
        "buckets": found.count,
        "of": found.of,
    }
    return told if found.why is None else told | {"why": found.why}


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _labels(comparison: Comparison, edge: int) -> list[str | None]:
    """The label of each earlier bucket's start (0) or end (1), None where there is none."""
    before, place = comparison.earlier.before, comparison.earlier.place
    if before is None:
        return [None] * len(place)
    labels = iso_labels(before.edges_us, before.offset_s)
    return [None if one < 0 else labels[one + edge] for one in place.tolist()]


def compared_edges_us(answers: Sequence[Statistics], name: str) -> tuple[Int64, Any]:
    """The instants of a column of COMPARED_EDGES, (n,) int64, and where there are none, (n,) bool."""
    edge = COMPARED_EDGES.index(name)
    instants, absent = [], []
    for one in answers:
        if one.comparison is None:
            continue
        earlier = one.comparison.earlier
        edges_us = np.zeros(1, np.int64) if earlier.before is None else earlier.before.edges_us
        instants.append(edges_us[np.maximum(earlier.place, -edge) + edge])
        absent.append(earlier.place < 0)
    return np.concatenate(instants), np.concatenate(absent)


def compared_labels(answers: Sequence[Statistics], name: str) -> list[str | None]:
    """The same as civil labels."""
    edge = COMPARED_EDGES.index(name)
    return [label for one in answers if one.comparison is not None for label in _labels(one.comparison, edge)]


def compared_columns(answers: Sequence[Statistics]) -> dict[str, Any]:
    """The further columns of a table: of each measure the value of the bucket beside, and how it is covered; the
    columns of COMPARED_EDGES are named, and read by the functions above."""
    found = [one.comparison for one in answers if one.comparison is not None]
    if not found:
        return {}
    out: dict[str, Any] = dict.fromkeys(COMPARED_EDGES)
    for i, column in enumerate(found[0].before):
        name = f"{column.measure}_{column.unit}" if column.unit.isalpha() else column.measure
        some = [one.before[i] for one in found]
        out[f"{name}_compared"] = np.concatenate([one.value for one in some])
        out[f"{column.measure}_compared_coverage"] = np.concatenate([one.coverage for one in some])
        out[f"{column.measure}_compared_estimated"] = np.concatenate([one.estimated for one in some])
    return out
