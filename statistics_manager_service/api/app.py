"""The application: routers, errors, what happens around every request, and the API's own page."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from statistics_manager_service import __version__
from statistics_manager_service.api import flexihome, health, households, producers, readings, statistics
from statistics_manager_service.api.errors import handle_errors
from statistics_manager_service.api.middleware import Around
from statistics_manager_service.services.app import AppServices

BASE_PATH = "/api/statistics"
_ABOUT = """Telemetry of homes in; energy, power, voltage and self-consumption out, by quarter-hour, hour, day, week,
month, year or billing cycle of any IANA zone.

Energies are exact to the milliwatt-hour, every answer says what share of it was measured, estimated or is missing, and
`null` is unknown. Errors are `{"error", "code", "details": [{"where", "why"}], "correlation_id"}`."""


def create_app(services: AppServices) -> FastAPI:
    """The ASGI application over the services."""
    app = FastAPIOffline(
        title="FlexiHome statistics manager",
        version=__version__,
        description=_ABOUT,
        docs_url=f"{BASE_PATH}/docs",
        redoc_url=None,
        openapi_url=f"{BASE_PATH}/openapi.json",
        static_url=f"{BASE_PATH}/docs-static",
    )
    app.state.services = services
    for router in (statistics.router, flexihome.router, readings.router, households.router, producers.router):
        app.include_router(router, prefix=BASE_PATH)
    app.include_router(health.router, prefix=BASE_PATH)
    app.include_router(health.router, include_in_schema=False)
    app.include_router(readings.line_protocol_router)
    handle_errors(app)
    app.add_middleware(Around, max_body_bytes=services.settings.max_body_bytes)
    return app
