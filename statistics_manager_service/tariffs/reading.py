"""Tariff documents as they come: JSON values to a Tariff, with all that is wrong and where."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.tariffs.checking import faults_of_tariff
from statistics_manager_service.tariffs.document import Tariff


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
    faults = []
    if tariff_id is not None:
        if told.get("id", tariff_id) != tariff_id:
            faults.append(Fault("id", f"it is put as {tariff_id!r} and names itself {str(told['id'])[:80]!r}"))
        told = {**told, "id": tariff_id}
    try:
        tariff = Tariff.model_validate(told)
    except ValidationError as error:
        raise BadInput.of([*faults, *_faults(error)]) from error
    faults += faults_of_tariff(tariff)
    if faults:
        raise BadInput.of(faults)
    return tariff


def _faults(error: ValidationError) -> list[Fault]:
    return [
        Fault(where_of(one["loc"]), _sentence(one["msg"]))
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _sentence(text: str) -> str:
    return text.removeprefix("Value error, ")


def where_of(parts: tuple[Any, ...]) -> str:
    """A place in a document as text. What stands in <> is a choice that validation made, no place."""
    out = ""
    for part in parts:
        if isinstance(part, int):
            out += f"[{part}]"
        elif not part.startswith("<") and part != "[key]":
            out += f".{part}" if out else part
    return out or "body"
