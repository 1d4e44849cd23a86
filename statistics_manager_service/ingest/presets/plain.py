"""The plain CSV form: a header line, a row a reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from statistics_manager_service.core.quantities import QUANTITIES, Kind
from statistics_manager_service.core.readings import Decoded
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.errors import Fault
from statistics_manager_service.ingest.columns import check_channel, check_lengthless, check_stamp, duration_us
from statistics_manager_service.ingest.presets.clocks import Clock, Labels
from statistics_manager_service.ingest.presets.gathering import Column
from statistics_manager_service.ingest.presets.rows import read_series
from statistics_manager_service.ingest.presets.source import Preset, Source, wrong
from statistics_manager_service.ingest.presets.text import read_table

_WORDS: Final = ("household", "meter", "quantity", "kind", "unit", "interval", "stamp")
_NEEDED: Final = ("at", "value")


def _plain(path: Path, source: Source) -> Iterator[Decoded]:
    """CSV with a header: at and value, and as columns whatever the command line does not tell."""
    needed = f"a header with {' and '.join(_NEEDED)}, and {', '.join(_WORDS)} as needed"
    table = read_table(path, lambda cells: set(_NEEDED) <= {cell.casefold() for cell in cells}, needed, source.on_bytes)
    titles = [title.casefold() for title in table.titles]
    odd = [title for title in titles if title not in (*_WORDS, *_NEEDED) or titles.count(title) > 1]
    if odd:
        names = ", ".join(map(ascii, dict.fromkeys(odd)))[:200]
        raise wrong("header", f"{names} is no column of this form, or stands twice; it has {needed}")
    there = tuple(word for word in _WORDS if word in titles)
    told: dict[str, str | None] = {
        "household": source.household,
        "meter": source.meter,
        "quantity": source.quantity,
        "kind": source.kind,
        "unit": source.unit,
        "interval": None if source.interval_us is None else f"PT{source.interval_us // US_PER_S}S",
        "stamp": "end" if source.stamp_end else None,
    }

    def channel(key: tuple[str, ...]) -> Column | str | None:
        in_row: dict[str, str | None] = {str(word): cell for word, cell in zip(there, key, strict=True) if cell}
        if in_row.get("household", source.household) != source.household:
            return f"its household is {ascii(in_row['household'])[:70]}, and not {source.household}"
        return _channel(told, in_row)

    clock = Clock(
        source.zone,
        Labels(epochs=True),
        ends=source.stamp_end or "stamp" in there,
        example="2024-01-31T00:15:00Z or 2024-01-31 00:15",
    )
    places = tuple(table.needed_place(word) for word in there)
    at, value = (table.needed_place(name) for name in _NEEDED)
    return read_series(table, source, channel, places, at, value, clock)


def _channel(for_all: dict[str, str | None], in_row: dict[str, str | None]) -> Column | str:
    """The channel of a row's words beside those of the command line, or what is wrong with them."""
    told = for_all | in_row
    faults: list[Fault] = []
    kind = check_channel("row", told["meter"], told["quantity"], told["kind"], told["unit"], faults)
    stamp_end = check_stamp("row", told["stamp"], faults)
    if kind is None and told["interval"] is not None:
        kind = Kind.INTERVAL
    check_lengthless("row", kind, in_row.get("interval"), in_row.get("stamp"), faults)
    length_us = None
    if kind is Kind.INTERVAL:
        length_us = duration_us(told["interval"] or "")
        if length_us is None:
            faults.append(Fault("row.interval", "an interval needs its length, such as PT15M"))
    if faults:
        return "; ".join(f"{one.where.removeprefix('row.')}: {one.why}" for one in faults)
    quantity = QUANTITIES[str(told["quantity"])]
    kind = kind or quantity.kinds[0]
    if kind not in quantity.kinds:
        return f"kind: {quantity.name} is told by kind {' or '.join(quantity.kinds)}, not by {kind}"
    return Column("row", str(told["meter"]), quantity.name, kind, told["unit"], length_us, stamp_end)


PLAIN: Final = {
    "csv": Preset(
        _plain, "plain CSV: at, value; meter, quantity, kind, unit, interval, stamp", "epoch, with offset, or local"
    )
}
