"""A real Apache Kafka broker for tests: KRaft, one node, from its published artifacts, on Java."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from servers import free_port

VERSION = "3.9.1"
BUILD = pathlib.Path(__file__).resolve().parent.parent / "build"
WAIT_S = 60
#: What a short life is not worth is left out: compiling much, and many threads that collect garbage.
JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_POM = """<project>
<modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies>{dependencies}</dependencies></project>
"""
_PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=3
auto.create.topics.enable=false
"""


class NoKafka(Exception):
    """A part that the broker needs is not on this machine."""


def artifacts(name: str, *coordinates: str) -> pathlib.Path:
    """The folder of some jars and all that they need, fetched once. Raises NoKafka.

    coordinates: of each, group:artifact:version.
    """
    for program, package in (("java", "a Java 17 runtime"), ("mvn", "Maven")):
        if shutil.which(program) is None:
            raise NoKafka(f"the tests on a real Kafka broker need {package}: there is no {program} on the path")
    tags = ("groupId", "artifactId", "version")
    told = [
        "".join(f"<{tag}>{part}</{tag}>" for tag, part in zip(tags, one.split(":"), strict=True)) for one in coordinates
    ]
    pom = _POM.format(dependencies="".join(f"<dependency>{one}</dependency>" for one in told))
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # several test processes may come at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists():
            (folder / "pom.xml").write_text(pom)
            command = ["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), "dependency:copy-dependencies"]
            command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'lib'}"]
            fetched = subprocess.run(command, capture_output=True, text=True, check=False)
            if fetched.returncode:
                raise NoKafka(f"Maven could not fetch {name}: {fetched.stdout[-500:]}")
            done.touch()
    return folder / "lib"


def broker_jars() -> pathlib.Path:
    """The folder of the broker's jars. Raises NoKafka."""
    return artifacts(f"kafka-{VERSION}", f"org.apache.kafka:kafka_2.13:{VERSION}")


class KafkaServer:
    """A broker, our child, on a free port of 127.0.0.1. It keeps its data when it is killed and started again."""

    def __init__(self) -> None:
        self.jars = f"{broker_jars()}/*"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="statistics-kafka-"))
        self.port = free_port()
        self.properties = self.folder / "server.properties"
        self.properties.write_text(_PROPERTIES.format(port=self.port, controller=free_port(), folder=self.folder))
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self.properties))

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _java(self, *arguments: str) -> None:
        done = subprocess.run([*JAVA, "-cp", self.jars, *arguments], capture_output=True, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> KafkaServer:
        command = [*JAVA, "-Xmx512m", "-Xms128m", "-cp", self.jars, "kafka.Kafka"]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [*command, str(self.properties)], stdout=log, stderr=log, cwd=self.folder, env={**os.environ}
        )
        self.starts += 1
        until = time.monotonic() + WAIT_S
        admin = AdminClient({"bootstrap.servers": self.endpoint, "log_level": 0})
        while True:
            try:
                admin.list_topics(timeout=2)
                return self
            except KafkaException:
                assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
                assert time.monotonic() < until, (self.folder / "log").read_text()[-3000:]
                time.sleep(0.1)

    def kill9(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> KafkaServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
