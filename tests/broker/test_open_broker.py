from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from streamlab.broker import open_broker
from streamlab.errors import ImproperlyConfigured


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("kafka://localhost:9092", "kafka://localhost:9092"),
        ("kafka://a:1,b:2/", "kafka://a:1,b:2"),
        ("localhost:9093", "kafka://localhost:9093"),
        ("kafka://broker", "kafka://broker:9092"),
        ("kafka://[::1]:9092", "kafka://::1:9092"),
        ("kafka://", "kafka://localhost:9092"),
        ("aiokafka://a;b:1", "kafka://a:9092,b:1"),
        ("memory://", "memory://"),
        ("memory://lab", "memory://lab"),
    ],
)
def test_a_url_names_a_broker(url: str, shown: str) -> None:
    assert open_broker(url).url == shown


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "kafka://;",
        "kafka://a:b",
        "kafka://a:99999",
        "kafka://a b:1",
        "",
        "redis://x",
        None,
        5,
        ["kafka://a:1"],
    ],
)
def test_any_other_url_is_refused_naming_the_forms(url: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"kafka://host:port.*memory://"):
        open_broker(url)


def test_credentials_in_the_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured, match="sasl_plain_password") as caught:
        open_broker("kafka://alice:hunter2@localhost:9092")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ImproperlyConfigured, match="question mark") as caught:
        open_broker("kafka://localhost:9092?password=hunter2")
    assert "hunter2" not in str(caught.value)


def test_memory_takes_no_security_options() -> None:
    with pytest.raises(ImproperlyConfigured, match="sasl_mechanism"):
        open_broker("memory://", sasl_mechanism="PLAIN")


def test_an_unknown_option_names_the_nearest_one() -> None:
    with pytest.raises(ImproperlyConfigured, match="security_protocol"):
        open_broker("kafka://localhost:9092", security_protocoll="SSL")


def test_a_broker_shows_no_password() -> None:
    broker = open_broker(
        "kafka://localhost:9092",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username="alice",
        sasl_plain_password="hunter2",
    )
    assert repr(broker) == "<KafkaBroker: kafka://localhost:9092>"


def test_the_seam_alone_loads_no_kafka_client() -> None:
    code = "import sys, streamlab.broker; streamlab.broker.open_broker('memory://x'); print('aiokafka' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "False\n"
