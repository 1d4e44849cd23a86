"""The register of tariffs: those that come with the product, and those that are put, each revision kept."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import orjson

from statistics_manager_service.errors import BadInput, Conflict, NotFound
from statistics_manager_service.services.ports import Store
from statistics_manager_service.services.prices.price_rows import PriceRows, TariffRow
from statistics_manager_service.services.remembering import Remembered
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.reading import read_tariff
from statistics_manager_service.tariffs.shipped import shipped_document, shipped_ids
from statistics_manager_service.tariffs.terms import TariffInForce

STORED, SHIPPED = "stored", "shipped"
_SHOWN: Final = 80
_MOST_KEPT_BYTES: Final = 64 * 2**20
#: What a tariff takes, with its schedules at work, for each byte of its document.
_BYTES_A_BYTE: Final = 50


@dataclass(frozen=True, slots=True)
class KnownTariff:
    """A tariff as it is kept. told_us: when it was put; None of those that come with the product."""

    tariff_id: str
    source: str
    told_us: int | None
    document: Mapping[str, Any]


class Tariffs:
    """Tariffs by their ids. A stored one is found first; none may be put under the id of a shipped one."""

    def __init__(self, store: Store, now_us: Callable[[], int]) -> None:
        self._store, self._now_us = store, now_us
        self._newest: Remembered[TariffInForce] = Remembered(_MOST_KEPT_BYTES)
        self._revisions: Remembered[TariffInForce] = Remembered(_MOST_KEPT_BYTES)

    def put(self, tariff_id: str, document: Any) -> tuple[KnownTariff, bool]:
        """Keep a tariff; it, and whether it was made. The same document again makes no revision.

        Raises BadInput with all faults, Conflict where a tariff of this id comes with the product.
        """
        if tariff_id in shipped_ids():
            raise Conflict(f"tariff {tariff_id} comes with the product and stays as it is; put yours under another id")
        read_tariff(document, tariff_id)
        told = {**_inner(document), "id": tariff_id}
        with self._store.writing() as view:
            view.begin_price_changes()
            known = view.tariff(tariff_id)
            if known is not None and known.document == told:
                return _stored(known), False
            now_us = self._now_us()
            row = TariffRow(tariff_id, now_us if known is None else max(now_us, known.told_us + 1), told)
            view.put_tariff(row)
            return _stored(row), known is None

    def get(self, tariff_id: str, until_us: int | None = None) -> KnownTariff:
        """A tariff, or what was known of it at an instant. Raises NotFound."""
        with self._store.reading() as view:
            row = view.tariff(tariff_id, until_us)
        found = _shipped(tariff_id) if row is None else _stored(row)
        if found is None:
            raise _unknown(tariff_id)
        return found

    def page(self, after: str | None, limit: int) -> list[KnownTariff]:
        """Tariffs in the order of their ids, after one of them."""
        with self._store.reading() as view:
            stored = {row.tariff_id: _stored(row) for row in view.tariffs(after, limit)}
        shipped = (one for one in shipped_ids() if one > (after or "") and one not in stored)
        ids = list(heapq.merge(stored, shipped))[:limit]
        found = (stored.get(one) or _shipped(one) for one in ids)
        return [one for one in found if one is not None]

    def in_force(self, view: PriceRows, tariff_id: str, until_us: int | None = None) -> TariffInForce | None:
        """A tariff with its schedules at work, as it is known, or was known at an instant; None where there is none.

        The same revision is the same object for as long as it is remembered.
        """
        if until_us is not None:
            return self._in_force(view.tariff(tariff_id, until_us), tariff_id)
        state = (0, view.prices_state())
        found = self._newest.get(tariff_id, state)
        if found is None:
            found = self._in_force(view.tariff(tariff_id), tariff_id)
            if found is not None:  # it is held by the other memory, too
                self._newest.put(tariff_id, state, found, 0)
        return found

    def tariff_of(self, view: PriceRows, tariff_id: str, until_us: int | None = None) -> Tariff:
        """A tariff as it is known, or was known at an instant. Raises NotFound."""
        found = self.in_force(view, tariff_id, until_us)
        if found is None:
            raise _unknown(tariff_id)
        return found.tariff

    def _in_force(self, row: TariffRow | None, tariff_id: str) -> TariffInForce | None:
        told_us = 0 if row is None else row.told_us
        found = self._revisions.get((tariff_id, told_us), (0, 0))
        if found is None:
            document = shipped_document(tariff_id) if row is None else row.document
            if document is None:
                return None
            try:
                found = TariffInForce(read_tariff(document, tariff_id))
            except BadInput as error:  # of another version of the language
                raise Conflict(f"tariff {tariff_id} is stored, and this version can't read it: {error}") from error
            size_bytes = _BYTES_A_BYTE * len(orjson.dumps(document))
            self._revisions.put((tariff_id, told_us), (0, 0), found, size_bytes)
        return found


def no_tariff(tariff_id: str) -> str:
    """That there is no such tariff, and which shipped one may have been meant."""
    near = get_close_matches(tariff_id[:_SHOWN], shipped_ids(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no tariff {tariff_id[:_SHOWN]!r}{hint} (GET /tariffs lists all)"


def _inner(document: Any) -> Any:
    """A document without the member `tariff` around it."""
    return document["tariff"] if set(document) == {"tariff"} else document


def _stored(row: TariffRow) -> KnownTariff:
    return KnownTariff(row.tariff_id, STORED, row.told_us, row.document)


def _shipped(tariff_id: str) -> KnownTariff | None:
    document = shipped_document(tariff_id)
    return None if document is None else KnownTariff(tariff_id, SHIPPED, None, document)


def _unknown(tariff_id: str) -> NotFound:
    return NotFound(no_tariff(tariff_id))
