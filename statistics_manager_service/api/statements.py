"""Statements: what a household pays, line by line, as JSON, HTML or PDF."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.money.statements import Asked
from statistics_manager_service.tariffs.statement import Line, Period, Statement

router = APIRouter(tags=["Money"])

FORMATS: Final = {"json": JSON, "html": "text/html", "pdf": "application/pdf"}
#: Decimals of quantities (a milliwatt-hour) and of unit prices.
_QUANTITY_DECIMALS, _EXACT_DECIMALS = 6, 9


def _check_format(name: str) -> None:
    if name not in FORMATS:
        raise BadInput.of([Fault("format", f"{name[:20]!r} is none of {', '.join(FORMATS)}")])


class StatementQuery(BaseModel):
    """Which statement."""

    model_config = ConfigDict(extra="forbid")

    start: Start = Field(
        description="Civil date of the household's zone, or a date-time; included.", examples=["2026-01-01"]
    )
    end: End = Field(description="The same; not included.", examples=["2026-02-01"])
    format: Annotated[str, checked(_check_format)] | None = Field(
        None, description="json, html or pdf; wins over the Accept header."
    )
    single: bool = Field(
        False, description="Bill the time as one period, instead of cutting it at the household's billing days."
    )
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: readings, tariffs, contracts and prices told later do not count."
    )


_EXAMPLE: Final = {
    "household": "home1",
    "currency": "EUR",
    "start": "2026-01-01T00:00:00+00:00",
    "end": "2026-02-01T00:00:00+00:00",
    "net": 24.09,
    "tax": 1.45,
    "gross": 25.54,
    "periods": [
        {
            "start": "2026-01-01T00:00:00+00:00",
            "end": "2026-02-01T00:00:00+00:00",
            "days": 31.0,
            "net": 24.09,
            "tax": 1.45,
            "gross": 25.54,
            "lines": [
                {
                    "tariff": "pt-btn-simples",
                    "component": "energy",
                    "title": "Energy",
                    "kind": "energy",
                    "period": None,
                    "period_title": None,
                    "quantity": 145.65,
                    "unit": "kWh",
                    "unit_price": 0.1654,
                    "price_unit": "kWh",
                    "net": 24.09,
                    "tax_rate": 0.06,
                    "tax": 1.45,
                    "gross": 25.54,
                }
            ],
            "coverage": {"measured": 1.0, "estimated": 0.0, "missing": 0.0},
            "provisional": [],
        }
    ],
}


@router.get(
    "/households/{household}/statement",
    summary="Statement of a household",
    response_class=Response,
    responses={
        200: {
            "description": "Lines with quantity, unit price, net, tax and gross, by billing period, and their sums.",
            "content": {JSON: {"example": _EXAMPLE}, "text/html": {}, "application/pdf": {}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(StatementQuery),
)
async def household_statement(
    request: Request,
    household: str,
    asked: Annotated[StatementQuery, query(StatementQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """What the household pays under its contracts, exact, rounded once on each line (as the tariff has it).

    The range is cut at the household's billing days. Nothing is frozen: a corrected reading, a late price, a changed
    tariff counts at the next call; `provisional` tells why a statement may still change.
    """
    require_read(who, household)
    services = services_of(request)
    media = FORMATS[asked.format] if asked.format else _wanted(request.headers.get("accept", ""))

    def answer() -> bytes:
        told = Asked(asked.start, asked.end, asked.as_of, asked.single, with_days=media != JSON)
        statement = services.statements.statement(household, told)
        return orjson.dumps(statement_json(statement)) if media == JSON else services.renderers[media](statement)

    body = await run(services, answer, short=False)
    headers = {}
    if media == FORMATS["pdf"]:
        headers["content-disposition"] = f'inline; filename="statement-{household}.pdf"'
    return Response(body, media_type=media, headers=headers)


def _wanted(accept: str) -> str:
    """The first of the formats that is named; JSON where none is."""
    places = {media: accept.lower().find(media) for media in FORMATS.values()}
    named = sorted((place, media) for media, place in places.items() if place >= 0)
    return named[0][1] if named else JSON


def statement_json(statement: Statement) -> dict[str, Any]:
    """A statement as JSON values."""
    start, end = (civil_label(statement.timezone, one) for one in (statement.start_us, statement.end_us))
    return {
        "household": statement.household,
        "name": statement.name,
        "timezone": statement.timezone,
        "currency": statement.currency,
        "start": start,
        "end": end,
        "net": _number(statement.net),
        "tax": _number(statement.tax),
        "gross": _number(statement.gross),
        "taxes": [
            {"rate": float(one.rate), "net": _number(one.net), "tax": _number(one.tax)} for one in statement.taxes
        ],
        "import_kwh": statement.import_milliwh / MILLIWH_PER_KWH,
        "export_kwh": statement.export_milliwh / MILLIWH_PER_KWH,
        "coverage": _coverage(statement),
        "provisional": list(statement.provisional),
        "tariffs": list(statement.tariffs),
        "periods": [_period_json(statement, one) for one in statement.periods],
    }


def _period_json(statement: Statement, period: Period) -> dict[str, Any]:
    start, end = (civil_label(statement.timezone, one) for one in (period.start_us, period.end_us))
    return {
        "start": start,
        "end": end,
        "days": round(float(period.days), _QUANTITY_DECIMALS),
        "net": _number(period.net),
        "tax": _number(period.tax),
        "gross": _number(period.gross),
        "import_kwh": period.import_milliwh / MILLIWH_PER_KWH,
        "export_kwh": period.export_milliwh / MILLIWH_PER_KWH,
        "coverage": _coverage(period),
        "provisional": list(period.provisional),
        "lines": [line_json(statement.timezone, line) for line in period.lines],
    }


def line_json(timezone: str, line: Line) -> dict[str, Any]:
    """A line as JSON values."""
    start, end = (civil_label(timezone, one) for one in (line.start_us, line.end_us))
    return {
        "start": start,
        "end": end,
        "tariff": line.tariff,
        "component": line.component,
        "title": line.title,
        "kind": line.kind,
        "period": line.period,
        "period_title": line.period_title,
        "quantity": _number(line.quantity, _QUANTITY_DECIMALS),
        "unit": line.unit,
        "unit_price": None if line.unit_price is None else _number(line.unit_price),
        "price_unit": line.price_unit,
        "net": _number(line.net),
        "tax_name": line.tax_name,
        "tax_rate": float(line.tax_rate),
        "tax": _number(line.tax),
        "gross": _number(line.gross),
        "missing_price_share": _number(line.missing_price_share, _QUANTITY_DECIMALS),
        "note": line.note,
    }


def _number(value: Fraction, decimals: int = _EXACT_DECIMALS) -> float:
    """An exact number as JSON shows it: to so many decimals, amounts that are rounded as they are."""
    return float(round(value, decimals))


def _coverage(one: Statement | Period) -> dict[str, float]:
    missing = max(0.0, 1 - one.measured - one.estimated)
    return {
        "measured": round(one.measured, 6),
        "estimated": round(one.estimated, 6),
        "missing": round(missing, 6),
    }
