"""evcc's tariffs of type `fixed` as tariff documents.

evcc has a price per kWh and zones of days, hours and months with prices of their own; charges per kWh, which may have
zones, too; and a tax on the sum: (price + charges) × (1 + tax). Of zones that hold at a time the later one in the list
wins. A zone's hours may run over midnight (22-6); both parts are of the days that it names. evcc reads them by the
clock of the place. Source: https://docs.evcc.io/en/docs/tariffs, tariff/fixed.go and tariff/embed.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from statistics_manager_service.core.price_units import fault_of_price
from statistics_manager_service.errors import BadInput, Fault

#: The parts of evcc's `tariffs` that are read, and the flow that each prices.
FLOWS: Final = {"grid": "import", "feedin": "export"}
_MEMBERS: Final = ("type", "price", "zones", "charges", "chargesZones", "tax")
_ZONE_MEMBERS: Final = ("days", "hours", "months")
_CHARGE_NAMES: Final = ("charges", "charge", "price")
_DAYS: Final = (
    ("mon", "mo", "monday"), ("tue", "tu", "di", "tuesday"), ("wed", "we", "mi", "wednesday"),
    ("thu", "th", "do", "thursday"), ("fri", "fr", "friday"), ("sat", "sa", "saturday"), ("sun", "su", "so", "sunday"),
)  # fmt: skip
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_HOURS: Final = re.compile(r"(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_DAY_MINUTES: Final = 24 * 60
_QUARTER_MINUTES: Final = 15
_MOST_ZONES: Final = 100
_BASE: Final = "base"
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class EvccNames:
    """What evcc does not tell of a tariff. valid_from: a date such as 2026-01-01."""

    tariff_id: str
    time_zone: str
    valid_from: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class _Zone:
    """When a price holds. windows: minutes since midnight, none for the whole day; days, months: None for all."""

    price: Decimal
    days: list[str] | None
    months: list[int] | None
    windows: list[tuple[int, int]] | None

    @property
    def is_always(self) -> bool:
        return self.days is None and self.months is None and self.windows is None


def tariff_from_evcc(config: Any, names: EvccNames, part: str = "grid") -> dict[str, Any]:
    """A part of an evcc configuration as a tariff document, not yet validated.

    config: plain values of evcc's YAML: the whole file, its `tariffs`, or the part alone. part: grid or feedin.
    Raises BadInput with all faults.
    """
    if part not in FLOWS:
        raise BadInput.of([Fault("part", f"{_shown(part)} is none of {', '.join(FLOWS)}")])
    where, told, currency = _part(config, part)
    reader = _Reader()
    reader.check_members(told, _MEMBERS, where)
    if told.get("type", "fixed") != "fixed":
        reader.fault(f"{where}.type", f"{_shown(told['type'])} is not read; fixed is: others ask for their prices")
    lines = [("energy", "Energy", reader.zones(told, where, "price", "zones", ("price",), needs_base=True))]
    if "charges" in told or "chargesZones" in told:
        charges = reader.zones(told, where, "charges", "chargesZones", _CHARGE_NAMES, needs_base=False)
        lines.append(("charges", "Charges", charges))
    tax = reader.number(told["tax"], f"{where}.tax") if "tax" in told else None
    if reader.faults:
        raise BadInput.of(reader.faults)
    return _document(lines, tax, names, currency, part)


def _part(config: Any, part: str) -> tuple[str, Mapping[str, Any], str | None]:
    """The wanted part, where it is, and the currency beside it. Raises BadInput."""
    where, told = part, config
    if isinstance(told, Mapping) and isinstance(told.get("tariffs"), Mapping):
        where, told = f"tariffs.{part}", told["tariffs"]
    currency = told.get("currency") if isinstance(told, Mapping) else None
    if isinstance(told, Mapping) and not {"price", "zones", "charges", "chargesZones"} & set(told):
        told = told.get(part)
    if not isinstance(told, Mapping):
        raise BadInput.of([Fault(where, "it is missing; wanted is evcc's YAML with a tariff of type fixed there")])
    return where, told, currency if isinstance(currency, str) else None


class _Reader:
    """Reads members, and gathers what is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, where: str, why: str) -> None:
        self.faults.append(Fault(where, why))

    def check_members(self, told: Mapping[str, Any], known: Sequence[str], where: str) -> None:
        for name in told:
            if name not in known:
                self.fault(f"{where}.{str(name)[:_SHOWN]}", f"it is not read here; read are {', '.join(known)}")

    def number(self, told: Any, where: str) -> Decimal:
        """A number, exact as it was written; 0 where it is none."""
        text = str(told)
        is_number = isinstance(told, int | float | Decimal | str) and not isinstance(told, bool)
        if not is_number or _NUMBER.fullmatch(text) is None or fault_of_price(Decimal(text)) is not None:
            self.fault(where, f"{_shown(told)} is no price or share such as 0.25")
            return Decimal(0)
        return Decimal(text)

    def zones(
        self, told: Mapping[str, Any], where: str, base: str, zones: str, prices: Sequence[str], *, needs_base: bool
    ) -> list[_Zone]:
        """The price that holds always, then the zones in their order; what stands before one that always holds is left
        out, as it never counts."""
        if needs_base and base not in told:
            self.fault(f"{where}.{base}", "it is missing: the price per kWh where no zone holds")
        found = [_Zone(self.number(told.get(base, 0), f"{where}.{base}"), None, None, None)]
        listed = told.get(zones, [])
        if not isinstance(listed, list) or len(listed) > _MOST_ZONES:
            self.fault(f"{where}.{zones}", f"it must be a list of up to {_MOST_ZONES} zones")
            return found
        for i, one in enumerate(listed):
            at = f"{where}.{zones}[{i}]"
            if not isinstance(one, Mapping):
                self.fault(at, "a zone has a price, and days, hours or months")
                continue
            self.check_members(one, (*prices, *_ZONE_MEMBERS), at)
            name = next((name for name in prices if name in one), None)
            if name is None:
                self.fault(f"{at}.{prices[0]}", "it is missing: the price per kWh while the zone holds")
                continue
            zone = _Zone(self.number(one[name], f"{at}.{name}"), *self._when(one, at))
            found = [zone] if zone.is_always else [*found, zone]
        return found

    def _when(
        self, zone: Mapping[str, Any], where: str
    ) -> tuple[list[str] | None, list[int] | None, list[tuple[int, int]] | None]:
        days = self._named(zone.get("days"), f"{where}.days", 7, _day, "days such as Mon-Fri,Sun")
        months = self._named(zone.get("months"), f"{where}.months", 12, _month, "months such as Nov-Mar or 1-3,12")
        windows = self._windows(zone.get("hours"), f"{where}.hours")
        return (
            None if days is None else [_DAYS[one][0] for one in days],
            None if months is None else [one + 1 for one in months],
            windows,
        )

    def _named(
        self, told: Any, where: str, count: int, place: Callable[[str], int | None], form: str
    ) -> list[int] | None:
        """Names and ranges of names as places, in order; a range may run over the end. None: all."""
        parts = _parts(told)
        if not parts:
            return None
        found: set[int] = set()
        for part in parts:
            first, dash, last = (one.strip() for one in part.partition("-"))
            begin, end = place(first), place(last if dash else first)
            if begin is None or end is None:
                self.fault(where, f"{_shown(part)} is not read; {form} are")
                continue
            found |= {one % count for one in range(begin, end + 1 if begin <= end else end + count + 1)}
        return sorted(found)

    def _windows(self, told: Any, where: str) -> list[tuple[int, int]] | None:
        """Hours as windows of a day, in minutes; those over midnight as two. None: the whole day."""
        parts = _parts(told)
        if not parts:
            return None
        found = []
        for part in parts:
            match = _HOURS.fullmatch(part)
            begin, end = _minutes(match, 1, 2), _minutes(match, 3, 4)
            if begin is None or end is None or begin == _DAY_MINUTES:
                self.fault(where, f"{_shown(part)} is no time of a day such as 0-5:30 or 22:00-06:00")
            elif begin % _QUARTER_MINUTES or end % _QUARTER_MINUTES:
                self.fault(where, f"{_shown(part)} is not at whole quarters of an hour, by which energy is known")
            elif begin == end:
                self.fault(where, f"{_shown(part)} has no length; a whole day is 0-24")
            elif end == 0:
                found.append((begin, _DAY_MINUTES))
            else:
                found += [(begin, end)] if begin < end else [(begin, _DAY_MINUTES), (0, end)]
        return found


def _parts(told: Any) -> list[str]:
    return [part.strip() for part in str(told).split(",") if part.strip()] if told is not None else []


def _day(name: str) -> int | None:
    return next((i for i, names in enumerate(_DAYS) if name.lower() in names), None)


def _month(name: str) -> int | None:
    if name.isdecimal() and name.isascii():
        return int(name) - 1 if len(name) <= 2 and 1 <= int(name) <= len(_MONTHS) else None
    return next((i for i, month in enumerate(_MONTHS) if len(name) >= 3 and month.startswith(name.lower())), None)


def _minutes(match: re.Match[str] | None, hour: int, minute: int) -> int | None:
    """Minutes since midnight, up to 24:00; None where they are no time of a day."""
    if match is None:
        return None
    minutes = int(match[minute] or 0)
    total = 60 * int(match[hour]) + minutes
    return total if minutes < 60 and total <= _DAY_MINUTES else None


# --- the document -----------------------------------------------------------------------------------------------------


def _document(
    lines: Sequence[tuple[str, str, list[_Zone]]],
    tax: Decimal | None,
    names: EvccNames,
    currency: str | None,
    part: str,
) -> dict[str, Any]:
    schedules: dict[str, Any] = {}
    components = []
    for id_, title, zones in lines:
        price: Any = _text(zones[0].price)
        if len(zones) > 1:
            schedules[id_] = {"overlaps": "first_wins", "entries": _entries(zones)}
            values = {_BASE: price} | {f"zone{i}": _text(one.price) for i, one in enumerate(zones) if i}
            price = {"schedule": id_, "values": values}
        component = {"id": id_, "title": title, "kind": "energy", "flow": FLOWS[part], "price": price}
        components.append(component | ({} if tax is None else {"tax": "tax"}))
    document: dict[str, Any] = {
        "id": names.tariff_id,
        "title": f"evcc, {part}",
        "currency": names.currency or currency or "EUR",
        "time_zone": names.time_zone,
        "valid": {"from": names.valid_from},
        "components": components,
    }
    if schedules:
        document["calendars"] = {"schedules": schedules}
    if tax is not None:
        document["taxes"] = {"tax": {"rate": _text(tax)}}
    return document


def _entries(zones: Sequence[_Zone]) -> list[dict[str, Any]]:
    """Windows of a schedule: the last zone first, as there the first one wins, and what always holds at the end."""
    found: list[dict[str, Any]] = []
    for i, zone in reversed([*enumerate(zones)][1:]):
        windows: Sequence[tuple[int, int] | None] = zone.windows or [None]
        for window in windows:
            entry: dict[str, Any] = {"period": f"zone{i}"}
            if zone.days is not None:
                entry["days"] = [*zone.days]
            if zone.months is not None:
                entry["months"] = [*zone.months]
            if window is not None:
                entry |= {"from": _clock(window[0]), "to": _clock(window[1])}
            found.append(entry)
    return [*found, {"period": _BASE}]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _text(number: Decimal) -> str:
    return f"{number:f}"


def _shown(told: Any) -> str:
    text = str(told)
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
