"""kill -9 in the middle of writing: what was acknowledged is there, nothing is half-done, and the books still balance.

The kills come at random instants of a running stream; `pytest -s` prints how much was acknowledged and found.
`KILL_ROUNDS` in the environment says how many there are (20 unless set).
"""

from __future__ import annotations

import os
import pathlib
import random
import threading
import time
from datetime import datetime
from typing import Any

import httpx
from forked import command_done
from servers import PostgresServer, RunningService

from statistics_manager_service.storage.migrate import migrate

ROUNDS, POSTGRES_ROUNDS = int(os.environ.get("KILL_ROUNDS", "20")), 5
HOME = "home1"
START_S = 1_683_700_000
STEP_S, BATCH = 60, 30
METERS = ("json", "lines")


def value_wh(i: int) -> int:
    """What the register shows at its i-th reading: it rises, and now and then one is a glitch."""
    return 0 if i % 97 == 5 else 1000 + 10 * i


class Writer:
    """Writes one register in batches until it is told to stop; keeps what was sent and what was acknowledged."""

    def __init__(self, meter: str) -> None:
        self.meter, self.next_batch = meter, 0
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.cut = 0

    def write(self, service: RunningService, stop: threading.Event) -> None:
        """Batches of 30 readings, those of each group of four out of order."""
        headers = {"Authorization": f"Bearer {service.token()}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=30, verify=False) as client:
            while not stop.is_set():
                group, place = divmod(self.next_batch, 4)
                batch = group * 4 + (1, 3, 0, 2)[place]
                self.next_batch += 1
                self.sent.add(batch)
                try:
                    answer = self._post(client, list(range(batch * BATCH, (batch + 1) * BATCH)))
                except httpx.ConnectError:
                    return
                except httpx.TransportError:
                    self.cut += 1
                    continue
                if answer.status_code == 503:  # the store is away: nothing is promised
                    self.cut += 1
                    stop.wait(0.02)
                    continue
                assert answer.status_code in (200, 204), answer.text
                self.acknowledged.add(batch)

    def _post(self, client: httpx.Client, readings: list[int]) -> httpx.Response:
        at = [START_S + i * STEP_S for i in readings]
        if self.meter == "lines":
            lines = [
                f"x,household={HOME},meter=lines energy_import={value_wh(i)} {t}"
                for i, t in zip(readings, at, strict=True)
            ]
            return client.post("/api/v2/write?precision=s", content="\n".join(lines))
        told = {"meter": "json", "quantity": "energy_import", "kind": "register", "unit": "Wh", "at": at}
        told["value"] = [value_wh(i) for i in readings]
        return client.post("/api/statistics/readings", json={"household": HOME, "readings": [told]})

    def check(self, service: RunningService) -> tuple[int, int]:
        """The number of readings acknowledged, and of those found. Batches are whole or absent; nothing is invented."""
        found = readings_of(service, self.meter)
        count = 0
        for batch in sorted(self.sent):
            there = [
                i for i in range(batch * BATCH, (batch + 1) * BATCH) if found.get(START_S + i * STEP_S) is not None
            ]
            assert len(there) in (0, BATCH), f"batch {batch} of {self.meter} is half-done: {len(there)} readings"
            count += len(there) * (batch in self.acknowledged)
        assert len(found) <= len(self.sent) * BATCH
        for at_s, value in found.items():
            assert value == value_wh((at_s - START_S) // STEP_S)
        return len(self.acknowledged) * BATCH, count


class Corrector:
    """Writes other values for one instant, one after the other: the last one acknowledged counts."""

    def __init__(self) -> None:
        self.sent = self.acknowledged = 0

    def write(self, service: RunningService, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {service.token()}"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=30, verify=False) as client:
            while not stop.is_set():
                self.sent += 1
                line = f"x,household={HOME},meter=corrected energy_import={self.sent} {START_S}"
                try:
                    answer = client.post("/api/v2/write?precision=s", content=line)
                except httpx.ConnectError:
                    return
                except httpx.TransportError:
                    continue
                if answer.status_code == 204:
                    self.acknowledged = self.sent

    def check(self, service: RunningService) -> None:
        (value,) = readings_of(service, "corrected").values()
        assert self.acknowledged <= value <= self.sent


def readings_of(service: RunningService, meter: str) -> dict[int, float]:
    """All readings of a meter by REST, page by page: {instant in seconds: value}."""
    found: dict[int, float] = {}
    query: dict[str, Any] = {"limit": 5000}
    while True:
        answer = service.call("GET", f"/households/{HOME}/meters/{meter}/readings", params=query)
        assert answer.status_code == 200, answer.text
        (channel,) = answer.json()["channels"]
        instants = [int(datetime.fromisoformat(text).timestamp()) for text in channel["at"]]
        found |= dict(zip(instants, channel["value"], strict=True))
        if channel["next"] is None:
            return found
        query["start"] = channel["next"]


def verified(url: str) -> str:
    """What `statistics-manager verify` says of the store; it exits with 0."""
    done = command_done("verify", environment={**os.environ, "DATABASE_URL": url}, timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


class Stream:
    """Writers in threads, over one service after another."""

    def __init__(self) -> None:
        self.writers, self.corrector = [Writer(meter) for meter in METERS], Corrector()
        self.faults: list[BaseException] = []

    def _run(self, work: Any, service: RunningService, stop: threading.Event) -> None:
        try:
            work(service, stop)
        except BaseException as error:
            self.faults.append(error)

    def run(self, service: RunningService, kill: Any) -> None:
        """Write; call `kill` in the middle of it; stop."""
        stop = threading.Event()
        some = [*self.writers, self.corrector]
        threads = [threading.Thread(target=self._run, args=(one.write, service, stop)) for one in some]
        for thread in threads:
            thread.start()
        kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert self.faults == []

    def check(self, service: RunningService, url: str, name: str, rounds: int) -> None:
        """Compare what is there with what was promised, and print the figures."""
        figures = [one.check(service) for one in self.writers]
        self.corrector.check(service)
        service.stop()
        said = verified(url)
        acknowledged, found = (sum(column) for column in zip(*figures, strict=True))
        cut = sum(one.cut for one in self.writers)
        print(  # noqa: T201 - the figures are worth a look
            f"\n{name}, {rounds} times: {acknowledged} readings acknowledged, {found} found; {cut} writes cut; {said}"
        )
        assert said.endswith(": 0 differences")
        assert found == acknowledged
        assert acknowledged > 0
        assert cut > rounds // 2, "the kills have not come in the middle of writing"


def put_home(service: RunningService) -> None:
    assert service.call("PUT", f"/households/{HOME}", json={}).status_code == 201


def test_what_was_acknowledged_survives_kill_9_of_the_service(database_url: str) -> None:
    rng = random.Random(9)
    stream = Stream()
    with RunningService({"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR"}) as service:
        put_home(service)

        def kill() -> None:
            time.sleep(rng.uniform(0.1, 0.5))
            service.kill9()

        for _ in range(ROUNDS):
            stream.run(service, kill)
            service.start()
        stream.check(service, database_url, f"kill -9 of the service on {database_url.split(':')[0]}", ROUNDS)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill9_all(server: PostgresServer) -> None:
    """End PostgreSQL with all its processes at once, as when the machine goes down."""
    assert server.process is not None
    backends = children_of(server.process.pid)
    server.kill9()
    for pid in backends:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in backends):
        time.sleep(0.01)


def test_what_was_acknowledged_survives_kill_9_of_postgresql() -> None:
    """The service stays up: it answers 503 meanwhile, and goes on by itself when the store is back."""
    rng = random.Random(9)
    stream = Stream()
    with PostgresServer() as server:
        url = server.create_database()
        migrate(url)
        with RunningService({"DATABASE_URL": url, "LOG_LEVEL": "ERROR"}) as service:
            put_home(service)

            def kill() -> None:
                time.sleep(rng.uniform(0.3, 0.9))
                kill9_all(server)
                time.sleep(0.1)

            for _ in range(POSTGRES_ROUNDS):
                stream.run(service, kill)
                answer = service.call("GET", f"/households/{HOME}")
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
                server.start()
                assert service.call("GET", f"/households/{HOME}").status_code == 200
            stream.check(service, url, "kill -9 of PostgreSQL", POSTGRES_ROUNDS)
