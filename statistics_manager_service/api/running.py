"""Reaching the services, and running their blocking work from the event loop.

Work that comes upon a household that nobody knows here is done once more, after the account manager was asked for it.
So a household that is known costs nothing for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from statistics_manager_service.errors import UnknownHousehold
from statistics_manager_service.services.app import AppServices

Answer = TypeVar("Answer")
Asked = TypeVar("Asked")
#: Threads for asking other services while a request waits: those that answer from the store must not be used up by it.
_ASKING: Final = CapacityLimiter(8)


def services_of(request: Request) -> AppServices:
    """The services that the application was made with."""
    found: AppServices = request.app.state.services
    return found


async def run(services: AppServices, work: Callable[[], Answer], *, short: bool = True) -> Answer:
    """The result of `work`, which is done a second time where it raises UnknownHousehold and such a household is found
    at the account manager: it changes nothing before it raises that.

    A short read of the embedded store takes less than handing it to a thread would, so it runs where it stands; writes,
    long answers and a store across the network run in a thread.
    """
    try:
        return await _once(services, work, short)
    except UnknownHousehold as unknown:
        if services.accounts.state is None or not await ask(services.accounts.learn, unknown.households):
            raise
    return await _once(services, work, short)


async def ask(learn: Callable[[Asked], bool], asked: Asked) -> bool:
    """Learn what was asked about from another service; whether there is more known now. Raises Unavailable."""
    return await to_thread.run_sync(learn, asked, limiter=_ASKING)


async def _once(services: AppServices, work: Callable[[], Answer], short: bool) -> Answer:
    if short and services.store_is_embedded:
        return work()
    return await run_in_threadpool(work)
