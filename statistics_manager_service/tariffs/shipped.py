"""The tariffs that come with the product: dated documents in data/tariffs/, read when they are asked for."""

from __future__ import annotations

import copy
from datetime import date
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from statistics_manager_service.errors import NotFound
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.reading import read_tariff

_SUFFIX: Final = ".yaml"
_MOST_NAMED: Final = 80


def shipped_ids() -> list[str]:
    """The ids of the tariffs that come with the product, sorted."""
    return list(_ids())


def shipped_document(tariff_id: str) -> dict[str, Any] | None:
    """A shipped tariff as a document of plain JSON values, dates as texts; None where there is no such tariff. Whoever
    asks may change it: the next one gets it anew."""
    return copy.deepcopy(_document(tariff_id)) if tariff_id in _ids() else None


@cache
def shipped_tariff(tariff_id: str) -> Tariff:
    """A shipped tariff, validated.

    Raises NotFound where there is no such tariff.
    """
    document = shipped_document(tariff_id)
    if document is None:
        raise NotFound(f"no tariff {tariff_id[:_MOST_NAMED]!r} comes with the product", code="unknown_tariff")
    return read_tariff(document, tariff_id)


def _folder() -> Traversable:
    return resources.files("statistics_manager_service") / "data" / "tariffs"


@cache
def _ids() -> tuple[str, ...]:
    names = (one.name for one in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)))


@cache
def _document(tariff_id: str) -> dict[str, Any]:
    told: dict[str, Any] = _plain(read_yaml((_folder() / f"{tariff_id}{_SUFFIX}").read_bytes()))
    return told


def read_yaml(text: bytes) -> Any:
    """YAML as Python values, by the loader in C where there is one.

    Raises yaml.YAMLError where it is none.
    """
    import yaml  # here, as it takes a while to load and few processes need it

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are the safe one)


def _plain(value: Any) -> Any:
    """A value of YAML with its dates as texts."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
