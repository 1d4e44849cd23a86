"""Events on a real broker and a real PostgreSQL while both, and the workers, are killed: each once in effect, none
lost."""

from __future__ import annotations

import pathlib
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import chaos_worker
import pytest
import sqlalchemy as sa
from chaos_worker import EVENT_TYPE, now_us
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from forked import Forked
from kafka_server import KafkaServer
from servers import PostgresServer

from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.wire import body_of
from statistics_manager_service.services.events.events import new_event
from statistics_manager_service.storage.database import SqlStore, open_engine
from statistics_manager_service.storage.migrate import migrate

EVENTS, KEYS, POISON = 1_000, 40, 10
DATABASE_GONE_S = 10
WAIT_S = 180


class Chaos:
    """A broker, a database and workers of a test's own."""

    def __init__(self, kafka: KafkaServer, postgres: PostgresServer, folder: pathlib.Path) -> None:
        self.kafka, self.postgres, self.folder = kafka, postgres, folder
        self.url, self.prefix = postgres.create_database(), f"chaos{secrets.token_hex(3)}"
        migrate(self.url)
        self.store = SqlStore(open_engine(self.url))
        self.workers: list[Forked] = []
        # so many partitions that each of several workers has some, whatever the others have.
        admin = AdminClient({"bootstrap.servers": kafka.endpoint})
        topics = [NewTopic(f"{self.prefix}.statistics", 12, 1), NewTopic(f"{self.prefix}.account", 1, 1)]
        for made in admin.create_topics(topics).values():
            made.result()
        self.produced, self.pause_s = 0, 0.1
        with self.store.writing() as view:
            view.connection.execute(sa.text("CREATE TABLE effects (place bigserial primary key, key text, number int)"))

    def start_worker(self, **more: int) -> Forked:
        told = {"url": self.url, "broker": self.kafka.endpoint, "prefix": self.prefix, "log": str(self.folder / "log")}
        worker = Forked(chaos_worker.main, told | more)
        self.workers.append(worker)
        return worker

    def stop_worker(self, worker: Forked) -> None:
        worker.terminate()
        assert worker.wait(60) == 0

    def produce(self) -> None:
        """Put the events into the outbox; where the database is gone, again."""
        for number in range(EVENTS):
            key = f"home{number % KEYS}"
            event = new_event(EVENT_TYPE, key, {"user_id": key, "number": number}, now_us())
            while True:
                try:
                    with self.store.writing() as view:
                        view.add_event(event)
                    break
                except Unavailable:
                    time.sleep(0.2)
                except sa.exc.IntegrityError:
                    break  # it was committed, and the answer to that lost
            self.produced += 1
            time.sleep(random.uniform(0, 2 * self.pause_s))

    def last(self, seconds: float) -> None:
        """Let what is still to be produced take so long."""
        self.pause_s = seconds / max(EVENTS - self.produced, 1)

    def send(self, bodies: list[bytes], key: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.kafka.endpoint, "enable.idempotence": True})
        for body in bodies:
            producer.produce(f"{self.prefix}.statistics", body, key)
        assert producer.flush(30) == 0

    def effects(self) -> list[tuple[str, int]]:
        try:
            with self.store.reading() as view:
                rows = view.connection.execute(sa.text("SELECT key, number FROM effects ORDER BY place")).all()
        except Unavailable:
            return []
        return [(row[0], row[1]) for row in rows]

    def outcomes(self) -> Counter[str]:
        return Counter((self.folder / "log").read_text().split())

    def dead_letters(self, count: int) -> Counter[bytes]:
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.endpoint, "group.id": "look", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([f"{self.prefix}.statistics.dead-letter"])
        found: Counter[bytes] = Counter()

        def look() -> bool:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found[message.value() or b""] += 1
            return len(found) >= count

        eventually(look, "dead letters")
        consumer.close()
        return found


def eventually(look: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < until, f"in {WAIT_S} s not all {what}"
        time.sleep(0.2)


@pytest.fixture
def chaos(kafka_jars: None, postgres: PostgresServer, tmp_path: pathlib.Path) -> Iterator[Chaos]:
    """A broker and a database of the test's own, as they are killed: to recover many databases would take minutes."""
    # the session's own database is asked for so that where none can be had this fails, or is passed over, as it is
    with KafkaServer() as broker, PostgresServer() as database:
        found = Chaos(broker, database, tmp_path)
        yield found
        for worker in found.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        found.store.close()


@pytest.mark.timeout(400)
def test_a_thousand_events_are_each_handled_once_whatever_is_killed(
    chaos: Chaos, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    first, second = chaos.start_worker(), chaos.start_worker()
    producing = threading.Thread(target=chaos.produce)
    producing.start()
    eventually(lambda: len(chaos.effects()) > 20, "first events")

    # the same message ten times, and ten that can't be read
    repeated = body_of(new_event(EVENT_TYPE, "repeated", {"user_id": "repeated", "number": 0}, now_us()))
    poison = [b"\xff poison %d" % i for i in range(POISON // 2)] + [b'{"payload": %d}' % i for i in range(POISON // 2)]
    chaos.send([repeated] * 10, b"repeated")
    chaos.send(poison, b"poison")

    # workers that die between the store's commit and the offset's
    for _ in range(3):
        assert chaos.start_worker(die_after=5).wait(60) == -9
    # one that dies at any instant, one that joins the group and leaves it
    second.kill()
    second.wait()
    visitor = chaos.start_worker()

    chaos.last(30)
    chaos.kafka.kill9()
    time.sleep(2)
    chaos.kafka.start()

    chaos.postgres.kill9()
    time.sleep(DATABASE_GONE_S)
    chaos.postgres.start()

    third = chaos.start_worker()
    chaos.stop_worker(visitor)
    producing.join()
    eventually(lambda: len(chaos.effects()) >= EVENTS + 1, "effects")
    letters = chaos.dead_letters(POISON)
    chaos.stop_worker(first)
    chaos.stop_worker(third)

    effects, outcomes = chaos.effects(), chaos.outcomes()
    with chaos.store.reading() as view:
        counts, set_aside = view.event_counts(), view.set_aside_events(100)
    record_property(
        "figures",
        f"events {EVENTS}, and one told 10 times, and {POISON} unreadable; messages taken {outcomes.total()}: "
        f"{dict(outcomes)}; effects {len(effects)}, of them different {len(set(effects))}; set aside "
        f"{len(set_aside)}, dead letters {sum(letters.values())}; broker killed {chaos.kafka.starts - 1}, "
        f"database killed 1 and gone {DATABASE_GONE_S} s, workers killed 4, stopped 3; "
        f"{time.monotonic() - began:.0f} s",
    )
    assert Counter(effects) == Counter([*((f"home{n % KEYS}", n) for n in range(EVENTS)), ("repeated", 0)])
    assert sorted(one.body for one in set_aside) == sorted(poison)
    assert set(letters) == set(poison)
    assert counts.untold == counts.waiting == 0
    assert outcomes["duplicate"] > 0
    for key in (f"home{i}" for i in range(KEYS)):
        numbers = [number for of, number in effects if of == key]
        assert numbers == sorted(numbers), f"{key} was handled out of its order"
