"""One error shape, and one table from exception to status."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from statistics_manager_service.errors import Fault, StatisticsError, Unavailable

INTERNAL = "something went wrong here; it has been logged"
WRITE_PATH = "/api/v2/write"
#: A body of a million faults would be answered with one of a hundred megabytes.
MOST_FAULTS = 100
#: What a status means, for the OpenAPI document.
MEANINGS = {
    400: "Something in the query, the body or `X-Correlation-ID` is wrong: `details` names all of it.",
    401: "No token, or one that is not trusted.",
    403: "The caller is known and may not do this.",
    404: "There is no such household, meter, event or token.",
    409: "It contradicts what is stored.",
    413: "The body is over `MAX_BODY_BYTES`, also when unpacked.",
    415: "A content type or encoding that is not read here.",
    503: "The store, or another service that the answer depends on, does not answer; `Retry-After` says when to try "
    "again.",
}
#: What a client is answered that has hung up, as proxies write it into their logs.
CLIENT_GONE = 499
_METHODS = ("GET", "PUT", "PATCH", "POST", "DELETE")
_CODES = {404: "not_found", 405: "method_not_allowed"}
_LOG = structlog.get_logger()
#: Words that InfluxDB's clients know.
_INFLUX_CODES = {400: "invalid", 401: "unauthorized", 403: "forbidden", 404: "not found", 413: "request too large"}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that an endpoint raises itself, for the OpenAPI document, which adds those that follow from what it
    takes."""
    return {status: {"description": MEANINGS[status]} for status in statuses}


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
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_allowed(request))
    return _answer(request, error.status_code, code, sentence, [], headers)


def _allowed(request: Request) -> list[str]:
    """The methods of a path. The framework names those of the first route that has it, and a path has several."""
    scope = dict(request.scope)
    allowed = []
    for method in _METHODS:
        scope["method"] = method
        if any(route.matches(dict(scope))[0] is Match.FULL for route in request.app.routes):
            allowed.append(method)
    return [*(["HEAD"] if "GET" in allowed else []), *allowed]


async def _gone(request: Request, _error: Exception) -> Response:
    """The client has hung up while it sent its body: nobody is there to be answered, and nothing here has failed."""
    _LOG.info("client_gone", path=request.url.path)
    return Response(status_code=CLIENT_GONE)


async def answer_to(request: Request, error: StatisticsError) -> Response:
    """The answer to an error of an endpoint that was called without the framework."""
    return await _ours(request, error)


async def _unforeseen(request: Request, _error: Exception) -> Response:
    """What was not foreseen; it is logged by the middleware, to which it is raised on."""
    return _answer(request, 500, StatisticsError.code, INTERNAL, [])


def handle_errors(app: FastAPI) -> None:
    """Answer every error in the one shape."""
    app.add_exception_handler(StatisticsError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unforeseen)
