"""Structured logs: a static event name and key–value pairs, with the correlation id of the request."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

import orjson
import structlog
from structlog.typing import EventDict

#: The id of the request that is handled, which each of its log lines bears.
CORRELATION_ID: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def _with_correlation_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    correlation_id = CORRELATION_ID.get()
    if correlation_id is not None:
        event["correlation_id"] = correlation_id
    return event


def configure_logging(level: str, form: str) -> None:
    """Log to standard error from `level` on, as JSON lines or for a console."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode())
        if form == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            _with_correlation_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
