"""Health: the state of the service and of what it depends on."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request, Response

from statistics_manager_service import __version__
from statistics_manager_service.api.running import run, services_of
from statistics_manager_service.errors import Unavailable

router = APIRouter(tags=["Health"])


@router.get("/health", summary="Health", response_class=Response)
async def health(request: Request) -> Response:
    """200 and the state of each dependency; `status` is `ok` or `degraded`. `events`: how many are not yet told, wait
    for another try, are set aside; null where that is not known. No token."""
    services = services_of(request)
    dependencies = {"store": "ok"}
    if services.accounts.state is not None:
        dependencies["account_manager"] = services.accounts.state
    if services.tokens.blacklist is not None:
        dependencies["token_blacklist"] = services.tokens.blacklist.state
    try:
        await run(services, services.store.check)
    except Unavailable:
        dependencies["store"] = "down"
    beside = await run(services, services.state_beside)
    if beside["kafka"] is not None:
        dependencies["kafka"] = beside["kafka"]
    body = {
        "status": "degraded" if "down" in dependencies.values() else "ok",
        "version": __version__,
        "dependencies": dependencies,
        "events": beside["events"],
    }
    return Response(orjson.dumps(body), media_type="application/json")
