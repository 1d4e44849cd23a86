"""Tariff documents as they come: JSON values to a Tariff, with all that is wrong and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import ValidationError

from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.tariffs.checking import faults_of_tariff
from statistics_manager_service.tariffs.document import Tariff
from statistics_manager_service.tariffs.prices import EXPRESSIONS

#: Of a document, what is told twice by reference included.
MOST_PARTS: Final = 50_000
DEEPEST: Final = 60
_SHOWN: Final = 80
#: How validation writes the form of what can be told in several.
_FORM: Final = re.compile(r"(literal|dict|list|function-\w+)\[")
#: Choices that validation made among models, which are no places of a document.
_CHOICES: Final = {
    f"<{name}>"
    for name in (
        *EXPRESSIONS, "number", "unknown", "not", "all", "any", "comparison", "entries", "schedule",
        "energy", "fixed", "capacity", "peak", "percentage", "credit", "minimum",
    )
}  # fmt: skip
#: What stands in for the parts of a document that could not be read, while the others are looked at.
_FREE: Final = {"kind": "fixed", "basis": "per_bill", "price": "0"}
_STAND_INS: Final = {
    "id": "x", "currency": "XXX", "time_zone": "UTC", "valid": {"from": "2020-01-01"},
    "components": [{"id": "x", **_FREE}],
}  # fmt: skip
_OF_ENTRIES: Final[dict[tuple[str, ...], Any]] = {
    ("taxes",): {"rate": "0"},
    ("series",): {},
    ("parameters",): None,
    ("calendars", "schedules"): None,
    ("calendars", "season"): {"months": [1]},
    ("calendars", "holidays"): {},
}


def read_tariff(document: Any, tariff_id: str | None = None) -> Tariff:
    """A document as a tariff. tariff_id: under which it is put; the document may leave its own out, and may name no
    other. The document may stand alone or as the member `tariff`.

    Raises BadInput with all faults; `where` points into the document: `components[2].price.values.FV`.
    """
    told = document
    if isinstance(told, dict) and set(told) == {"tariff"}:
        told = told["tariff"]
    if not isinstance(told, dict):
        raise BadInput.of(
            [Fault("body", "a tariff is an object with `id`, `currency`, `time_zone`, `valid`, `components`")]
        )
    _refuse_sizes(told)
    faults = []
    if tariff_id is not None:
        if told.get("id", tariff_id) != tariff_id:
            faults.append(Fault("id", f"it is put as {tariff_id!r} and names itself {str(told['id'])[:_SHOWN]!r}"))
        told = {**told, "id": tariff_id}
    try:
        tariff = Tariff.model_validate(told)
    except ValidationError as error:
        faults += _faults(error)
        raise BadInput.of(faults + _faults_beside(told, error)) from error
    faults += faults_of_tariff(tariff)
    if faults:
        raise BadInput.of(faults)
    return tariff


def _refuse_sizes(document: Any) -> None:
    """Raises BadInput for a document that is nested too deeply or has too many parts, before anything goes into it."""
    parts = 0
    waiting: list[tuple[Any, str, int]] = [(document, "", 0)]
    while waiting:
        value, where, depth = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        parts += len(value)
        if depth >= DEEPEST:
            raise BadInput.of([Fault(where, f"this is nested more than {DEEPEST} deep")])
        if parts > MOST_PARTS:
            raise BadInput.of([Fault(where or "body", f"with this, the tariff has more than {MOST_PARTS} parts")])
        inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        waiting += [(one, where_of((where, key) if where else (key,)), depth + 1) for key, one in inner]


def _faults(error: ValidationError) -> list[Fault]:
    return [
        Fault(where_of(one["loc"]), _sentence(one["msg"]))
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _sentence(text: str) -> str:
    return text.removeprefix("Value error, ")


def where_of(parts: tuple[Any, ...]) -> str:
    """A place in a document as text."""
    out = ""
    for part in parts:
        if isinstance(part, int):
            out += f"[{part}]"
        elif not _is_choice(part) and part != "[key]":
            out += f".{part}" if out else str(part)
    return out or "body"


# --- what is wrong beside parts of a wrong form -----------------------------------------------------------------------


def _faults_beside(told: dict[Any, Any], error: ValidationError) -> list[Fault]:
    """What is wrong with the parts of a document whose form is right, where that of others is not."""
    unread: set[str] = set()
    mended = _without(told, {_members(one["loc"]) for one in error.errors(include_url=False)}, unread)
    try:
        tariff = Tariff.model_validate(mended)
    except ValidationError:
        return []
    return faults_of_tariff(tariff, unread)


def _members(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one for one in loc if not _is_choice(one))


def _is_choice(part: Any) -> bool:
    """Whether a part of a place names which form validation tried, and no member of the document."""
    return part in _CHOICES or (isinstance(part, str) and _FORM.match(part) is not None)


def _without(told: dict[Any, Any], wrong: set[tuple[Any, ...]], unread: set[str]) -> dict[Any, Any]:
    """A document without what is wrong; places that hold nothing of it are added to `unread`."""
    out = {name: one for name, one in told.items() if name in Tariff.model_fields}
    for place in wrong:
        top = place[0] if place else None
        for above, stand_in in _OF_ENTRIES.items():
            if place[: len(above)] == above and len(place) > len(above) and place[len(above)] != "[key]":
                unread.add(where_of(place[: len(above) + 1]))
                _replace(out, above, place[len(above)], stand_in)
                break
        else:
            if top == "components" and len(place) > 1 and isinstance(place[1], int):
                unread.add(f"components[{place[1]}]")
                _replace_component(out, place[1])
            elif top in Tariff.model_fields:
                unread.add(str(top))
                out.pop(top, None)
                if top in _STAND_INS:
                    out[top] = _STAND_INS[top]
    return out


def _replace(out: dict[Any, Any], above: tuple[str, ...], name: Any, stand_in: Any) -> None:
    inside = out
    for one in above:
        if not isinstance(inside.get(one), dict):
            return  # it has been taken out as a whole
        inside[one] = inside = dict(inside[one])
    if stand_in is None:
        inside.pop(name, None)
    else:
        inside[name] = stand_in


def _replace_component(out: dict[Any, Any], place: int) -> None:
    """A component that costs nothing in place of one, under its name, so that others may refer to it."""
    if place >= len(out["components"]):
        return  # something stands in for all of them
    out["components"] = list(out["components"])
    one = out["components"][place]
    id = one.get("id") if isinstance(one, dict) else None
    unread_id = f"unread-{place}"
    out["components"][place] = {"id": id if isinstance(id, str) else unread_id, **_FREE}
