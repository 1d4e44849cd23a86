"""Explaining: what is behind a number, and the canonical text by which a second machine confirms it."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.definitions import DEFINITIONS
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.asking import Question, check_carbon_boundary, check_carbon_source
from statistics_manager_service.services.explaining.explaining import MOST_DAYS, check_measure

router = APIRouter(tags=["Ask"])

TEXT: Final = "text/plain"
_EXAMPLE: Final = {
    "household": "home1",
    "measure": "energy_import",
    "start": "2024-01-01",
    "end": "2024-02-01",
    "timezone": "Europe/Lisbon",
    "value": 332.919,
    "unit": "kWh",
    "coverage": 1.0,
    "estimated": 0.0,
    "definition": {
        "formula": "register(end) − register(start), corrected, linear between readings; Σ of intervals; ∫ power dt of "
        "samples",
        "source": "IEC 62056-6-1 (OBIS), D = 8",
        "unit": "kWh",
        "doc": "docs/statistics.md",
    },
    "formula_filled": "energy_import = 6769.271 (register at end) − 6436.352 (register at start) = 332.919 kWh",
    "inputs": [{"meter": "grid", "quantity": "energy_import", "value": 332.919, "unit": "kWh"}],
    "quarters": {
        "whole": 2976,
        "measured": 2976,
        "estimated": 0,
        "missing": 0,
        "known_in_part": 0,
        "seconds": {"whole": 2678400, "measured": 2678400, "estimated": 0},
    },
    "readings": [
        {
            "flow": "energy_import",
            "meter": "grid",
            "quantity": "energy_import",
            "kind": "register",
            "unit": "kWh",
            "why": "a register is the best source: it tells the time from its first to its last reading",
            "energy_kwh": 332.919,
        }
    ],
    "digest": {"algorithm": "sha-256", "of": "the canonical text", "value": "9f86d081884c7d65…"},
}


class ExplainQuery(BaseModel):
    """Which number."""

    model_config = ConfigDict(extra="forbid")

    measure: Annotated[str, checked(check_measure)] = Field(
        description="One measure, any that `statistics` knows.", examples=["energy_import"]
    )
    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(
        description=f"Civil date of the zone, or a date-time; not included. At most {MOST_DAYS} days at once.",
        examples=["2024-02-01"],
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    meter: str | None = Field(
        None, max_length=64, description="One meter of the household; all that count unless named."
    )
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: readings, tariffs, contracts and prices told later do not count."
    )
    carbon_source: Annotated[str, checked(check_carbon_source)] | None = Field(
        None, description="Emissions by the intensities of this source; the household's unless named."
    )
    carbon_boundary: Annotated[str, checked(check_carbon_boundary)] | None = Field(
        None, description="Emissions `lifecycle` or `direct` (of the stack); the household's unless named."
    )
    canonical: bool = Field(
        False, description="The canonical text instead, whose SHA-256 is the digest; as with `Accept: text/plain`."
    )

    @cached_property
    def question(self) -> Question:
        """The question as the service takes it."""
        return Question(
            self.measure,
            self.start,
            self.end,
            "total",
            self.timezone,
            self.meter,
            as_of=self.as_of,
            carbon_source=self.carbon_source,
            carbon_boundary=self.carbon_boundary,
        )


@router.get(
    "/households/{household}/explain",
    summary="What is behind a number",
    response_class=Response,
    responses={
        200: {
            "description": "The formula with its figures, readings at the edges with their verdicts, quarter-hours, "
            "prices, factors, and a digest of all of it.",
            "content": {JSON: {"example": _EXAMPLE}, TEXT: {}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(ExplainQuery),
)
async def household_explain(
    request: Request,
    household: str,
    asked: Annotated[ExplainQuery, query(ExplainQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Everything that a number hangs on, so that it can be worked out again by hand, from the answer alone.

    The digest is the SHA-256 of the canonical text: a machine with the same readings, prices and factors comes to the
    same one, whatever the order in which it got them.
    """
    require_read(who, household)
    services = services_of(request)
    is_text = asked.canonical or _wants_text(request.headers.get("accept", ""))

    def answer() -> bytes:
        found = services.explaining.explained(household, asked.question)
        return found.text if is_text else orjson.dumps(with_links(found.told, request.url.path, asked))

    body = await run(services, answer, short=False)
    return Response(body, media_type=TEXT if is_text else JSON)


def _wants_text(accept: str) -> bool:
    """Whether plain text is named, before JSON if that is, too."""
    places = [accept.lower().find(media) for media in (TEXT, JSON)]
    return places[0] >= 0 and not 0 <= places[1] < places[0]


def with_links(told: dict[str, Any], path: str, asked: ExplainQuery) -> dict[str, Any]:
    """An explanation whose inputs say where they are explained themselves."""
    names = ("start", "end", "timezone", "as_of", "carbon_source", "carbon_boundary")
    way = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    for one in told["inputs"]:
        if one.get("measure") in DEFINITIONS and one["measure"] != asked.measure:
            meter = {"meter": one["meter"]} if "meter" in one else {}
            one["explain"] = f"{path}?{urlencode({'measure': one['measure'], **meter, **way})}"
    return told
