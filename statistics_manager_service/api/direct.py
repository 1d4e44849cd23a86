"""The question that is asked most, answered without the framework's machinery around it.

Matching routes and solving dependencies takes longer than the statistics of a household themselves. So a middleware
recognises their path and answers by the endpoint's own model, caller, function and errors. The framework goes on to
describe the endpoint, and answers everything else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from statistics_manager_service.api.auth import caller_of
from statistics_manager_service.api.encoding import JSON
from statistics_manager_service.api.errors import answer_to
from statistics_manager_service.api.queries import read_query
from statistics_manager_service.api.statistics import StatisticsQuery, statistics_answer
from statistics_manager_service.errors import StatisticsError
from statistics_manager_service.services.accounts.access import require_read
from statistics_manager_service.services.app import AppServices

_PATH: Final = re.compile(r"/households/([^/]+)/statistics")


class Direct:
    """Answers GET …/households/{household}/statistics below a base path; passes everything else on."""

    def __init__(self, app: ASGIApp, base_path: str, services: AppServices) -> None:
        self._app, self._base_path, self._services = app, base_path, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(self._base_path):
            match = _PATH.fullmatch(scope["path"], len(self._base_path))
            if match is not None:
                await self._answer(match[1], scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _answer(self, household: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, media = await self._body(household, scope)
        except StatisticsError as error:
            response = await answer_to(Request(scope, receive), error)
            await response(scope, receive, send)
            return
        if media != JSON:
            await Response(body, media_type=media)(scope, receive, send)
            return
        headers = [(b"content-length", str(len(body)).encode()), (b"content-type", JSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _body(self, household: str, scope: Scope) -> tuple[bytes, str]:
        authorization, accept = None, ""
        for name, value in reversed(scope["headers"]):  # of several the first counts
            if name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == b"accept":
                accept = value.decode("latin-1")
        who = await caller_of(self._services, authorization)
        require_read(who, household)  # before the query is read: of its faults others are told nothing
        self._services.accounts.seen((household,))
        return await statistics_answer(self._services, household, _query(scope["query_string"]), who, accept)


@lru_cache(maxsize=4096)
def _query(query_string: bytes) -> StatisticsQuery:
    """The question; the same one comes again and again. Raises BadInput."""
    return read_query(StatisticsQuery, query_string)
