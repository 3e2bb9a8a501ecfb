"""The harness itself: what other tests take for granted about it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka import client, harness
from tests.kafka.client import Rec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kafka.harness import KafkaCluster

ROOT = Path(__file__).parent.parent.parent


def read_committed(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    config = {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    consumer = Consumer(config)
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=10)]
    finally:
        consumer.close()


CLAIMS = """
import random, sys
from tests.kafka import harness
random.seed(1)
first, claim = harness.claim_ports()
print(first, flush=True)
sys.stdin.read()
"""


def test_sessions_that_start_at_once_never_get_the_same_ports() -> None:
    pipe = subprocess.PIPE
    sessions = [subprocess.Popen([sys.executable, "-c", CLAIMS], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    claimed = [session.stdout.readline() for session in sessions if session.stdout]
    for session in sessions:
        session.communicate()
    assert len(set(claimed)) == len(sessions)


def test_ports_are_given_back_when_their_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "PORTS", range(19960, 20000, 40))
    for _ in range(2):
        first, claim = harness.claim_ports()
        assert first == 19960
        with pytest.raises(RuntimeError, match="no free ports"):
            harness.claim_ports()
        claim.close()


def test_records_are_where_produce_says(kafka: KafkaCluster, topic_name: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name, partitions=2)
    written = client.produce(kafka.bootstrap, topic_name, [Rec("a", partition=1), Rec("b", partition=0), Rec("c", partition=1)])
    assert written == [(1, 0), (0, 0), (1, 1)]
    assert client.topics(kafka.bootstrap)[topic_name] == 2


def test_an_aborted_transaction_is_not_seen(kafka: KafkaCluster, topic_name: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name)
    client.transaction(kafka.bootstrap, topic_name, ["lost"], abort=True, name=topic_name)
    client.transaction(kafka.bootstrap, topic_name, ["kept"], name=topic_name)
    assert read_committed(kafka.bootstrap, topic_name, 1) == [b"kept"]


def test_a_deleted_topic_is_gone(kafka: KafkaCluster, topic_name: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name)
    client.add_partitions(kafka.bootstrap, topic_name, 3)
    client.delete_topic(kafka.bootstrap, topic_name)
    assert topic_name not in client.topics(kafka.bootstrap)


def test_the_tls_listener_takes_our_authority_and_no_other(kafka: KafkaCluster) -> None:
    host, port = kafka.ssl_bootstrap.split(":")
    ssl.get_server_certificate((host, int(port)), ca_certs=str(kafka.ca_path))
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.get_server_certificate((host, int(port)), ca_certs=str(kafka.wrong_ca_path))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_alice_gets_in_by_every_mechanism(kafka: KafkaCluster, mechanism: str) -> None:
    config: dict[str, str | int | float | bool] = {
        "bootstrap.servers": kafka.ssl_bootstrap,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.username": kafka.user,
        "sasl.password": kafka.password,
        "ssl.ca.location": str(kafka.ca_path),
    }
    assert len(AdminClient(config).list_topics(timeout=10).brokers) == 1


def test_a_killed_node_comes_back_with_its_data(own_kafka: Callable[..., KafkaCluster], topic_name: str) -> None:
    cluster = own_kafka(settings={"num.partitions": "3"})
    client.produce(cluster.bootstrap, topic_name, ["kept"])
    cluster.kill()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0}).list_topics(timeout=1)
    cluster.restart()
    assert client.topics(cluster.bootstrap) == {topic_name: 3}


@pytest.mark.kafka
def test_nodes_do_not_outlive_a_killed_test_session() -> None:
    code = (
        "from tests.kafka.harness import *; c = KafkaCluster().start(); print(c.address(1), flush=True); os.kill(os.getpid(), 9)"
    )
    address = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    host, port = address.strip().split(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) != 0:
                return
        time.sleep(0.1)
    pytest.fail("the node is still there")


def test_a_frozen_node_is_silent_until_it_thaws(own_kafka: Callable[..., KafkaCluster]) -> None:
    cluster = own_kafka()
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    cluster.freeze()
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)
    cluster.thaw()
    assert len(admin.list_topics(timeout=10).brokers) == 1
