"""The cost of the day, live: today so far, prices, and what the running billing period will come to."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statements import line_json
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.money.day_prices import PriceSpan
from statistics_manager_service.services.money.live_costs import LiveCost, PastBill, Spent
from statistics_manager_service.services.money.projecting import LEVEL, NoProjection, Projection

router = APIRouter(tags=["Money"])

_SPENT_EXAMPLE: Final = {
    "cost_import": 0.84,
    "cost_fixed": 0.21,
    "revenue_export": 0.05,
    "cost_net": 1.0,
    "energy_import_kwh": 5.31,
    "energy_export_kwh": 1.02,
    "coverage": 0.99,
}
EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "currency": "EUR",
    "now": "2026-03-12T14:05:00+00:00",
    "today": {
        "start": "2026-03-12T00:00:00+00:00",
        "now": "2026-03-12T14:05:00+00:00",
        **_SPENT_EXAMPLE,
        "known_until": "2026-03-12T14:00:00+00:00",
        "price_now": 0.1791,
        "prices": [
            {"start": "2026-03-12T00:00:00+00:00", "end": "2026-03-12T08:00:00+00:00", "price": 0.1152},
        ],
        "cheapest": [
            {
                "hours": 1,
                "start": "2026-03-12T22:00:00+00:00",
                "end": "2026-03-12T23:00:00+00:00",
                "price": 0.1152,
            }
        ],
        "compared_with": {
            "yesterday_until_now": {
                "start": "2026-03-11T00:00:00+00:00",
                "end": "2026-03-11T14:05:00+00:00",
                **_SPENT_EXAMPLE,
            },
            "same_weekday_last_week_until_now": {
                "start": "2026-03-05T00:00:00+00:00",
                "end": "2026-03-05T14:05:00+00:00",
                **_SPENT_EXAMPLE,
            },
        },
    },
    "period": {
        "start": "2026-03-01T00:00:00+00:00",
        "end": "2026-04-01T00:00:00+01:00",
        "so_far": _SPENT_EXAMPLE,
        "projected": {
            "gross": 41.36,
            "net": 35.02,
            "tax": 6.34,
            "low": 38.9,
            "high": 44.71,
            "level": LEVEL,
            "method": "19.4 days that are not measured are drawn 35 times from whole days of the home's past, …",
            "energy_import_kwh": 203.4,
            "energy_export_kwh": 20.1,
            "lines": [
                {
                    "tariff": "pt-btn-simples",
                    "component": "energy",
                    "title": "Energy",
                    "period": None,
                    "quantity": 203.4,
                    "unit": "kWh",
                    "unit_price": 0.1654,
                    "net": 33.64,
                    "tax_rate": 0.06,
                    "tax": 2.02,
                    "gross": 35.66,
                }
            ],
        },
        "why_not_projected": None,
        "previous": {
            "last_period": {
                "start": "2026-02-01T00:00:00+00:00",
                "end": "2026-03-01T00:00:00+00:00",
                "gross": 44.02,
                "coverage": 1.0,
            },
            "year_ago": None,
        },
    },
    "provisional": ["the billing period is not over"],
}


@router.get(
    "/households/{household}/cost",
    summary="Cost of the day, live",
    response_class=Response,
    responses={
        200: {
            "description": "Money in `currency` with taxes, prices in it per kWh, energies in kWh; `null` is unknown.",
            "content": {JSON: {"examples": {"a home in the middle of a month": {"value": EXAMPLE}}}},
        },
        **refusals(403, 404),
    },
)
async def household_cost(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """What today costs so far, what one more kilowatt-hour costs now and in the hours that are known, and what the
    running billing period will come to, with the range in which four of five ways that it may go on lie.

    Nothing of it is kept: the next call counts what has been read since.
    """
    require_read(who, household)
    services = services_of(request)
    body = await run(services, lambda: orjson.dumps(cost_json(services.live_costs.of(household))), short=False)
    return Response(body, media_type=JSON)


def cost_json(cost: LiveCost) -> dict[str, Any]:
    """A live cost as JSON values."""
    zone = cost.household.timezone
    prices = cost.prices
    compared = {"yesterday_until_now": cost.yesterday, "same_weekday_last_week_until_now": cost.week_ago}
    projection = cost.projection
    return {
        "household": cost.household.id,
        "timezone": zone,
        "currency": cost.currency,
        "now": civil_label(zone, cost.now_us),
        "today": {
            "start": civil_label(zone, cost.today.start_us),
            "now": civil_label(zone, cost.now_us),
            **_spent_json(cost.today),
            "known_until": None if cost.known_until_us is None else civil_label(zone, cost.known_until_us),
            "price_now": prices.now,
            "prices": [_price_json(zone, one) for one in prices.spans],
            "cheapest": [{"hours": round(one.hours), **_price_json(zone, one)} for one in prices.cheapest],
            "compared_with": {
                name: {
                    "start": civil_label(zone, one.start_us),
                    "end": civil_label(zone, one.end_us),
                    **_spent_json(one),
                }
                for name, one in compared.items()
            },
        },
        "period": {
            "start": civil_label(zone, cost.period.start_us) if cost.start_is_known else None,
            "end": civil_label(zone, cost.period.end_us) if cost.end_is_known else None,
            "so_far": _spent_json(cost.so_far) if cost.start_is_known else None,
            "projected": _projected_json(zone, projection) if isinstance(projection, Projection) else None,
            "why_not_projected": projection.why if isinstance(projection, NoProjection) else None,
            "previous": {
                "last_period": _past_json(zone, cost.last_period),
                "year_ago": _past_json(zone, cost.year_ago),
            },
        },
        "provisional": list(cost.provisional),
    }


def _spent_json(one: Spent) -> dict[str, Any]:
    return {
        "cost_import": one.cost_import,
        "cost_fixed": one.cost_fixed,
        "revenue_export": one.revenue_export,
        "cost_net": one.cost_net,
        "energy_import_kwh": one.energy_import_kwh,
        "energy_export_kwh": one.energy_export_kwh,
        "coverage": one.coverage,
    }


def _price_json(zone: str, one: PriceSpan) -> dict[str, Any]:
    return {"start": civil_label(zone, one.start_us), "end": civil_label(zone, one.end_us), "price": one.price}


def _projected_json(zone: str, one: Projection) -> dict[str, Any]:
    lines = [line for period in one.statement.periods for line in period.lines]
    return {
        "gross": float(one.statement.gross),
        "net": float(one.statement.net),
        "tax": float(one.statement.tax),
        "low": float(one.low),
        "high": float(one.high),
        "level": LEVEL,
        "method": one.method,
        "energy_import_kwh": one.import_milliwh / MILLIWH_PER_KWH,
        "energy_export_kwh": one.export_milliwh / MILLIWH_PER_KWH,
        "lines": [line_json(zone, line) for line in lines],
    }


def _past_json(zone: str, one: PastBill | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "start": civil_label(zone, one.start_us),
        "end": civil_label(zone, one.end_us),
        "gross": float(one.gross),
        "coverage": one.coverage,
    }
