"""`statistics-manager events …`: work off events apart from the service, look at those that wait or are set aside."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from statistics_manager_service import bootstrap
from statistics_manager_service.bootstrap.events import Running, inbox_of
from statistics_manager_service.cli.opening import existing_store, settings
from statistics_manager_service.errors import NotFound, StatisticsError
from statistics_manager_service.observability import configure_logging

events_app = typer.Typer(no_args_is_help=True, help="Events: working them off, and those that failed.")
_MOST_SHOWN = 1_000
_LARGEST_NUMBER = 2**63 - 1


@events_app.command("work")
def work() -> None:
    """Bring and handle events until stopped, as the service does beside its answers; then drain."""
    found = settings()
    configure_logging(found.log_level, found.log_format)
    store = existing_store()
    running = Running(found, store, bootstrap.recorder_of(store), bootstrap.now_us)
    stopped = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stopped.set())
    running.start()
    stopped.wait()
    running.stop()


@events_app.command("status")
def status() -> None:
    """How many events are not yet told, wait for another try, and are set aside."""
    with existing_store().reading() as view:
        counts = view.event_counts()
    found = settings()
    is_known = found.kafka_relay or not found.kafka_broker_endpoint  # else another one reads the table's log
    untold = f"{counts.untold} not yet told, " if is_known else ""
    print(f"{untold}{counts.waiting} waiting, {counts.set_aside} set aside")


@events_app.command("list")
def list_events() -> None:
    """The events that are set aside: number, type, household, and why; and those that wait for another try."""
    with existing_store().reading() as view:
        set_aside, waiting = view.set_aside_events(_MOST_SHOWN), view.waiting_events(_MOST_SHOWN)
    for one in set_aside:
        print(_line(f"{one.sequence}  {one.event_type}  {one.key or '-'}  {one.reason}"))
    for each in waiting:
        tried = f"waits, tried {each.attempts} times: {each.reason}"
        print(_line(f"-  {each.event_type}  {each.key or '-'}  {tried}"))
    told = f"{len(set_aside)} events are set aside, {len(waiting)} wait"
    print(told, file=typer.get_text_stream("stderr"))


@events_app.command("retry")
def retry(
    number: Annotated[int | None, typer.Argument(min=1, max=_LARGEST_NUMBER, help="Its number in the list.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be read.")] = False,
) -> None:
    """Let set-aside events be handled again; the service does it soon."""
    if (number is None) == (not everything):
        raise StatisticsError("tell the number of one event, or --all")
    store = existing_store()
    inbox = inbox_of(settings(), store, bootstrap.recorder_of(store), bootstrap.now_us)
    if number is not None:
        if not inbox.requeue(number):
            raise NotFound(f"no event {number} is set aside")
        print("It is handled again soon.")
        return
    with store.reading() as view:
        found = view.set_aside_events(_MOST_SHOWN)
    count = 0
    for one in found:
        try:
            count += inbox.requeue(one.sequence)
        except StatisticsError as error:
            print(f"{one.sequence}: {error.sentence}", file=typer.get_text_stream("stderr"))
    print(f"{count} of {len(found)} events are handled again soon.")


def _line(text: str) -> str:
    """A text as one line, whatever a message's sender put into it: nothing in it steers the terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
