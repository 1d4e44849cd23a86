"""Tariffs and contracts of households."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import exact_json, media_type, read_body, text_of
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.errors import TooLarge, UnsupportedMedia
from statistics_manager_service.services.accounts.access import Caller, require_read, require_service, require_settings
from statistics_manager_service.services.prices.contracts import MOST_CONTRACTS, KnownContracts, ToldContract
from statistics_manager_service.services.prices.tariff_documents import document_of_yaml, plain_document
from statistics_manager_service.services.prices.tariffs import KnownTariff
from statistics_manager_service.tariffs.document import Tariff

router = APIRouter(tags=["Money"])
Who = Annotated[Caller, Depends(caller)]

#: The largest shipped tariff has a tenth of it.
MOST_DOCUMENT_BYTES: Final = 256 * 2**10
_JSON: Final = "application/json"
_YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_MADE: dict[int | str, dict[str, Any]] = {201: {"description": "It was not there before, and is made."}}
_TARIFF_EXAMPLE: Final = {
    "title": "Two prices",
    "currency": "EUR",
    "time_zone": "Europe/Lisbon",
    "valid": {"from": "2026-01-01"},
    "calendars": {
        "schedules": {"day_and_night": [{"period": "day", "from": "08:00", "to": "22:00"}, {"period": "night"}]}
    },
    "components": [
        {
            "id": "energy", "kind": "energy", "tax": "vat",
            "price": {"schedule": "day_and_night", "values": {"day": "0.1988", "night": "0.1087"}},
        },
        {"id": "standing_charge", "kind": "fixed", "basis": "per_day", "price": "0.3659", "tax": "vat"},
    ],
    "taxes": {"vat": {"rate": "0.23"}},
}  # fmt: skip
_YAML_EXAMPLE: Final = """title: Two prices
currency: EUR
time_zone: Europe/Lisbon
valid: {from: 2026-01-01}
calendars:
  schedules:
    day_and_night:
      - {period: day, from: 08:00, to: 22:00}
      - {period: night}
components:
  - id: energy
    kind: energy
    price: {schedule: day_and_night, values: {day: 0.1988, night: 0.1087}}
    tax: vat
  - {id: standing_charge, kind: fixed, basis: per_day, price: 0.3659, tax: vat}
taxes:
  vat: {rate: 0.23}
"""
_KNOWN_EXAMPLE: Final = {
    "id": "two-prices",
    "source": "stored",
    "told_at": "2026-01-10T09:00:00Z",
    "tariff": {"id": "two-prices", **_TARIFF_EXAMPLE},
}
_CONTRACTS_EXAMPLE: Final = {
    "contracts": [
        {
            "tariff": "pt-btn-simples",
            "flow": "import",
            "from": "2025-01-01",
            "to": None,
            "parameters": {"contracted_power_kva": 6.9},
        }
    ]
}
_CONTRACTS_SCHEMA: Final = {
    "type": "object",
    "required": ["contracts"],
    "properties": {
        "contracts": {"type": "array", "maxItems": MOST_CONTRACTS, "items": ToldContract.model_json_schema()}
    },
}
_KNOWN_CONTRACTS_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "default": False,
    "told_at": "2026-01-10T09:00:00Z",
    **_CONTRACTS_EXAMPLE,
}


class AsOfQuery(BaseModel):
    """As it was known when."""

    model_config = ConfigDict(extra="forbid")

    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: a date or date-time; revisions of later than this don't count."
    )


class TariffsQuery(BaseModel):
    """Which page of the tariffs."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(None, max_length=64, pattern=r"^[^\x00]*$", description="Id after which the page begins.")
    limit: int = Field(100, ge=1, le=1000, description="Tariffs a page.")


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=_JSON)


def _told_at(told_us: int | None) -> str | None:
    return None if told_us is None else iso_label(told_us)


# --- tariffs ----------------------------------------------------------------------------------------------------------


def tariff_json(known: KnownTariff) -> dict[str, Any]:
    """A tariff as it is told."""
    return {
        "id": known.tariff_id,
        "source": known.source,
        "told_at": _told_at(known.told_us),
        "tariff": known.document,
    }


def _summary(known: KnownTariff) -> dict[str, Any]:
    """A tariff in a list: what to choose it by."""
    names = ("title", "country", "currency", "time_zone", "valid", "version")
    told = {name: known.document[name] for name in names if name in known.document}
    return {"id": known.tariff_id, "source": known.source, "told_at": _told_at(known.told_us), **told}


async def _document(request: Request) -> bytes | str:
    """A tariff document: JSON as bytes, YAML as text. Raises BadInput, TooLarge, UnsupportedMedia."""
    media = media_type(request)
    if media != _JSON and media not in _YAML:
        raise UnsupportedMedia(f"a tariff is read as {_JSON} or {_YAML[0]}, and not as {media[:80]}")
    body = await read_body(request)
    if len(body) > MOST_DOCUMENT_BYTES:
        raise TooLarge(f"a tariff document has at most {MOST_DOCUMENT_BYTES} bytes; this one has {len(body)}")
    return body if media == _JSON else text_of(body)


@router.get(
    "/tariffs",
    summary="List tariffs",
    response_class=Response,
    responses={
        200: {
            "content": {
                _JSON: {
                    "example": {
                        "tariffs": [
                            {
                                "id": "two-prices", "source": "stored", "told_at": "2026-01-10T09:00:00Z",
                                "title": "Two prices", "currency": "EUR", "time_zone": "Europe/Lisbon",
                                "valid": {"from": "2026-01-01"},
                            }
                        ],
                        "next": None,
                    }
                }
            }
        }
    },
    openapi_extra=parameters(TariffsQuery),
)  # fmt: skip
async def list_tariffs(request: Request, _who: Who, asked: Annotated[TariffsQuery, query(TariffsQuery)]) -> Response:
    """A page of tariffs in the order of their ids, those that were put (`stored`) and those that come with the product
    (`shipped`); `next` is the `after` of the next page."""
    services = services_of(request)
    found = await run(services, lambda: services.tariffs.page(asked.after, asked.limit))
    more = found[-1].tariff_id if len(found) == asked.limit else None
    return _json({"tariffs": [_summary(one) for one in found], "next": more})


@router.get(
    "/tariffs/{tariff}",
    summary="A tariff",
    response_class=Response,
    responses={200: {"content": {_JSON: {"example": _KNOWN_EXAMPLE}}}, **refusals(404)},
    openapi_extra=parameters(AsOfQuery),
)
async def get_tariff(
    request: Request, tariff: str, _who: Who, asked: Annotated[AsOfQuery, query(AsOfQuery)]
) -> Response:
    """The document as it was put, or as it comes with the product, whose revisions are those of the product."""
    services = services_of(request)
    until_us = None if asked.as_of is None else parse_moment(asked.as_of, "UTC", "as_of")
    return _json(tariff_json(await run(services, lambda: services.tariffs.get(tariff, until_us))))


@router.put(
    "/tariffs/{tariff}",
    summary="Put a tariff",
    response_class=Response,
    responses=_MADE | refusals(403, 409),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_JSON: {"example": _TARIFF_EXAMPLE}, _YAML[0]: {"example": _YAML_EXAMPLE}},
        }
    },
)
async def put_tariff(request: Request, tariff: str, who: Who) -> Response:
    """Service only. 201 where it was made, 200 where it was there; the earlier document stays as a revision, and the
    same again makes none. The whole document is checked: each fault says where it is.

    YAML is read by the rules of YAML 1.2: `NO` is a text and `10:30` a time. A tariff that comes with the product can't
    be replaced (409): put yours under another id. `GET /tariff-schema` is the JSON Schema of a document.
    """
    require_service(who)
    services, body = services_of(request), await _document(request)

    def put() -> tuple[KnownTariff, bool]:
        document = document_of_yaml(body) if isinstance(body, str) else plain_document(exact_json(body))
        return services.tariffs.put(tariff, document)

    known, made = await run(services, put, short=False)
    return _json(tariff_json(known), 201 if made else 200)


@router.get(
    "/tariff-schema",
    summary="The JSON Schema of a tariff document",
    response_class=Response,
    responses={200: {"description": "A JSON Schema of draft 2020-12."}},
)
async def get_tariff_schema(_who: Who) -> Response:
    """What a tariff document may hold. That names exist and that schedules leave no hole is checked beyond it."""
    return Response(_schema(), media_type=_JSON)


@cache
def _schema() -> bytes:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Tariff.model_json_schema()}
    return orjson.dumps(schema)


# --- contracts --------------------------------------------------------------------------------------------------------


def contracts_json(known: KnownContracts) -> dict[str, Any]:
    """Contracts as they are told."""
    return {
        "household": known.household.id,
        "timezone": known.household.timezone,
        "default": known.is_default,
        "told_at": _told_at(known.told_us),
        "contracts": list(known.contracts),
    }


@router.get(
    "/households/{household}/contracts",
    summary="A household's contracts",
    response_class=Response,
    responses={200: {"content": {_JSON: {"example": _KNOWN_CONTRACTS_EXAMPLE}}}, **refusals(403, 404)},
    openapi_extra=parameters(AsOfQuery),
)
async def get_contracts(
    request: Request, household: str, who: Who, asked: Annotated[AsOfQuery, query(AsOfQuery)]
) -> Response:
    """Which tariffs hold when. Where none were put, the one that follows from the household's `tarif_type` and
    `contracted_power_kva`, with `default: true`."""
    require_read(who, household)
    services = services_of(request)
    return _json(contracts_json(await run(services, lambda: services.contracts.get(household, asked.as_of))))


@router.put(
    "/households/{household}/contracts",
    summary="Put a household's contracts",
    response_class=Response,
    responses={201: {"description": "It had none before."}, **refusals(403, 404)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_JSON: {"schema": _CONTRACTS_SCHEMA, "example": _CONTRACTS_EXAMPLE}},
        }
    },
)
async def put_contracts(request: Request, household: str, who: Who) -> Response:
    """All contracts of the household, in place of those before, which stay as a revision; the same again makes none. At
    any instant one contract at most holds for each flow; `to` is not included, and null is until further notice. Dates
    are civil dates of the household's zone. A household's own token may do it.
    """
    require_settings(who, household)
    services = services_of(request)
    body = exact_json(await read_body(request))
    known, made = await run(services, lambda: services.contracts.put(household, body), short=False)
    return _json(contracts_json(known), 201 if made else 200)
