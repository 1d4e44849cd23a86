"""The sender and the consumer on a real broker: what is told, committed, kept while the store is gone, refused."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from kafka_server import KafkaServer
from taking import NOTE, Taking, body, down, message

from statistics_manager_service.bootstrap.events import client_settings
from statistics_manager_service.errors import Unavailable
from statistics_manager_service.events.kafka import EventConsumer, Link, Sender, Topics
from statistics_manager_service.services.events.event_rows import OutboxEvent
from statistics_manager_service.services.events.events import new_event
from statistics_manager_service.settings import Settings

WAIT_S = 40
GROUP = "tests"
NOW_US = 1_715_342_400_000_000


def eventually(look: Callable[[], object], what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < until, f"in {WAIT_S} s not {what}"


def stepped(consumer: EventConsumer) -> bool:
    """A step was done, whatever it did."""
    consumer.step()
    return True


class Side:
    """Topics of a test's own, three partitions each, a store, and consumers of it."""

    def __init__(self, kafka: KafkaServer, url: str) -> None:
        self.taking = Taking(url)
        settings = Settings(kafka_broker_endpoint=kafka.endpoint, kafka_topic_prefix=f"t{secrets.token_hex(4)}")
        self.topics = Topics.of(settings.kafka_topic_prefix)
        self.link = Link()
        self.common = client_settings(settings, self.link)
        self.admin = AdminClient({"bootstrap.servers": kafka.endpoint})
        names = (self.topics.events, self.topics.account, self.topics.dead_letter)
        for made in self.admin.create_topics([NewTopic(name, 3, 1) for name in names]).values():
            made.result()
        self.producer = Producer({"bootstrap.servers": kafka.endpoint})
        self.consumers: list[EventConsumer] = []

    def consumer(self) -> EventConsumer:
        made = EventConsumer(self.common, self.topics, GROUP, self.taking.inbox, self.link)
        self.consumers.append(made)
        return made

    def send(self, content: bytes, partition: int, topic: str | None = None) -> None:
        self.producer.produce(topic or self.topics.events, content, partition=partition)
        assert self.producer.flush(10) == 0

    def committed(self) -> int:
        """How many messages of the topic of events the group has behind it."""
        looking = Consumer({"bootstrap.servers": self.common["bootstrap.servers"], "group.id": GROUP})
        places = looking.committed([TopicPartition(self.topics.events, one) for one in range(3)], 10)
        looking.close()
        return sum(max(one.offset, 0) for one in places)

    def read(self, topic: str, count: int) -> list[tuple[bytes, dict[str, bytes], bytes, int]]:
        """Key, headers, value and partition of the messages of a topic."""
        looking = Consumer(
            {"bootstrap.servers": self.common["bootstrap.servers"], "group.id": secrets.token_hex(4),
             "auto.offset.reset": "earliest"}
        )  # fmt: skip
        looking.subscribe([topic])
        found = []
        until = time.monotonic() + WAIT_S
        while len(found) < count and time.monotonic() < until:
            one = looking.poll(0.2)
            if one is not None and one.error() is None:
                found.append((one.key() or b"", dict(one.headers() or []), one.value() or b"", one.partition()))
        looking.close()
        return found


@pytest.fixture
def side(kafka: KafkaServer, embedded_url: str) -> Iterator[Side]:
    made = Side(kafka, embedded_url)
    yield made
    for one in made.consumers:
        one.close()
    made.taking.store.close()


def test_offsets_are_committed_behind_what_was_taken_and_a_stop_commits_at_once(side: Side) -> None:
    for number in range(9):
        side.send(body(number), number % 3)
    consumer = side.consumer()
    eventually(lambda: stepped(consumer) and len(side.taking.numbers()) == 9, "all handled")
    consumer.close()
    assert side.committed() == 9
    again = side.consumer()
    side.send(body(9), 0)
    eventually(lambda: stepped(again) and 9 in side.taking.numbers(), "the new one handled")
    assert side.taking.handler.calls == side.taking.numbers()


def test_while_the_store_is_gone_messages_are_kept_and_nothing_is_committed(side: Side) -> None:
    for number in range(6):
        side.send(body(number), number % 3)
    consumer = side.consumer()
    eventually(lambda: stepped(consumer) and len(side.taking.numbers()) == 6, "all handled")
    side.taking.store.failure = Unavailable("the store is gone")
    for number in range(6, 12):
        side.send(body(number), number % 3)
    until = time.monotonic() + 4
    while time.monotonic() < until:
        consumer.step()
    assert side.committed() == 6
    side.taking.store.failure = None
    eventually(lambda: stepped(consumer) and len(side.taking.numbers()) == 12, "all handled")
    assert Counter(side.taking.numbers()) == Counter(range(12))
    consumer.close()
    assert side.committed() == 12


def test_what_comes_from_partitions_of_a_consumer_that_left_while_the_store_was_gone_is_not_passed_over(
    side: Side,
) -> None:
    first, second = side.consumer(), side.consumer()
    until = time.monotonic() + 8
    while time.monotonic() < until:  # so that both have joined, and share the partitions
        first.step()
        second.step()
    side.taking.store.failure = Unavailable("the store is gone")
    for number in range(12):  # of both topics, so that each consumer has some and waits, whoever has which
        side.send(body(number), number % 3, (side.topics.events, side.topics.account)[number // 3 % 2])
    until = time.monotonic() + 6
    while time.monotonic() < until:  # rests grow
        first.step()
        second.step()
    second.close()
    until = time.monotonic() + 8
    while time.monotonic() < until:  # the partitions of the second come to the first, which waits for the store
        first.step()
    side.taking.store.failure = None
    for number in range(12, 24):
        side.send(body(number), number % 3, (side.topics.events, side.topics.account)[number // 3 % 2])
    eventually(lambda: stepped(first) and set(range(12, 24)) <= set(side.taking.numbers()), "the later ones handled")
    until = time.monotonic() + 2
    while time.monotonic() < until:
        first.step()
    assert Counter(side.taking.numbers()) == Counter(range(24))


def test_what_a_store_should_never_raise_passes_no_message_over(side: Side) -> None:
    for number in range(12):
        side.send(body(number), number % 3)
    consumer = side.consumer()
    failing = iter([RuntimeError("a fault of ours"), RuntimeError("and again")])

    def fail(number: int) -> None:
        side.taking.store.failure = next(failing, None) if number == 4 else None

    side.taking.handler.on_call = fail
    until = time.monotonic() + WAIT_S
    while len(side.taking.numbers()) < 12 and time.monotonic() < until:
        consumer.step()
        side.taking.store.failure = None
    assert Counter(side.taking.numbers()) == Counter(range(12))


def test_an_event_that_waits_does_not_hold_up_other_households_of_its_partition(side: Side) -> None:
    side.taking.handler.failures[0] = down()
    side.send(body(0, "home1"), 0)
    side.send(body(1, "home1"), 0)
    side.send(body(2, "home2"), 0)
    consumer = side.consumer()
    eventually(lambda: stepped(consumer) and side.taking.numbers() == [2], "the other household handled")
    assert side.taking.counts().waiting == 2


def test_unknown_events_are_passed_over_on_the_topic_of_accounts_alone(side: Side) -> None:
    side.send(body(1, event_type="UserRenamedEvent"), 0, side.topics.account)
    side.send(body(2, event_type="UserRenamedEvent"), 0)
    side.send(body(3), 0, side.topics.account)
    consumer = side.consumer()
    eventually(lambda: stepped(consumer) and side.taking.numbers() == [3], "the known one handled")
    eventually(lambda: stepped(consumer) and side.taking.counts().set_aside == 1, "the unknown one set aside")
    assert side.taking.set_aside()[0].source.startswith(f"{side.topics.events}/0/")


def outbox(number: int, key: str, **more: object) -> OutboxEvent:
    return new_event(NOTE, key, {"user_id": key, "number": number, **more}, NOW_US)._replace(sequence=number)


def test_the_sender_tells_what_has_arrived_and_keeps_the_order_of_each_household(side: Side) -> None:
    sender = Sender(side.common, side.topics)
    events = [outbox(number, f"home{number % 7}") for number in range(100)]
    assert sender.tell(events) == list(range(100))
    found = side.read(side.topics.events, 100)
    assert len(found) == 100
    for key in (b"home%d" % i for i in range(7)):
        mine = [one for one in found if one[0] == key]
        assert [one[1]["id"].decode() for one in mine] == [e.event_id for e in events if e.aggregate_id.encode() == key]
        assert len({one[3] for one in mine}) == 1
    assert {one[1]["eventType"] for one in found} == {NOTE.encode()}


def test_a_household_is_in_the_partition_where_javas_clients_put_it(side: Side) -> None:
    """So that its order holds when Debezium takes over from the relay. Source: Kafka's murmur2 of the key, below."""
    sender = Sender(side.common, side.topics)
    keys = [f"home{number}" for number in range(30)]
    sender.tell([outbox(number, key) for number, key in enumerate(keys)])
    found = {one[0].decode(): one[3] for one in side.read(side.topics.events, 30)}
    assert found == {key: (murmur2(key.encode()) & 0x7FFFFFFF) % 3 for key in keys}


def murmur2(data: bytes) -> int:
    """As `Utils.murmur2` of Kafka's Java client has it."""
    m, h = 0x5BD1E995, 0x9747B28C ^ len(data)
    for i in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & 0xFFFFFFFF
        h = h * m & 0xFFFFFFFF ^ (k ^ k >> 24) * m & 0xFFFFFFFF
    rest = data[len(data) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


def test_no_later_event_of_a_household_is_told_before_one_that_the_broker_refuses(side: Side) -> None:
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    limit = ConfigResource(ResourceType.TOPIC, side.topics.events, incremental_configs=[entry])
    for done in side.admin.incremental_alter_configs([limit]).values():
        done.result()
    sender = Sender(side.common, side.topics)
    events = [outbox(1, "home1", filling=secrets.token_hex(5000)), outbox(2, "home1"), outbox(3, "home2")]
    assert sender.tell(events) == [3]
    with pytest.raises(Unavailable, match=r"(?i)size|large"):
        sender.tell(events[:2])
    assert [one[0] for one in side.read(side.topics.events, 1)] == [b"home2"]


def test_an_event_too_large_for_the_client_itself_stops_its_household_alone(side: Side) -> None:
    sender = Sender(side.common, side.topics)
    events = [outbox(1, "home1", filling="x" * 3_000_000), outbox(2, "home1"), outbox(3, "home2")]
    assert sender.tell(events) == [3]


def test_set_aside_messages_are_sent_as_they_came_with_their_reason(side: Side) -> None:
    side.send(b"\xff", 1)
    side.taking.handler.failures[1] = down("it is down")
    consumer = side.consumer()
    eventually(lambda: stepped(consumer) and side.taking.set_aside(), "set aside")
    sender = Sender(side.common, side.topics)
    (one,) = side.taking.set_aside()
    assert sender.publish([one]) == [one.sequence]
    ((_, headers, value, _),) = side.read(side.topics.dead_letter, 1)
    assert value == b"\xff"
    assert headers == {
        "id": one.event_id.encode(),
        "eventType": b"unreadable",
        "reason": one.reason.encode(),
        "source": f"{side.topics.events}/1/0".encode(),
    }


def test_a_set_aside_message_too_large_to_send_is_told_without_its_body(side: Side) -> None:
    large = message(1, filling=secrets.token_hex(2_000_000))
    side.taking.inbox.take(large, is_ours=True)
    side.taking.handler.failures[2] = ValueError("a fault")
    side.taking.inbox.take(message(2, filling=secrets.token_hex(2_000_000)))
    (one,) = side.taking.set_aside()
    assert Sender(side.common, side.topics).publish([one]) == [one.sequence]
    ((_, headers, value, _),) = side.read(side.topics.dead_letter, 1)
    assert value == b""
    assert headers["body"] == b"left out, as it is too large; the store has it"


def test_a_broker_that_is_gone_is_told_within_the_time_of_delivery(kafka: KafkaServer) -> None:
    nowhere = client_settings(Settings(kafka_broker_endpoint="127.0.0.1:9"), Link())
    sender = Sender(nowhere, Topics.of("x"), delivery_s=1)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        sender.tell([outbox(1, "home1"), outbox(2, "home1"), outbox(3, "home2")])
    assert time.monotonic() - began < WAIT_S


def test_kafka_is_there_as_long_as_one_client_reaches_it() -> None:
    """Brokers close connections that have nothing to say: that is no trouble."""
    link = Link()
    assert link.state == "unknown"
    told = '{"name": "%s", "brokers": {"a:9092/1": {"state": "%s"}, "b:9092/2": {"state": "%s"}}}'
    link.on_statistics(told % ("producer", "UP", "DOWN"))
    link.on_statistics(told % ("consumer", "UP", "UP"))
    assert link.state == "ok"
    link.on_statistics(told % ("producer", "INIT", "DOWN"))
    assert link.state == "ok"
    link.on_statistics(told % ("consumer", "CONNECT", "DOWN"))
    assert link.state == "down"
    link.on_statistics(told % ("consumer", "DOWN", "UP"))
    assert link.state == "ok"


def test_one_who_gives_up_does_not_give_up_what_another_sends(side: Side) -> None:
    """The relay and the undertaker share a sender."""
    sender = Sender(side.common, side.topics)
    large = [outbox(number, f"home{number}", filling="x" * 100_000) for number in range(60)]
    threads = [
        threading.Thread(target=sender.tell, args=([one for one in large if one.sequence % 4 == i],)) for i in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(side.read(side.topics.events, 60)) == 60
