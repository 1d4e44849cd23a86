"""Carbon intensities that an operator uploads: a body of JSON columns to values, with all of its faults at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from statistics_manager_service.core.carbon import LENGTHS_US, grams_of, milligrams
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.units import EARLIEST_READING_US, QUARTER_US, US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.carbon.carbon import ZONE_PATTERN
from statistics_manager_service.services.carbon.carbon_rows import (
    BASES,
    BOUNDARIES,
    KINDS,
    MEASURED,
    SCOPES,
    SOURCE_PATTERN,
    Method,
)
from statistics_manager_service.services.carbon.intensities import Kept, ToldIntensity, keep
from statistics_manager_service.services.ports import Store

UPLOADED: Final = "uploaded"
MOST_VALUES: Final = 100_000
#: A forecast may reach so far ahead.
_LATEST_AHEAD_US: Final = 400 * US_PER_DAY
_MEMBERS: Final = (
    "zone", "source", "kind", "issued_at", "interval", "at", "value", "unit", "basis", "boundary", "scope",
)  # fmt: skip
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A body that was read."""

    zone: str
    source: str
    method: Method
    told: Sequence[ToldIntensity]


def upload(store: Store, body: Any, now_us: int) -> Kept:
    """Keep what an operator uploads; the same again changes nothing. Raises BadInput with all faults."""
    told = read_upload(body, now_us)
    with store.writing() as view:
        return keep(view, told.zone, told.source, told.method, told.told, now_us)


def read_upload(body: Any, now_us: int) -> Uploaded:
    """A body as values; a value of null is left out. Raises BadInput with all faults."""
    if not isinstance(body, dict):
        raise BadInput.of([Fault("body", "it must be a JSON object")])
    reader = _Reader(body, now_us)
    zone = reader.matching("zone", ZONE_PATTERN, "a zone such as PT or DK-DK1")
    source = reader.matching("source", SOURCE_PATTERN, "a name of a-z, 0-9 and _", UPLOADED)
    kind = reader.one_of("kind", KINDS)
    method = Method(
        reader.one_of("basis", BASES, Method().basis),
        reader.one_of("boundary", BOUNDARIES, Method().boundary),
        reader.one_of("scope", SCOPES, Method().scope),
    )
    length_us = LENGTHS_US.get(reader.one_of("interval", tuple(LENGTHS_US)), QUARTER_US)
    issued_us = None
    if body.get("issued_at") is not None:
        issued_us = reader.instant(body["issued_at"], "issued_at", latest_us=now_us + US_PER_DAY)
    values = reader.values(reader.grams(), length_us, 0 if kind == MEASURED else _LATEST_AHEAD_US)
    reader.refuse()
    return Uploaded(
        zone, source, method, [ToldIntensity(at_us, length_us, mg, kind, issued_us) for at_us, mg in values]
    )


class _Reader:
    """Reads members of a body, and gathers what is wrong with them."""

    def __init__(self, body: Mapping[str, Any], now_us: int) -> None:
        self._body, self._now_us = body, now_us
        allowed = ", ".join(_MEMBERS)
        self._faults = [
            Fault(str(name)[:_SHOWN] or '""', f"there is no such member; there are {allowed}")
            for name in body
            if name not in _MEMBERS
        ]

    def refuse(self) -> None:
        """Raises BadInput where anything was wrong."""
        if self._faults:
            raise BadInput.of(self._faults)

    def _fault(self, where: str, why: str) -> None:
        self._faults.append(Fault(where, why))

    def matching(self, name: str, pattern: str, what: str, default: str = "") -> str:
        """A text of a pattern."""
        told = self._body.get(name)
        if told is None and default:
            return default
        if not isinstance(told, str) or not re.fullmatch(pattern, told):
            self._fault(name, f"{_shown(told)} is not {what}")
            return default
        return told

    def one_of(self, name: str, allowed: Sequence[str], default: str = "") -> str:
        """One of some words."""
        told = self._body.get(name)
        if told is None and default:
            return default
        if told not in allowed:
            self._fault(name, f"{_shown(told)} is not one of {', '.join(allowed)}")
            return default
        return str(told)

    def grams(self) -> float:
        """What one of the unit is in g/kWh."""
        told = self._body.get("unit")
        grams = grams_of(told) if isinstance(told, str) else None
        if grams is None:
            self._fault("unit", f"{_shown(told)} is no unit that is read here; it must be gCO2eq/kWh or kgCO2eq/kWh")
        return grams or 1

    def instant(self, told: Any, where: str, latest_us: int) -> int:
        """An instant, from a date-time (UTC where it has no offset) or epoch seconds."""
        if isinstance(told, str):
            try:
                at_us = parse_moment(told, "UTC", where)
            except BadInput as error:
                self._faults += error.faults
                return 0
        elif isinstance(told, int | float) and not isinstance(told, bool) and abs(told) < latest_us:
            at_us = round(told * US_PER_S)
        else:
            self._fault(where, f"{_shown(told)} is no date-time such as 2024-03-31T00:00:00Z, nor epoch seconds")
            return 0
        if not EARLIEST_READING_US <= at_us <= latest_us:
            self._fault(where, f"{_shown(told)} is before the year 2000 or too far ahead")
            return 0
        return at_us

    def values(self, grams: float, length_us: int, ahead_us: int) -> list[tuple[int, int]]:
        """Instants and mg/kWh, of the values that are known. ahead_us: how far in the future they may lie."""
        at, value = self._body.get("at"), self._body.get("value")
        for name, column in (("at", at), ("value", value)):
            if not isinstance(column, list):
                self._fault(name, "it must be a list")
        if not isinstance(at, list) or not isinstance(value, list):
            return []
        if len(at) != len(value):
            self._fault("value", f"it has {len(value)} items, `at` {len(at)}: there must be as many")
        if len(at) > MOST_VALUES:
            self._fault("at", f"{len(at)} values are more than {MOST_VALUES}; send several bodies")
            return []
        found: dict[int, int] = {}
        ends_us: dict[int, int] = {}
        for i, (one, told) in enumerate(zip(at, value, strict=False)):
            at_us = self.instant(one, f"at[{i}]", self._now_us + ahead_us)
            if at_us % QUARTER_US:
                self._fault(f"at[{i}]", f"{_shown(one)} is not at a whole quarter of an hour")
            elif at_us and at_us in ends_us:
                self._fault(f"at[{i}]", f"{_shown(one)} stands twice, also at [{ends_us[at_us]}]")
            ends_us[at_us] = i
            intensity = self._milligrams(told, grams, f"value[{i}]")
            if intensity is not None:
                found[at_us] = intensity
        starts_us = sorted(ends_us)
        close = next((i for i in range(1, len(starts_us)) if starts_us[i] - starts_us[i - 1] < length_us), None)
        if close is not None and not self._faults:
            self._fault(f"at[{ends_us[starts_us[close]]}]", "it lies inside of the interval before it")
        return list(found.items())

    def _milligrams(self, told: Any, grams: float, where: str) -> int | None:
        if told is None:
            return None
        if isinstance(told, bool) or not isinstance(told, int | float):
            self._fault(where, f"{_shown(told)} is no number")
            return None
        try:
            return milligrams(float(told) * grams)
        except (ValueError, OverflowError) as error:
            self._fault(where, str(error))
            return None


def _shown(told: Any) -> str:
    text = "nothing" if told is None else ascii(told)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
