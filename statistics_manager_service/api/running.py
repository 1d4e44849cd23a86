"""Reaching the services, and running their blocking work from the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from statistics_manager_service.services.app import AppServices

Answer = TypeVar("Answer")


def services_of(request: Request) -> AppServices:
    """The services that the application was made with."""
    found: AppServices = request.app.state.services
    return found


async def run(services: AppServices, work: Callable[[], Answer], *, short: bool = True) -> Answer:
    """The result of `work`.

    A short read of the embedded store takes less than handing it to a thread would, so it runs where it stands; writes,
    long answers and a store across the network run in a thread.
    """
    if short and services.store_is_embedded:
        return work()
    return await run_in_threadpool(work)
