"""What ENTSO-E's market documents have in common: safe reading of the XML, the points of a Period, acknowledgements.

A Period tells of a time interval at a resolution; its Points have a `position` and a value. Curve type A01 tells each
position; A03 leaves a position out where the value is the one before it. Without data the answer is an
Acknowledgement_MarketDocument that tells the reason. Source: ENTSO-E, Introduction of different timeseries
possibilities (curvetypes) v1.4; Transparency Platform RESTful API user guide.

The XML is read by the standard library: its parser fetches no external entity, and a document type, without which there
are no entities at all, is refused. A package such as defusedxml would do no more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from xml.etree import ElementTree

from statistics_manager_service.core.units import QUARTER_US, QUARTERS_PER_DAY, US_PER_HOUR
from statistics_manager_service.core.zones import EPOCH, MICROSECOND
from statistics_manager_service.errors import Declined
from statistics_manager_service.feeds.price_values import (
    HALF_HOUR_US,
    Faults,
    beginning,
    refuse_web_page,
    shown,
    value_of_text,
    wrong,
)

ACKNOWLEDGEMENT: Final = "Acknowledgement_MarketDocument"
#: The status that may come with an acknowledgement.
BAD_REQUEST: Final = 400
EVERY_POSITION, CHANGES = "A01", "A03"
_RESOLUTIONS_US: Final = {"PT15M": QUARTER_US, "PT30M": HALF_HOUR_US, "PT60M": US_PER_HOUR, "PT1H": US_PER_HOUR}
_POSITION: Final = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_NO_DATA: Final = "999"
_SHOWN: Final = 200
_MOST_OF_PERIOD: Final = 366 * QUARTERS_PER_DAY


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree of a document without a document type."""

    def doctype(self, *_: str | None) -> None:
        """Raises BadInput: what a document type declares may be entities that grow without bound."""
        raise wrong("DOCTYPE", "the document needs no document type, and none is read: it may hide entities")


def root_of(body: bytes, wanted: str) -> ElementTree.Element:
    """The root of a document. wanted: as a fault names it. Raises BadInput."""
    refuse_web_page(body, wanted)
    try:
        root: ElementTree.Element = ElementTree.fromstring(body, ElementTree.XMLParser(target=_Builder()))  # noqa: S314
    except ElementTree.ParseError as error:
        line, column = error.position
        why = f"this is no XML, or was cut off ({str(error).partition(':')[0]}); wanted is {wanted}"
        raise wrong(f"line {line}, column {column + 1}", why) from error
    except (LookupError, ValueError) as error:
        raise wrong("line 1", f"the XML is of an encoding that can't be read; wanted is {wanted}") from error
    return root


def local_name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace, which tells the version of the schema."""
    return element.tag.rpartition("}")[2]


def children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """The children of a name."""
    return [one for one in element if local_name(one) == name]


def text_of(element: ElementTree.Element, *names: str) -> str:
    """The text of an element inside of others, empty where it is not there."""
    found: ElementTree.Element | None = element
    for name in names:
        found = next(iter(children(found, name)), None) if found is not None else None
    return (found.text or "").strip() if found is not None else ""


def check_document(root: ElementTree.Element, name: str, kind: str, wanted: str) -> None:
    """Raise BadInput unless a document has a name and a type (or tells none)."""
    if local_name(root) != name or text_of(root, "type") not in (kind, ""):
        there = f"{local_name(root)} {text_of(root, 'type')}".strip()
        raise wrong("body", f"this is {shown(there)}; wanted is {wanted}")


# --- acknowledgements -------------------------------------------------------------------------------------------------


def reasons(root: ElementTree.Element) -> list[str]:
    """What an acknowledgement tells."""
    told = [f"{text_of(one, 'code')} {text_of(one, 'text')}".strip()[:_SHOWN] for one in children(root, "Reason")]
    return [one for one in told if one] or ["none is told"]


def check_no_data(root: ElementTree.Element, upstream: str) -> None:
    """Raise Declined unless an acknowledgement says that there are no data."""
    told = reasons(root)
    if not any(one.startswith(_NO_DATA) and "no matching data" in one.lower() for one in told):
        raise Declined(f"{upstream} declined what it was asked: {'; '.join(told)}", BAD_REQUEST)


def minute(at_us: int) -> str:
    """An instant as ENTSO-E writes it in queries: yyyyMMddHHmm in UTC."""
    return f"{EPOCH + at_us * MICROSECOND:%Y%m%d%H%M}"


# --- a Period ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Period:
    """The values of a Period by their positions, 1 to count, each told or repeated; others are unknown."""

    start_us: int
    length_us: int
    count: int
    values: Mapping[int, Decimal]


def curve_of(series: ElementTree.Element, where: str, faults: Faults) -> str | None:
    """The curve type of a TimeSeries; None, and a fault, where it is not read."""
    curve = text_of(series, "curveType") or EVERY_POSITION
    if curve not in (EVERY_POSITION, CHANGES):
        faults.add(f"{where}/curveType", f"{shown(curve)} is not read; {EVERY_POSITION} and {CHANGES} are")
        return None
    return curve


def read_period(element: ElementTree.Element, where: str, curve: str, value_name: str, faults: Faults) -> Period | None:
    """A Period; None, and a fault, where its time can't be read. value_name: the element of a Point's value."""
    edges = [beginning(text_of(element, "timeInterval", side), f"{where}/timeInterval/{side}", faults)
             for side in ("start", "end")]  # fmt: skip
    length_us = _RESOLUTIONS_US.get(text_of(element, "resolution"))
    if length_us is None:
        told = shown(text_of(element, "resolution"))
        faults.add(f"{where}/resolution", f"{told} is none of {', '.join(_RESOLUTIONS_US)}")
    start_us, end_us = edges
    if start_us is None or end_us is None or length_us is None:
        return None
    count, rest = divmod(end_us - start_us, length_us)
    if count <= 0 or rest or count > _MOST_OF_PERIOD:
        faults.add(f"{where}/timeInterval", "it is no whole number of intervals of the resolution, up to a year")
        return None
    values = _points(element, where, count, value_name, faults)
    if curve == CHANGES and values:
        if 1 not in values:
            faults.add(f"{where}/Point[1]", f"position 1 is missing, so the first {_said(value_name)} is unknown")
        value: Decimal | None = None
        for position in range(1, count + 1):
            value = values.get(position, value)
            if value is not None:
                values[position] = value
    return Period(start_us, length_us, count, values)


def _said(value_name: str) -> str:
    return value_name.partition(".")[0]


def _points(
    element: ElementTree.Element, where: str, count: int, value_name: str, faults: Faults
) -> dict[int, Decimal]:
    """The values of a Period by their positions, as they are told."""
    found: dict[int, Decimal] = {}
    for i, one in enumerate(children(element, "Point"), 1):
        at = f"{where}/Point[{i}]"
        told = text_of(one, "position")
        value = value_of_text(text_of(one, value_name), "point", f"{at}/{value_name}", faults)
        if _POSITION.fullmatch(told) is None or int(told) > count:
            faults.add(f"{at}/position", f"{shown(told)} is none of 1 to {count}, which the Period has")
        elif int(told) in found:
            faults.add(f"{at}/position", f"position {told} is told twice")
        elif value is not None:
            found[int(told)] = value
    if not children(element, "Point"):
        faults.add(where, "it has no Point")
    return found
