"""The OpenAPI document: what the framework can't know of the answers is put in, what is not so is taken out."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from statistics_manager_service.api.errors import MEANINGS, WRITE_PATH

_JSON = "application/json"
_TEXT = {"type": "string"}
_FAULT = {"type": "object", "required": ["where", "why"], "properties": {"where": _TEXT, "why": _TEXT}}
#: The shapes of errors; InfluxDB's writers know their own.
_SCHEMAS: dict[str, dict[str, Any]] = {
    "Error": {
        "type": "object",
        "required": ["error", "code", "details", "correlation_id"],
        "properties": {
            "error": {**_TEXT, "description": "One sentence for people."},
            "code": {**_TEXT, "description": "One word for programs.", "examples": ["bad_input"]},
            "details": {"type": "array", "items": _FAULT, "description": "All that is wrong, and where."},
            "correlation_id": {**_TEXT, "format": "uuid", "description": "Stands in the logs, too."},
        },
    },
    "WriteError": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {**_TEXT, "examples": ["invalid"]},
            "message": _TEXT,
            "line": {"type": "integer", "description": "The first line that is refused."},
        },
    },
}


def describe(app: FastAPI) -> None:
    """Have the application serve a document that is true."""
    by_framework = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _correct(by_framework())
        return by_framework()

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's own way to change the document


def _correct(document: dict[str, Any]) -> None:
    document["components"]["schemas"] = _SCHEMAS
    for path, operations in document["paths"].items():
        shape = "WriteError" if path == WRITE_PATH else "Error"
        for operation in operations.values():
            operation["responses"] = _responses(operation, shape)


def _responses(operation: dict[str, Any], shape: str) -> dict[str, Any]:
    """The answers of an operation by status: its own, and those that follow from what it takes."""
    told = {int(status): answer for status, answer in operation["responses"].items()}
    told.pop(422, None)  # the framework's word for bad input, which is 400 here
    statuses = {400}
    if "security" in operation:
        statuses |= {401, 503}
    if "requestBody" in operation:
        statuses |= {413, 415}
    for status in statuses:
        told.setdefault(status, {"description": MEANINGS[status]})
    for status, answer in told.items():
        if status >= 400:
            content = answer.setdefault("content", {}).setdefault(_JSON, {})
            content["schema"] = {"$ref": f"#/components/schemas/{shape}"}
        elif status != 204:
            answer.setdefault("content", {_JSON: {}})
    return {str(status): told[status] for status in sorted(told)}
