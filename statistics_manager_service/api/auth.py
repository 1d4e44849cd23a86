"""Who calls, from the Authorization header."""

from __future__ import annotations

from fastapi import Request

from statistics_manager_service.services.access import Caller


async def caller(request: Request) -> Caller:
    """Who calls. Raises NotAuthenticated."""
    found: Caller = request.app.state.services.tokens.caller(request.headers.get("authorization"))
    return found
