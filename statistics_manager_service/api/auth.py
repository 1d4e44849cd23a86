"""Who calls, from the Authorization header."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from statistics_manager_service.services.access import Caller

#: For the OpenAPI document, so that its page lets people authorize; the header itself is read below.
_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="A JWT, or a device token.")


async def caller(
    request: Request, _told: Annotated[HTTPAuthorizationCredentials | None, Security(_TOKEN)] = None
) -> Caller:
    """Who calls. Raises NotAuthenticated."""
    found: Caller = request.app.state.services.tokens.caller(request.headers.get("authorization"))
    return found
