"""Workers: they outlive what fails, rest where there is nothing to do, and end when they are asked to."""

from __future__ import annotations

import threading
import time

import pytest

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.services.events.working import Duty, Workers

WAIT_S = 20


@pytest.mark.parametrize("failure", [Unavailable("it is down"), ValueError("a fault of ours"), KeyError("x")], ids=repr)
def test_a_duty_goes_on_after_its_step_failed(failure: Exception) -> None:
    calls: list[float] = []
    went_on = threading.Event()

    def step() -> int:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise failure
        went_on.set()
        return 0

    workers = Workers([Duty("failing", step, 0.01)])
    workers.start()
    assert went_on.wait(WAIT_S)
    workers.stop()
    assert calls[1] - calls[0] >= 0.5  # not at once: what failed would be asked without end


def test_a_failing_duty_stops_no_other() -> None:
    def fail() -> int:
        raise ValueError("always")

    done = threading.Semaphore(0)

    def work() -> int:
        done.release()
        return 0

    workers = Workers([Duty("failing", fail, 0.01), Duty("working", work, 0.01)])
    workers.start()
    assert all(done.acquire(timeout=WAIT_S) for _ in range(5))
    workers.stop()


def test_there_is_a_rest_after_nothing_to_do_alone() -> None:
    left = [1] * 1000
    emptied = threading.Event()
    rests = 0

    def step() -> int:
        nonlocal rests
        if left:
            return left.pop()
        rests += 1
        emptied.set()
        return 0

    workers = Workers([Duty("emptying", step, 3600)])
    workers.start()
    assert emptied.wait(WAIT_S)
    workers.stop()  # at once, in the middle of the rest
    assert rests == 1


def test_stopping_ends_the_step_under_way_and_drains_after_it() -> None:
    order: list[str] = []
    began, may_end = threading.Event(), threading.Event()

    def step() -> int:
        began.set()
        assert may_end.wait(WAIT_S)
        order.append("step")
        return 1

    workers = Workers([Duty("slow", step, 0)], lambda: order.append("drained"))
    workers.start()
    assert began.wait(WAIT_S)
    stopping = threading.Thread(target=workers.stop)
    stopping.start()
    time.sleep(0.05)
    assert order == []
    may_end.set()
    stopping.join(WAIT_S)
    assert order == ["step", "drained"]


def test_steps_that_never_end_hold_up_stopping_together_for_the_time_of_one() -> None:
    drained: list[bool] = []
    release = threading.Event()
    duties = [Duty(f"stuck {i}", lambda: int(release.wait(WAIT_S)), 0) for i in range(5)]
    workers = Workers(duties, lambda: drained.append(True), stop_within_s=0.5)
    workers.start()
    stopping = threading.Thread(target=workers.stop)
    stopping.start()
    stopping.join(WAIT_S / 2)
    assert not stopping.is_alive()
    assert drained == [True]
    release.set()


def test_workers_that_never_began_can_be_stopped() -> None:
    drained: list[bool] = []
    Workers([Duty("idle", lambda: 0, 1)], lambda: drained.append(True)).stop()
    assert drained == [True]
