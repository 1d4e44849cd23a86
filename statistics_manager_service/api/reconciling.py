"""Reconciling invoices: where an invoice and our statement agree, line by line, and where not."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import exact_json, read_body
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statements import line_json
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.money.invoices import InvoiceLine
from statistics_manager_service.services.money.matching import Group
from statistics_manager_service.services.money.reconciling import (
    Pair,
    Reconciliation,
    TotalDifference,
    summary_of,
)
from statistics_manager_service.services.money.verdicts import Explanation, FigureDifference

router = APIRouter(tags=["Money"])

_EXACT, _SHARE = 9, 6
_BODY_EXAMPLE: Final = {
    "start": "2024-05-10",
    "end": "2024-05-11",
    "lines": [
        {
            "label": "Energia fora de vazio",
            "quantity": 0.9,
            "unit": "kWh",
            "unit_price": 0.2088,
            "net": 0.19,
            "tax_rate": 0.23,
        },
        {"label": "Potência contratada", "quantity": 1, "unit": "dias", "net": 0.37, "tax_rate": 0.23},
    ],
    "total": {"gross": 0.69},
}
_DIFFERENCE_EXAMPLE: Final = {"what": "unit_price", "theirs": 0.2088, "ours": 0.1988, "difference": 0.01}
_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "currency": "EUR",
    "start": "2024-05-10T00:00:00+01:00",
    "end": "2024-05-11T00:00:00+01:00",
    "tolerance": 0.01,
    "agrees": False,
    "summary": "The invoice is 0.92 EUR more than our 35.90 EUR; 1 line differs (Energia fora de vazio +0.92 EUR, by "
    "price).",
    "lines": [
        {
            "verdict": "differs",
            "theirs": {"label": "Energia fora de vazio", "place": 0, "net": 19.84},
            "ours": {"quantity": 95.0, "unit": "kWh", "unit_price": 0.1988, "net": 18.89, "tax": 1.13, "gross": 20.02},
            "our_lines": [{"component": "energy", "period": "FV"}],
            "by_name": False,
            "differences": [_DIFFERENCE_EXAMPLE],
            "explained_by": [],
        }
    ],
    "totals": [
        {"what": "gross", "theirs": 36.82, "ours": 35.9, "difference": 0.92, "told": True, "verdict": "differs"}
    ],
    "explained_by": [{"by": "price", "gross": 0.92}],
    "invoice_faults": [],
    "coverage": {"measured": 1.0, "estimated": 0.0, "missing": 0.0},
    "provisional": [],
}


@router.post(
    "/households/{household}/reconcile",
    summary="Reconcile an invoice",
    response_class=Response,
    responses={
        200: {
            "description": "Each line of the invoice beside ours, what differs, by how much, and what explains it.",
            "content": {JSON: {"example": _EXAMPLE}},
        },
        **refusals(403, 404),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"example": _BODY_EXAMPLE}},
        }
    },
)
async def reconcile(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Set an invoice beside the household's statement of the same time; nothing of it is kept.

    `lines`: each with its `label` and whatever figures stand there: quantity, unit, unit_price, net, tax_rate, tax,
    gross. `component` and `period` name ours where they are known; other lines are found by what agrees best, and
    several of ours may make up one of theirs. `total`, `tolerance` (0.01 of the currency for each amount unless told).
    `single`: the invoice's time is one billing period, as it is unless told otherwise.
    """
    require_read(who, household)
    services = services_of(request)
    body = exact_json(await read_body(request))

    def answer() -> bytes:
        return orjson.dumps(reconciliation_json(services.reconciling.reconcile(household, body)))

    return Response(await run(services, answer, short=False), media_type=JSON)


def reconciliation_json(found: Reconciliation) -> dict[str, Any]:
    """A reconciliation as JSON values."""
    statement = found.statement
    missing = max(0.0, 1 - statement.measured - statement.estimated)
    return {
        "household": statement.household,
        "timezone": statement.timezone,
        "currency": statement.currency,
        "start": civil_label(statement.timezone, statement.start_us),
        "end": civil_label(statement.timezone, statement.end_us),
        "tolerance": _number(found.tolerance),
        "agrees": found.agrees,
        "summary": summary_of(found),
        "lines": [_pair_json(statement.timezone, one) for one in found.pairs],
        "totals": [_total_json(one) for one in found.totals],
        "explained_by": [{"by": by, "gross": _number(amount)} for by, amount in found.explained_by],
        "invoice_faults": [{"where": one.where, "why": one.why} for one in found.inside],
        "coverage": {
            "measured": round(statement.measured, _SHARE),
            "estimated": round(statement.estimated, _SHARE),
            "missing": round(missing, _SHARE),
        },
        "provisional": list(statement.provisional),
        "tariffs": list(statement.tariffs),
    }


def _pair_json(timezone: str, one: Pair) -> dict[str, Any]:
    return {
        "verdict": one.verdict,
        "theirs": None if one.theirs is None else _theirs_json(one.theirs, one.place),
        "ours": None if one.ours is None else _ours_json(one.ours),
        "our_lines": [] if one.ours is None else [line_json(timezone, line) for line in one.ours.lines],
        "by_name": one.by_name,
        "differences": [_difference_json(each) for each in one.differences],
        "explained_by": [_explanation_json(each) for each in one.explained_by],
    }


def _theirs_json(line: InvoiceLine, place: int | None) -> dict[str, Any]:
    figures = ("quantity", "unit_price", "net", "tax_rate", "tax", "gross")
    return {
        "place": place,
        "label": line.label,
        "unit": line.unit,
        **{name: _or_none(getattr(line, name)) for name in figures},
    }


def _ours_json(group: Group) -> dict[str, Any]:
    figures = ("quantity", "unit_price", "tax_rate", "net", "tax", "gross")
    return {"unit": group.unit, **{name: _or_none(getattr(group, name)) for name in figures}}


def _difference_json(one: FigureDifference) -> dict[str, Any]:
    return {
        "what": one.what,
        "theirs": _number(one.theirs),
        "ours": _or_none(one.ours),
        "difference": _or_none(one.difference),
    }


def _explanation_json(one: Explanation) -> dict[str, Any]:
    return {"by": one.by, "net": _number(one.net), "gross": _number(one.gross), "why": one.why}


def _total_json(one: TotalDifference) -> dict[str, Any]:
    return {
        "what": one.what,
        "theirs": _or_none(one.theirs),
        "ours": _number(one.ours),
        "difference": None if one.theirs is None else _number(one.theirs - one.ours),
        "told": one.told,
        "verdict": one.verdict,
    }


def _or_none(value: Fraction | None) -> float | None:
    return None if value is None else _number(value)


def _number(value: Fraction) -> float:
    return float(round(value, _EXACT))
