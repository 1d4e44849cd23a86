"""Series of prices and factors: written in bulk, read page by page."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.bodies import exact_json, media_type, read_body, text_of
from statistics_manager_service.api.errors import refusals
from statistics_manager_service.api.queries import moment, parameters, query
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.api.statistics import End, Start
from statistics_manager_service.core.civil import parse_moment
from statistics_manager_service.core.labels import iso_label, iso_labels
from statistics_manager_service.core.units import US_PER_DAY, US_PER_S
from statistics_manager_service.errors import BadInput, Fault, UnsupportedMedia
from statistics_manager_service.services.accounts.access import Caller, require_service
from statistics_manager_service.services.asking import END_NOT_AFTER_START
from statistics_manager_service.services.prices.price_bodies import columns_of_csv, put_series
from statistics_manager_service.services.prices.price_pages import PricePage, price_page
from statistics_manager_service.services.prices.price_rows import PriceSeries
from statistics_manager_service.services.prices.price_series import interval_name, known_series

router = APIRouter(tags=["Money"])
Who = Annotated[Caller, Depends(caller)]

_JSON: Final = "application/json"
_CSV: Final = "text/csv"
_EXAMPLE: Final = {
    "unit": "EUR/MWh",
    "interval": "PT1H",
    "market_time_zone": "CET",
    "title": "A market, day ahead",
    "at": ["2026-01-01T00:00:00+01:00", "2026-01-01T01:00:00+01:00"],
    "value": [105.37, -0.01],
}
_CSV_EXAMPLE: Final = "# unit: EUR/MWh\n# interval: PT1H\nstart,value\n2026-01-01T00:00:00+01:00,105.37\n"
_ABOUT: Final = {
    "name": "market", "unit": "EUR/MWh", "interval": "PT1H", "market_time_zone": "CET", "title": "A market, day ahead",
}  # fmt: skip
#: A line above the columns of a CSV that tells something of the series.
_TELLS: Final = re.compile(r"#\s*([a-z_]+)\s*[:=]\s*(.*?)\s*")


class PutQuery(BaseModel):
    """What is told of a series whose values come as CSV."""

    model_config = ConfigDict(extra="forbid")

    unit: str | None = Field(None, description="Of a CSV: the unit of the values, such as EUR/MWh, GBp/kWh, 1 or %.")
    interval: str | None = Field(None, description="Of a CSV: how long each value holds: PT15M, PT30M or PT1H.")
    market_time_zone: str | None = Field(None, description="Of a CSV: IANA zone of times without an offset.")
    title: str | None = Field(None, description="Of a CSV: a name for people.")
    source: str | None = Field(None, description="Of a CSV: who published the values, and where.")


class SeriesQuery(BaseModel):
    """Which values."""

    model_config = ConfigDict(extra="forbid")

    start: Start | None = Field(
        None, description="Civil date of the market's zone, or a date-time; included. Its first day unless told."
    )
    end: End | None = Field(None, description="The same, not included. Behind its last day unless told.")
    limit: int = Field(10_000, ge=1, le=100_000, description="Values a page.")
    as_of: Annotated[str, moment("as_of")] | None = Field(
        None, description="As it was known then: a date or date-time; values told later don't count."
    )


class ListQuery(BaseModel):
    """Which page of the series."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(
        None, max_length=64, pattern=r"^[^\x00]*$", description="Name after which the page begins."
    )
    limit: int = Field(100, ge=1, le=1000, description="Series a page.")


def _about(series: PriceSeries) -> dict[str, Any]:
    told = {
        "name": series.name,
        "unit": series.unit,
        "interval": interval_name(series),
        "market_time_zone": series.market_time_zone,
        "title": series.title,
        "source": series.source,
    }
    return {name: value for name, value in told.items() if value is not None}


@router.get(
    "/series",
    summary="List series",
    response_class=Response,
    responses={
        200: {
            "content": {
                _JSON: {"example": {"series": [{**_ABOUT, "first": "2026-01-01", "last": "2026-03-01"}], "next": None}}
            }
        }
    },
    openapi_extra=parameters(ListQuery),
)
async def list_series(request: Request, _who: Who, asked: Annotated[ListQuery, query(ListQuery)]) -> Response:
    """A page of the series of prices and factors in the order of their names, each with its first and its last UTC day;
    `next` is the `after` of the next page."""
    services = services_of(request)

    def answer() -> bytes:
        with services.store.reading() as view:
            found = [(one, view.price_span(one.series_no)) for one in view.price_series_list(asked.after, asked.limit)]
        listed = [
            {
                **_about(one),
                "first": None if span is None else _day(span[0]),
                "last": None if span is None else _day(span[1]),
            }
            for one, span in found
        ]
        more = found[-1][0].name if len(found) == asked.limit else None
        return orjson.dumps({"series": listed, "next": more})

    return Response(await run(services, answer), media_type=_JSON)


def _day(day: int) -> str:
    return iso_label(day * US_PER_DAY).partition("T")[0]


@router.put(
    "/series/{series}",
    summary="Put values of a series",
    response_class=Response,
    responses={
        200: {
            "description": "Kept. `duplicates` were known already.",
            "content": {_JSON: {"example": {**_ABOUT, "accepted": 2, "duplicates": 0}}},
        },
        201: {"description": "The series was not there before, and is made."},
        **refusals(403, 409),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {_JSON: {"example": _EXAMPLE}, _CSV: {"example": _CSV_EXAMPLE}},
        },
        **parameters(PutQuery),
    },
)
async def write_series(
    request: Request, series: str, who: Who, asked: Annotated[PutQuery, query(PutQuery)]
) -> Response:
    """Service only. Values of a series, which is made where it is not there; those of other times stay, and the same
    again changes nothing. Another value for the same time counts from now on, and the earlier one can be asked for.

    `unit` is a currency's three letters (or GBp, EURct, öre, SEKore, NOKore, DKKore, CHFrp, USct) per kWh or MWh; of
    factors 1 or %. Each value holds for `interval` (PT15M, PT30M, PT1H) from its `at` on, a date-time (of
    `market_time_zone` where it has no offset) or epoch seconds, on a quarter-hour. Values are numbers or decimal texts
    and are kept as they are written; null is left out. At most 100,000 values. Unit and interval can change only as
    long as there are no values (409).

    A CSV has columns `start` (or `at`) and `value`, and `end` where rows tell theirs; unit and interval are told by the
    query, or by lines above the columns such as `# unit: EUR/MWh`. Columns may be parted by semicolons; a value may
    have a decimal comma then.
    """
    require_service(who)
    services = services_of(request)
    media = media_type(request)
    if media not in (_JSON, _CSV):
        raise UnsupportedMedia(f"values of a series are read as {_JSON} or {_CSV}, and not as {media[:80]}")
    body = await read_body(request)
    told = {name: value for name, value in asked.model_dump().items() if value is not None}

    def write() -> tuple[bytes, bool]:
        lines = None
        if media == _CSV:
            columns, lines = _columns(text_of(body), told)
        else:
            columns = exact_json(body)
            if told:
                raise BadInput.of([Fault(name, "of JSON it is told in the body") for name in told])
        kept = put_series(services.store, series, columns, services.asking.now_us(), lines)
        about = {**_about(kept.series), "accepted": kept.accepted, "duplicates": kept.duplicates}
        return orjson.dumps(about), kept.made

    answer, made = await run(services, write, short=False)
    return Response(answer, 201 if made else 200, media_type=_JSON)


def _columns(text: str, told: dict[str, str]) -> tuple[dict[str, Any], list[int]]:
    """A CSV as a body. Lines above its columns may tell of the series what the query does not."""
    lines = text.lstrip("\ufeff").splitlines()
    above = 0
    while above < len(lines) and lines[above].startswith("#"):
        above += 1
    found = [_TELLS.fullmatch(line) for line in lines[:above]]
    by_lines = {one[1]: one[2] for one in found if one is not None and one[1] in PutQuery.model_fields}
    faults = [
        Fault(name, f"the query tells {told[name][:40]!r}, a line above the columns {by_lines[name][:40]!r}")
        for name in by_lines
        if told.get(name, by_lines[name]) != by_lines[name]
    ]
    if faults:
        raise BadInput.of(faults)
    body, places = columns_of_csv("\n".join(lines[above:]), {**by_lines, **told})
    return body, [place + above for place in places]


@router.get(
    "/series/{series}",
    summary="Values of a series",
    response_class=Response,
    responses={
        200: {
            "content": {
                _JSON: {
                    "example": {
                        **_ABOUT,
                        "start": "2025-12-31T23:00:00Z",
                        "end": "2026-01-01T23:00:00Z",
                        "at": ["2025-12-31T23:00:00Z", "2026-01-01T00:00:00Z"],
                        "length_s": [3600, 3600],
                        "value": [105.37, -0.01],
                        "next": None,
                    }
                }
            }
        },
        **refusals(404),
    },
    openapi_extra=parameters(SeriesQuery),
)
async def read_series(
    request: Request, series: str, _who: Who, asked: Annotated[SeriesQuery, query(SeriesQuery)]
) -> Response:
    """Values as they were told, in the series' unit, ordered; those that are not known are left out. `next` is the
    `start` of the next page."""
    services = services_of(request)

    def answer() -> bytes:
        with services.store.reading() as view:
            known = known_series(view, series)
            zone = known.market_time_zone or "UTC"
            first, last = view.price_span(known.series_no) or (0, -1)
            start_us = first * US_PER_DAY if asked.start is None else parse_moment(asked.start, zone, "start")
            end_us = (last + 1) * US_PER_DAY if asked.end is None else parse_moment(asked.end, zone, "end")
            if end_us <= start_us and None not in (asked.start, asked.end):
                raise BadInput.of([END_NOT_AFTER_START])
            until_us = None if asked.as_of is None else parse_moment(asked.as_of, zone, "as_of")
            low_us, high_us = max(start_us, first * US_PER_DAY), min(end_us, (last + 1) * US_PER_DAY)
            page = price_page(view, known, low_us, high_us, asked.limit, until_us)
        return _page_json(known, start_us, max(end_us, start_us), page)

    return Response(await run(services, answer, short=False), media_type=_JSON)


def _page_json(series: PriceSeries, start_us: int, end_us: int, page: PricePage) -> bytes:
    return orjson.dumps(
        {
            **_about(series),
            "start": iso_label(start_us),
            "end": iso_label(end_us),
            "at": iso_labels(page.start_us, None),
            "length_s": (page.length_us // US_PER_S).tolist(),
            "value": orjson.Fragment(f"[{','.join(page.values)}]"),
            "next": None if page.next_us is None else iso_label(page.next_us),
        }
    )
