"""Structured logs: a static event name and key–value pairs, with the correlation id of the request."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

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


def _of_library(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A library's line: its text differs from time to time, so it is a value, and the event's name is static."""
    record: logging.LogRecord = event["_record"]
    return {**event, "event": "library_message", "logger": record.name, "message": str(event["event"]).strip()}


def _json(event: EventDict, **_: Any) -> str:
    """A line. What somebody sent may be quoted in it, such as half of a surrogate pair, which the fast encoder refuses;
    that must not end the work that is told of."""
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:
        return json.dumps(event, default=str, skipkeys=True)


def configure_logging(level: str, form: str) -> None:
    """Log to standard error from `level` on, as JSON lines or for a console; what libraries log and warn of, too."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_json) if form == "json" else structlog.dev.ConsoleRenderer()
    )
    common: list[structlog.typing.Processor] = [
        _with_correlation_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_of_library, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # what libraries tell below a warning is about themselves
    least = max(logging.WARNING, logging.getLevelNamesMapping()[level])
    logging.basicConfig(level=least, handlers=[handler], force=True)
    logging.captureWarnings(True)
