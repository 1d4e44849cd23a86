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
    """200 and the state of each dependency; `status` is `ok` or `degraded`. No token."""
    services = services_of(request)
    try:
        await run(services, services.store.check)
        state = "ok"
    except Unavailable:
        state = "down"
    body = {
        "status": "ok" if state == "ok" else "degraded",
        "version": __version__,
        "dependencies": {"store": state},
    }
    return Response(orjson.dumps(body), media_type="application/json")
