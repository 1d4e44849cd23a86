"""Who calls, from the Authorization header."""

from __future__ import annotations

from typing import Annotated, Final

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from statistics_manager_service.services.accounts.access import Caller
from statistics_manager_service.services.app import AppServices

#: Threads for that: whoever is known already needs the others.
_VERIFYING: Final = CapacityLimiter(16)
#: For the OpenAPI document, so that its page lets people authorize; the header itself is read below.
_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="A JWT, or a device token.")


async def caller(
    request: Request, _told: Annotated[HTTPAuthorizationCredentials | None, Security(_TOKEN)] = None
) -> Caller:
    """Who calls. Raises NotAuthenticated."""
    services: AppServices = request.app.state.services
    who = await caller_of(services, request.headers.get("authorization"))
    if "household" in request.path_params:
        services.accounts.seen([request.path_params["household"]])
    return who


async def caller_of(services: AppServices, header: str | None) -> Caller:
    """Who calls, by the text of the Authorization header. Raises NotAuthenticated."""
    known = services.tokens.known(header)
    if known is not None:
        return known
    # a new token may need its issuer's keys from far away, or a store's answer: others must not wait for that
    return await to_thread.run_sync(services.tokens.caller, header, limiter=_VERIFYING)
