"""One error shape, and one table from exception to status."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from statistics_manager_service.errors import Fault, StatisticsError, Unavailable

INTERNAL = "something went wrong here; it has been logged"
WRITE_PATH = "/api/v2/write"
#: A body of a million faults would be answered with one of a hundred megabytes.
MOST_FAULTS = 100
_CODES = {404: "not_found", 405: "method_not_allowed"}
_LOG = structlog.get_logger()
#: Words that InfluxDB's clients know.
_INFLUX_CODES = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found", 413: "request too large"}


def error_body(path: str, correlation_id: str, status: int, code: str, sentence: str, faults: list[Fault]) -> bytes:
    """The body of an error: the one shape, or InfluxDB's where its writers call."""
    if path == WRITE_PATH:
        return orjson.dumps({"code": _INFLUX_CODES.get(status, code), "message": sentence})
    body: dict[str, Any] = {"error": sentence, "code": code}
    body["details"] = [{"where": _text(one.where), "why": _text(one.why)} for one in faults[:MOST_FAULTS]]
    body["correlation_id"] = correlation_id
    return orjson.dumps(body)


def _text(text: str) -> str:
    """Text that can be encoded: a lone surrogate of the input is shown as it was escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _answer(
    request: Request, status: int, code: str, sentence: str, faults: list[Fault], headers: dict[str, str] | None = None
) -> Response:
    correlation_id = request.scope.get("correlation_id", "")
    body = error_body(request.url.path, correlation_id, status, code, _text(sentence), faults)
    return Response(body, status, headers, "application/json")


async def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, StatisticsError):
        raise error
    headers = {}
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
        _LOG.warning("unavailable", reason=str(error), cause=repr(error.__cause__))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _answer(request, error.status, error.code, error.sentence, list(error.faults), headers)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [
        Fault(".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), str(one["msg"]))
        for one in error.errors()
    ]
    first = faults[0]
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return _answer(request, 400, "bad_input", f"{first.where}: {first.why}{more}", faults)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    sentences = {
        404: f"there is nothing at {request.url.path[:200]}",
        405: f"{request.method[:20]} is not a method of {request.url.path[:200]}",
    }
    sentence = sentences.get(error.status_code, str(error.detail))
    code = _CODES.get(error.status_code, "refused")
    return _answer(request, error.status_code, code, sentence, [], dict(error.headers or {}))


async def answer_to(request: Request, error: StatisticsError | RequestValidationError) -> Response:
    """The answer to an error of an endpoint that was called without the framework."""
    return await (_ours if isinstance(error, StatisticsError) else _invalid)(request, error)


async def _unforeseen(request: Request, _error: Exception) -> Response:
    """What was not foreseen; it is logged by the middleware, to which it is raised on."""
    return _answer(request, 500, StatisticsError.code, INTERNAL, [])


def handle_errors(app: FastAPI) -> None:
    """Answer every error in the one shape."""
    app.add_exception_handler(StatisticsError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)
