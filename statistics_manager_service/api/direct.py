"""The question that is asked most, answered without the framework's machinery around it.

Matching routes and solving dependencies takes longer than the statistics of a household themselves. So a middleware
recognises their path and calls the same endpoint with the same model, caller and errors as the framework would, which
goes on to describe the endpoint and to answer everything else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from statistics_manager_service.api.auth import caller
from statistics_manager_service.api.errors import answer_to
from statistics_manager_service.api.statistics import StatisticsQuery, household_statistics
from statistics_manager_service.errors import StatisticsError

_PATH: Final = re.compile(r"/households/([^/]+)/statistics")


class Direct:
    """Answers GET …/households/{household}/statistics below a base path; passes everything else on."""

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app, self._base_path = app, base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(self._base_path):
            match = _PATH.fullmatch(scope["path"], len(self._base_path))
            if match is not None:
                response = await _answer(Request(scope, receive), match[1])
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


@lru_cache(maxsize=4096)
def _query(query_string: bytes) -> StatisticsQuery:
    """The question; the same one comes again and again. Raises ValidationError."""
    return StatisticsQuery.model_validate(dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)))


async def _answer(request: Request, household: str) -> Response:
    try:
        try:
            who = await caller(request)
            query = _query(request.scope["query_string"])
        except ValidationError as error:
            faults = [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False)]
            raise RequestValidationError(faults) from error
        return await household_statistics(request, household, query, who)
    except (StatisticsError, RequestValidationError) as error:
        return await answer_to(request, error)
