"""The application: routers, errors, what happens around every request, and the API's own page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from statistics_manager_service import __version__
from statistics_manager_service.api import (
    carbon,
    comparing,
    data_quality,
    energy_flows,
    explaining,
    exporting,
    flexihome,
    forecasts,
    goals,
    groups,
    health,
    households,
    insight,
    live_costs,
    price_series,
    producers,
    readings,
    reconciling,
    records,
    statements,
    statistics,
    tariffs,
)
from statistics_manager_service.api.direct import Direct
from statistics_manager_service.api.document import describe
from statistics_manager_service.api.errors import handle_errors
from statistics_manager_service.api.middleware import Around
from statistics_manager_service.services.app import AppServices

BASE_PATH = "/api/statistics"
_ABOUT = """Telemetry of homes in; energy, power, voltage and self-consumption out, by quarter-hour, hour, day, week,
month, year or billing cycle of any IANA zone.

Energies are exact to the milliwatt-hour, every answer says what share of it was measured, estimated or is missing, and
`null` is unknown. Errors are `{"error", "code", "details": [{"where", "why"}], "correlation_id"}`."""


class Service:
    """The ASGI application. What is around every request lies outside of the framework's own layers."""

    def __init__(self, framework: FastAPI, services: AppServices) -> None:
        self._framework = framework
        self._outer = Around(Direct(framework, BASE_PATH, services), services.settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or the lifespan."""
        scope["app"] = self._framework
        await self._outer(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self._framework.openapi()


def create_app(services: AppServices) -> Service:
    """The ASGI application over the services."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        services.begin()
        yield
        await run_in_threadpool(services.end)

    app = FastAPIOffline(
        lifespan=lifespan,
        title="FlexiHome statistics manager",
        version=__version__,
        description=_ABOUT,
        docs_url=f"{BASE_PATH}/docs",
        redoc_url=None,
        openapi_url=f"{BASE_PATH}/openapi.json",
        static_url=f"{BASE_PATH}/docs-static",
    )
    app.state.services = services
    for router in (
        statistics.router,
        energy_flows.router,
        records.router,
        goals.router,
        data_quality.router,
        explaining.router,
        statements.router,
        live_costs.router,
        insight.router,
        comparing.router,
        reconciling.router,
        flexihome.router,
        forecasts.router,
        readings.router,
        households.router,
        exporting.router,
        producers.router,
        carbon.router,
        groups.router,
        tariffs.router,
        price_series.router,
    ):
        app.include_router(router, prefix=BASE_PATH)
    app.include_router(health.router, prefix=BASE_PATH)
    app.include_router(health.router, include_in_schema=False)
    app.include_router(readings.line_protocol_router)
    handle_errors(app)
    describe(app)
    return Service(app, services)
