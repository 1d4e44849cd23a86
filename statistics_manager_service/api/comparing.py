"""Comparing tariffs: a year of a household's real energy, billed under each of them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import exact_json, read_body
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.core.civil import civil_label
from statistics_manager_service.core.labels import iso_label
from statistics_manager_service.core.units import MILLIWH_PER_KWH
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.money.candidates import Candidate, Chosen
from statistics_manager_service.services.money.comparing import Compared, Comparison, Result, coverage_differs
from statistics_manager_service.services.money.differences import Difference, Part
from statistics_manager_service.services.money.monthly import Group, Sums
from statistics_manager_service.services.money.scenarios import AS_METERED, LABELS
from statistics_manager_service.services.prices.contracts import Contract
from statistics_manager_service.services.prices.tariff_documents import plain_document
from statistics_manager_service.tariffs.lines import rounded

router = APIRouter(tags=["Money"])

#: Decimals of amounts as people read them, of exact ones, of kWh, of prices and shares.
_CENTS, _EXACT, _KWH, _PRICE = 2, 9, 6, 6
PRESENT: Final = "present"
_BODY_EXAMPLE: Final = {
    "start": "2024-05-10",
    "end": "2024-05-11",
    "tariffs": [
        {"id": "one price", "tariff": "de-standard", "parameters": {"arbeitspreis_eur_per_kwh": 0.31}},
        {"import": {"tariff": "de-14a-modul2"}, "export": {"tariff": "pt-excedente-fixo"}},
    ],
    "scenarios": ["as_metered", "without_pv"],
}
_AMOUNTS_EXAMPLE: Final = {"net": 34.61, "tax": 2.21, "gross": 36.82}
_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Lisbon",
    "currency": "EUR",
    "start": "2024-05-10T00:00:00+01:00",
    "end": "2024-05-11T00:00:00+01:00",
    "months": [{"start": "2024-05-10T00:00:00+01:00", "end": "2024-05-11T00:00:00+01:00"}],
    "scenarios": [{"id": "as_metered", "label": "As metered", "why_not": None}],
    "present": None,
    "candidates": [
        {
            "id": "one price",
            "label": "one price",
            "rank": 1,
            "import": {"tariff": "de-standard", "title": "Germany", "parameters": {"arbeitspreis_eur_per_kwh": 0.31}},
            "export": None,
            "gross": 36.82,
            "difference_to_present": None,
            "difference_to_best": {"gross": 0.0, "share": 0.0},
            "results": {
                "as_metered": {
                    **_AMOUNTS_EXAMPLE,
                    "cost_per_kwh": 0.232532,
                    "import_kwh": 158.333,
                    "export_kwh": 0.0,
                    "months": [_AMOUNTS_EXAMPLE],
                    "lines": [
                        {
                            "kind": "energy",
                            "component": "energy",
                            "title": "Energy",
                            "period": None,
                            "period_title": None,
                            "quantity": 158.333,
                            "unit": "kWh",
                            "unit_price": 0.1654,
                            **_AMOUNTS_EXAMPLE,
                        }
                    ],
                    "coverage": {"measured": 1.0, "estimated": 0.0, "missing": 0.0},
                    "missing_prices": {"share": 0.0, "why": []},
                    "difference_to_as_metered": None,
                    "provisional": [],
                    "notes": [],
                }
            },
        }
    ],
    "left_out": [],
    "best": {"id": "one price", "label": "one price", "gross": 36.82, "present_costs_less": False},
    "why": {
        "against": "de-14a-modul2 + pt-excedente-fixo",
        "gross": -3.1,
        "sentence": "one price costs 3.10 EUR less than the next best: energy costs 3.10 EUR less.",
        "lines": [
            {
                "what": "energy",
                "period": None,
                "label": "energy",
                "best": {"amount": 31.0, "kwh": 158.333},
                "against": {"amount": 34.1, "kwh": 158.333},
                "difference": -3.1,
            }
        ],
    },
}


@router.post(
    "/households/{household}/compare-tariffs",
    summary="Compare tariffs",
    response_class=Response,
    responses={
        200: {
            "description": "What the household's energy comes to under each tariff, the best one, and why.",
            "content": {JSON: {"example": _EXAMPLE}},
        },
        **refusals(403, 404),
    },
    openapi_extra={"requestBody": {"required": True, "content": {JSON: {"example": _BODY_EXAMPLE}}}},
)
async def compare_tariffs(request: Request, household: str, who: Annotated[Caller, Depends(caller)]) -> Response:
    """Bill the household's real energy under each of some tariffs, as metered and in scenarios.

    `start`, `end`: civil dates of its zone, or date-times; the last twelve whole months that have readings unless told,
    three years at most. `tariffs`: each `{"tariff", "parameters"?}` for both flows or `{"import", "export"?}` of such,
    with an `id` for the answer; parameters that are not told are the household's where it tells them, else the
    tariff's. Unless named, all tariffs of the household's country are compared; `left_out` tells which are not, and
    why. `scenarios`: as_metered, without_pv, without_netting, without_battery; all of them unless named.

    A bill that lacks prices for some of the energy is told and not ranked.
    """
    require_read(who, household)
    services = services_of(request)
    body = exact_json(await read_body(request))

    def answer() -> bytes:
        return orjson.dumps(comparison_json(services.comparing.compare(household, body)))

    return Response(await run(services, answer, short=False), media_type=JSON)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison as JSON values: amounts in cents; `exact` has them as they are."""
    household = found.home.household
    zone = household.timezone
    return {
        "household": household.id,
        "timezone": zone,
        "currency": found.currency,
        "start": civil_label(zone, found.start_us),
        "end": civil_label(zone, found.end_us),
        "months": [
            {"start": civil_label(zone, begin), "end": civil_label(zone, end)}
            for begin, end in pairwise(found.edges_us)
        ],
        "scenarios": [{"id": id, "label": LABELS[id], "why_not": why} for id, why in found.scenarios.items()],
        "present": _present_json(found),
        "candidates": [_candidate_json(found, one, one.candidate) for one in found.candidates if one.candidate],
        "left_out": [{"tariff": one.tariff_id, "why": one.why} for one in found.left_out],
        "best": _best_json(found),
        "why": None if found.why is None else _why_json(found, found.why),
    }


def _present_json(found: Comparison) -> dict[str, Any] | None:
    if found.present is None:
        return None
    return {
        "contracts": [_contract_json(one) for one in found.present_contracts],
        "gross": _cents(found.present.gross),
        "results": _results_json(found.present),
    }


def _contract_json(one: Contract) -> dict[str, Any]:
    return {
        "tariff": one.tariff_id,
        "flow": one.flow,
        "from": iso_label(one.from_us) if one.from_us else None,
        "to": None if one.to_us is None else iso_label(one.to_us),
        "parameters": plain_document(dict(one.parameters)),
    }


def _candidate_json(found: Comparison, one: Compared, candidate: Candidate) -> dict[str, Any]:
    present = None if found.present is None or found.against is not found.present else found.present.gross
    best = None if found.best is None else found.best.gross
    return {
        "id": candidate.id,
        "label": candidate.label,
        "rank": one.rank,
        "import": _chosen_json(candidate.imported),
        "export": None if candidate.exported is None else _chosen_json(candidate.exported),
        "gross": _cents(one.gross),
        "difference_to_present": _difference_json(one.gross, present),
        "difference_to_best": _difference_json(one.gross, best),
        "results": _results_json(one),
    }


def _chosen_json(chosen: Chosen) -> dict[str, Any]:
    return {
        "tariff": chosen.tariff.id,
        "title": chosen.tariff.title,
        "parameters": plain_document(dict(chosen.parameters)),
    }


def _difference_json(gross: Fraction | None, other: Fraction | None) -> dict[str, Any] | None:
    """By how much more a bill is than another."""
    if gross is None or other is None:
        return None
    share = _number((gross - other) / abs(other), _PRICE) if other else None
    return {"gross": _cents(gross - other), "share": share}


def _results_json(one: Compared) -> dict[str, Any]:
    metered = one.results[AS_METERED]
    return {
        name: None if result is None else _result_json(result, None if result is metered else metered)
        for name, result in one.results.items()
    }


def _result_json(one: Result, metered: Result | None) -> dict[str, Any]:
    statement = one.statement
    missing = max(0.0, 1 - statement.measured - statement.estimated)
    cost = one.cost_per_kwh
    comparable = metered is not None and not coverage_differs(one, metered) and metered.is_whole and one.is_whole
    return {
        **_sums_json(Sums(statement.net, statement.tax, statement.gross)),
        "exact": {name: _number(getattr(statement, name), _EXACT) for name in ("net", "tax", "gross")},
        "cost_per_kwh": None if cost is None else _number(cost, _PRICE),
        "import_kwh": one.import_milliwh / MILLIWH_PER_KWH,
        "export_kwh": one.export_milliwh / MILLIWH_PER_KWH,
        "billed_import_kwh": statement.import_milliwh / MILLIWH_PER_KWH,
        "billed_export_kwh": statement.export_milliwh / MILLIWH_PER_KWH,
        "months": [_sums_json(month) for month in one.months],
        "lines": [_group_json(group) for group in one.groups],
        "coverage": {
            "measured": round(statement.measured, _PRICE),
            "estimated": round(statement.estimated, _PRICE),
            "missing": round(missing, _PRICE),
        },
        "missing_prices": {"share": round(one.missing_share, _PRICE), "why": list(one.why_missing)},
        "difference_to_as_metered": (
            _difference_json(statement.gross, metered.statement.gross) if comparable and metered is not None else None
        ),
        "provisional": list(statement.provisional),
        "notes": list(one.notes),
    }


def _group_json(one: Group) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "component": one.component,
        "title": one.title,
        "period": one.period,
        "period_title": one.period_title,
        "quantity": _number(one.quantity, _KWH),
        "unit": one.unit,
        "unit_price": None if one.unit_price is None else _number(one.unit_price, _EXACT),
        **_sums_json(one.sums),
    }


def _best_json(found: Comparison) -> dict[str, Any] | None:
    if found.best is None or found.best.candidate is None:
        return None
    candidate = found.best.candidate
    return {
        "id": candidate.id,
        "label": candidate.label,
        "gross": _cents(found.best.gross),
        "present_costs_less": found.present_costs_less,
    }


def _why_json(found: Comparison, why: Difference) -> dict[str, Any]:
    against = found.against
    return {
        "against": PRESENT if against is None or against.candidate is None else against.candidate.id,
        "gross": _cents(why.gross),
        "sentence": found.sentence,
        "lines": [_part_json(part) for part in why.parts],
    }


def _part_json(part: Part) -> dict[str, Any]:
    sides = {"best": (part.one, part.one_kwh), "against": (part.other, part.other_kwh)}
    return {
        "what": part.what,
        "period": part.period,
        "label": part.label,
        **{
            side: {"amount": _cents(amount), "kwh": None if kwh is None else _number(kwh, _KWH)}
            for side, (amount, kwh) in sides.items()
        },
        "difference": _cents(part.difference),
        "difference_exact": _number(part.difference, _EXACT),
    }


def _sums_json(one: Sums) -> dict[str, Any]:
    """Amounts in cents; net and tax make up gross."""
    net, gross = rounded(one.net, _CENTS), rounded(one.gross, _CENTS)
    return {"net": float(net), "tax": float(gross - net), "gross": float(gross)}


def _cents(amount: Fraction | None) -> float | None:
    return None if amount is None else float(rounded(amount, _CENTS))


def _number(value: Fraction, decimals: int) -> float:
    return float(round(value, decimals))
