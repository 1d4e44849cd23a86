"""How good the data of a household are."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import checked, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import check_zone, civil_label
from statistics_manager_service.core.units import US_PER_S
from statistics_manager_service.services.accounts.access import Caller, require_read
from statistics_manager_service.services.insight.asked_time import AskedTime
from statistics_manager_service.services.insight.data_quality import MOST_DAYS, ChannelQuality, HomeQuality, Shares

router = APIRouter(tags=["Ask"])

_DECIMALS: Final = 6
_EXAMPLE: Final = {
    "household": "home1",
    "timezone": "Europe/Amsterdam",
    "start": "2022-11-01T00:00:00+01:00",
    "end": "2022-12-01T00:00:00+01:00",
    "now": "2022-12-12T10:00:00+01:00",
    "home": {"of": "energy_import", "measured": 0.783333, "estimated": 0.0, "missing": 0.216667},
    "channels": [
        {
            "meter": "grid",
            "quantity": "energy_import",
            "kind": "register",
            "readings": 565,
            "first": "2022-11-01T00:00:00+01:00",
            "last": "2022-11-24T12:00:00+01:00",
            "measured": 0.783333,
            "estimated": 0.0,
            "missing": 0.216667,
            "gaps": {
                "longer_than_s": 3600,
                "count": 0,
                "total_s": 0,
                "longest": [],
            },
            "verdicts": {"glitch": {"count": 1, "newest": ["2022-11-04T15:00:00+01:00"]}},
            "corrections": {"count": 0, "newest": None},
            "typical_interval_s": 3600.0,
            "silent_since": "2022-11-24T12:00:00+01:00",
            "quality_of_reading": 17,
        }
    ],
}


class QualityQuery(BaseModel):
    """Which time."""

    model_config = ConfigDict(extra="forbid")

    start: Start = Field(description="Civil date of the zone, or a date-time; included.", examples=["2024-01-01"])
    end: End = Field(
        description=f"Civil date of the zone, or a date-time; not included. At most {MOST_DAYS} days.",
        examples=["2024-02-01"],
    )
    timezone: Annotated[str, checked(check_zone)] | None = Field(
        None, description="IANA zone; the household's unless named.", examples=["Europe/Lisbon"]
    )
    meter: str | None = Field(None, max_length=64, description="One meter of the household; all unless named.")


@router.get(
    "/households/{household}/data-quality",
    summary="How good a household's data are",
    response_class=Response,
    responses={
        200: {
            "description": "Shares of the time asked (up to now) in 0..1, which add up to 1; lengths in seconds.",
            "content": {JSON: {"examples": {"a register that was lost": {"value": _EXAMPLE}}}},
        },
        **refusals(403, 404),
    },
    openapi_extra=parameters(QualityQuery),
)
async def data_quality(
    request: Request,
    household: str,
    asked: Annotated[QualityQuery, query(QualityQuery)],
    who: Annotated[Caller, Depends(caller)],
) -> Response:
    """Of each channel: how many readings, what share of the time they measure, the longest gaps and whether the
    register bridges them, readings by their verdicts, corrections, how often readings come, and since when it is
    silent.

    A gap is a time between two readings longer than the channel's `gap_limit_s`, of intervals longer than a minute; a
    channel is silent where it has told nothing for three times its typical step, and for its gap limit.
    `quality_of_reading` is ESPI's code for all of the time: 17 validated, 9 interpolated, 13 mixed, 11 derived.
    """
    require_read(who, household)
    services = services_of(request)
    time = AskedTime(asked.start, asked.end, asked.timezone)
    body = await run(
        services,
        lambda: orjson.dumps(quality_json(services.data_quality.of(household, time, asked.meter))),
        short=False,
    )
    return Response(body, media_type=JSON)


def quality_json(found: HomeQuality) -> dict[str, Any]:
    """The quality of a home's data as JSON values."""
    zone = found.zone
    home = None
    if found.of_home is not None:
        name, shares = found.of_home
        home = {"of": name, **_shares_json(shares)}
    return {
        "household": found.household.id,
        "timezone": zone,
        "start": civil_label(zone, found.start_us),
        "end": civil_label(zone, found.end_us),
        "now": civil_label(zone, found.now_us),
        "home": home,
        "channels": [_channel_json(zone, one) for one in found.channels],
    }


def _shares_json(shares: Shares | None) -> dict[str, float | None]:
    if shares is None:
        return dict.fromkeys(("measured", "estimated", "missing"))
    return {name: round(getattr(shares, name), _DECIMALS) for name in ("measured", "estimated", "missing")}


def _channel_json(zone: str, one: ChannelQuality) -> dict[str, Any]:
    return {
        "meter": one.channel.meter,
        "quantity": one.channel.quantity,
        "kind": one.channel.kind,
        "readings": one.readings,
        "first": _label(zone, one.first_us),
        "last": _label(zone, one.last_us),
        **_shares_json(one.shares),
        "gaps": {
            "longer_than_s": one.gap_limit_s,
            "count": one.gap_count,
            "total_s": one.gap_total_us / US_PER_S,
            "longest": [
                {
                    "start": civil_label(zone, gap.start_us),
                    "end": civil_label(zone, gap.end_us),
                    "length_s": (gap.end_us - gap.start_us) / US_PER_S,
                    "bridged": gap.is_bridged,
                }
                for gap in one.gaps
            ],
        },
        "verdicts": {
            name: {"count": count, "newest": [civil_label(zone, at) for at in newest]}
            for name, (count, newest) in one.verdicts.items()
        },
        "corrections": {"count": one.corrections, "newest": _label(zone, one.newest_correction_us)},
        "typical_interval_s": one.typical_s,
        "silent_since": _label(zone, one.silent_since_us),
        "quality_of_reading": one.quality_of_reading,
    }


def _label(zone: str, at_us: int | None) -> str | None:
    return None if at_us is None else civil_label(zone, at_us)
