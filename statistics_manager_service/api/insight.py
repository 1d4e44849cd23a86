"""What a home's figures say: its load, a measure by day and time of day, the voltage, and the weather's part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.insight_bodies import (
    degree_days_json,
    heat_map_json,
    load_json,
    voltage_quality_json,
)
from statistics_manager_service.api.insight_examples import (
    DEGREE_DAYS_EXAMPLE,
    HEAT_MAP_EXAMPLE,
    LOAD_EXAMPLE,
    VOLTAGE_EXAMPLE,
)
from statistics_manager_service.api.queries import checked, moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone
from statistics_manager_service.core.degree_days import EUROSTAT, DegreeDayRule
from statistics_manager_service.errors import BadInput, Fault
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.degree_days import STEPS as OBSERVED
from statistics_manager_service.services.insight.degree_days import DegreeDayQuestion, check_energy
from statistics_manager_service.services.insight.heat_maps import STEPS, HeatMapQuestion, check_measure
from statistics_manager_service.services.insight.load_quarters import LOADS
from statistics_manager_service.services.insight.loads import LoadQuestion
from statistics_manager_service.services.insight.voltages import VoltageQuestion

router = APIRouter(tags=["Insight"])

#: Points of a duration curve: as many as the quarter-hours of a year at most.
_MOST_POINTS: Final = 35_137
_METER: Final = "One meter of the household; all that count unless named."


def _one_of(where: str, allowed: tuple[str, ...]) -> Callable[[str], None]:
    def check(text: str) -> None:
        if text not in allowed:
            raise BadInput.of([Fault(where, f"{text[:60]!r} is not one of {', '.join(allowed)}")])

    return check


class _TimeQuery(BaseModel):
    """From when until when, in which zone, as known when."""

    model_config = ConfigDict(extra="forbid")

    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(description="Civil date of the zone, or a date-time; not included.", examples=["2025-01-01"])
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: readings that were corrected later stand as they were."
    )

    @property
    def time(self) -> AskedTime:
        """The time that is asked about."""
        return AskedTime(self.start, self.end, self.timezone, self.as_of)


class LoadQuery(_TimeQuery):
    """Whose load is asked for."""

    of: Annotated[str, checked(_one_of("of", LOADS))] = Field(
        "energy_consumption", description="One of " + ", ".join(LOADS) + "."
    )
    meter: str | None = Field(None, max_length=64, description=_METER)
    points: int = Field(101, ge=2, le=_MOST_POINTS, description="Points of the duration curve, evenly over the time.")


class HeatMapQuery(_TimeQuery):
    """Which measure is asked for."""

    measure: Annotated[str, checked(check_measure)] = Field(
        description="Any measure of `/statistics`.", examples=["energy_import"]
    )
    step: Annotated[str, checked(_one_of("step", tuple(STEPS)))] = Field(
        "15_mins", description="Of the time of day: " + " or ".join(STEPS) + "."
    )
    meter: str | None = Field(None, max_length=64, description=_METER)


class VoltageQuery(_TimeQuery):
    """How the voltage is judged."""

    meter: str | None = Field(None, max_length=64, description=_METER)
    nominal_voltage_v: float | None = Field(
        None, ge=50, le=1_000, description="V; the household's setting unless told, else 230."
    )
    least_samples: int = Field(3, ge=1, le=10_000, description="Quarter-hours with fewer samples are not judged.")


class DegreeDaysQuery(_TimeQuery):
    """Which energy is asked for, and how degree days are counted."""

    measure: Annotated[str, checked(check_energy)] = Field("energy_consumption", description="An energy.")
    meter: str | None = Field(None, max_length=64, description="The energy of one meter, such as heat_pump.")
    temperature_meter: str | None = Field(
        None,
        max_length=64,
        description="Whose `temperature` is outside; the household's `temperature_meter` unless told.",
    )
    regression_by: Annotated[str, checked(_one_of("regression_by", OBSERVED))] = Field(
        "daily", description="What an observation is: " + ", ".join(OBSERVED) + "."
    )
    hdd_normal: float | None = Field(
        None,
        ge=0,
        le=200_000,
        description="Heating degree days of a normal such time; those of other years unless told.",
    )
    base_kwh_per_day: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Energy a day that does not hang on heating; the regression's unless told.",
    )
    heating_base_c: float = Field(EUROSTAT.heating_base_c, ge=-50, le=60, description="°C that is heated up to.")
    heating_limit_c: float = Field(
        EUROSTAT.heating_limit_c, ge=-50, le=60, description="°C at or below which is heated."
    )
    cooling_base_c: float = Field(EUROSTAT.cooling_base_c, ge=-50, le=60, description="°C that is cooled down to.")
    cooling_limit_c: float = Field(
        EUROSTAT.cooling_limit_c, ge=-50, le=60, description="°C at or above which is cooled."
    )

    @property
    def question(self) -> DegreeDayQuestion:
        """As the service reads it."""
        return DegreeDayQuestion(
            time=self.time,
            measure=self.measure,
            meter=self.meter,
            temperature_meter=self.temperature_meter,
            rule=DegreeDayRule(self.heating_base_c, self.heating_limit_c, self.cooling_base_c, self.cooling_limit_c),
            step=self.regression_by,
            hdd_normal=self.hdd_normal,
            base_kwh_per_day=self.base_kwh_per_day,
        )


def _answers(description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    examples = {"a home of which all is known": {"value": example}}
    return {
        200: {"description": description, "content": {JSON: {"examples": examples}}},
        **refusals(403, 404),
    }


async def _answered(request: Request, household: str, who: Caller, make: Callable[[], dict[str, Any]]) -> Response:
    require_read(who, household)
    body = await run(services_of(request), lambda: orjson.dumps(make(), option=orjson.OPT_SERIALIZE_NUMPY), short=False)
    return Response(body, media_type=JSON)


@router.get(
    "/households/{household}/load",
    summary="Load of a household",
    response_class=Response,
    responses=_answers("Powers in W; `null` is unknown, and `why_unknown` says why.", LOAD_EXAMPLE),
    openapi_extra=parameters(LoadQuery),
)
async def household_load(
    request: Request,
    household: str,
    asked: Annotated[LoadQuery, query(LoadQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Peak demand with its instant, load factor, base load, percentiles, the load-duration curve, an average weekday
    and weekend day, and the use of the contracted power: of mean powers over quarter-hours.

    Quarter-hours that were measured throughout count alone: an estimated one is a mean over a gap and hides peaks.
    """
    loads = services_of(request).loads
    question = LoadQuestion(asked.time, asked.of, asked.meter, asked.points)
    return await _answered(request, household, who, lambda: load_json(loads.of(household, question)))


@router.get(
    "/households/{household}/heatmap",
    summary="A measure by day and time of day",
    response_class=Response,
    responses=_answers("A row of `values` a date, an item a time of day; `null` is unknown.", HEAT_MAP_EXAMPLE),
    openapi_extra=parameters(HeatMapQuery),
)
async def household_heat_map(
    request: Request,
    household: str,
    asked: Annotated[HeatMapQuery, query(HeatMapQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """A measure by civil day and time of day.

    Where the clock is set back, the row has the first pass of the repeated hour, and `repeated` the second one: all
    values of both make up the total. What the clock skips is null and stands in `skipped`.
    """
    heat_maps = services_of(request).heat_maps
    question = HeatMapQuestion(asked.time, asked.measure, asked.meter, asked.step)
    return await _answered(request, household, who, lambda: heat_map_json(heat_maps.of(household, question)))


@router.get(
    "/households/{household}/voltage-quality",
    summary="Voltage after EN 50160, indicative",
    response_class=Response,
    responses=_answers(
        "Voltages in V, frequencies in Hz; `complies` is `null` where it can't be said.", VOLTAGE_EXAMPLE
    ),
    openapi_extra=parameters(VoltageQuery),
)
async def household_voltage_quality(
    request: Request,
    household: str,
    asked: Annotated[VoltageQuery, query(VoltageQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Voltage of each phase in each civil week, and frequency, against the bands of EN 50160:2022.

    It is always `indicative`: the standard's means are of 10 minutes, and of other instruments.
    """
    voltages = services_of(request).voltages
    question = VoltageQuestion(asked.time, asked.meter, asked.nominal_voltage_v, asked.least_samples)
    return await _answered(request, household, who, lambda: voltage_quality_json(voltages.of(household, question)))


@router.get(
    "/households/{household}/degree-days",
    summary="Degree days, and energy in normal weather",
    response_class=Response,
    responses=_answers("Degree days in K·d, energies in kWh; `null` is unknown, and why is told.", DEGREE_DAYS_EXAMPLE),
    openapi_extra=parameters(DegreeDaysQuery),
)
async def household_degree_days(
    request: Request,
    household: str,
    asked: Annotated[DegreeDaysQuery, query(DegreeDaysQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Heating and cooling degree days of the civil days, by Eurostat's rule unless another is told, from the home's own
    temperature; the regression of its energy on them; and the energy as it would have been in normal weather."""
    degree_days = services_of(request).degree_days
    return await _answered(request, household, who, lambda: degree_days_json(degree_days.of(household, asked.question)))
