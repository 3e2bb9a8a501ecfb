from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from streamlab.broker.security import Security
from streamlab.errors import ImproperlyConfigured
from tests.kafka.harness import KafkaCluster

LOGIN = {"sasl_plain_username": "alice", "sasl_plain_password": "alice-secret"}
JAAS = 'org.apache.kafka.common.security.{}LoginModule required username="alice" password="a\\"b; c";'


def parse(**options: Any) -> Security:
    return Security.parse(options)


def test_nothing_is_plaintext() -> None:
    assert parse().options() == {"security_protocol": "PLAINTEXT"}


def test_aiokafkas_keywords_pass_as_they_are() -> None:
    options = parse(security_protocol="SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-512", **LOGIN).options()
    assert options.items() >= {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", **LOGIN}.items()


@pytest.mark.parametrize(
    "config",
    [
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": "PLAIN", "sasl.username": "alice", "sasl.password": 'a"b; c'},
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.jaas.config": JAAS.format("plain.Plain")},
        {"security.protocol": "SASL_PLAINTEXT", "sasl.jaas.config": JAAS.format("plain.Plain").replace('"alice"', "'alice'")},
    ],
    ids=["librdkafka", "java", "java without mechanism"],
)
def test_a_mapping_of_librdkafka_or_java_says_the_same(config: dict[str, str]) -> None:
    login = {"sasl_plain_username": "alice", "sasl_plain_password": 'a"b; c'}
    assert parse(config=config) == parse(security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", **login)


def test_scram_in_jaas_needs_the_mechanism() -> None:
    config = {"security.protocol": "SASL_PLAINTEXT", "sasl.jaas.config": JAAS.format("scram.Scram")}
    with pytest.raises(ImproperlyConfigured, match="SCRAM-SHA-256"):
        parse(config=config)
    assert parse(config=config | {"sasl.mechanism": "SCRAM-SHA-256"}).sasl_mechanism == "SCRAM-SHA-256"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"security_protocl": "SSL"}, "'security_protocol'"),
        ({"sasl_plain_user": "x"}, "'sasl_plain_username'"),
        ({"config": {"security.protokol": "SSL"}}, "'security.protocol'"),
        ({"config": {"sasl.jaas.cfg": "x"}}, "'sasl.jaas.config'"),
        ({"config": {"ssl.ca.locatoin": "x"}}, "'ssl.ca.location'"),
        ({"zzzzzz": 1}, "config"),
        ({"bootstrap_servers": "x:1"}, "kafka://host:port"),
        ({"config": {"group.id": "g"}}, "group="),
        ({"config": {"auto.offset.reset": "earliest"}}, "start="),
        ({"security_protocol": "sasl_ssl"}, "'SASL_SSL'"),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-511", **LOGIN}, "SCRAM-SHA-51"),
        ({"security_protocol": "SASL_PLAINTEXT", **LOGIN}, "sasl_mechanism"),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}, "sasl_plain_username"),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}, "sasl_oauth_token_provider"),
        ({"sasl_mechanism": "PLAIN", **LOGIN}, 'security_protocol="SASL_SSL"'),
        ({"ssl_context": ssl.create_default_context()}, 'security_protocol="SSL"'),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **LOGIN, "ssl_cadata": "x"},
            'security_protocol="SASL_SSL"',
        ),
        ({"security_protocol": "SSL", "ssl_cafile": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"config": {"sasl.jaas.config": "com.sun.security.auth.module.Krb5LoginModule required;"}}, "PlainLoginModule"),
        ({"config": {"sasl.jaas.config": "x.PlainLoginModule required;"}}, "username"),
        ({"config": {"ssl.truststore.type": "JKS"}}, "PEM"),
        ({"security_protocol": "SSL", "config": {"security.protocol": "SSL"}}, "twice"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_right(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named.replace("(", r"\(")):
        Security.parse(options)


def test_kerberos_without_its_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImproperlyConfigured, match="pip install gssapi"):
        parse(security_protocol="SASL_PLAINTEXT", sasl_mechanism="GSSAPI")


def test_kerberos_with_its_library_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert parse(security_protocol="SASL_PLAINTEXT", sasl_mechanism="GSSAPI").options()["sasl_kerberos_service_name"] == "kafka"


def test_a_java_key_store_is_refused_with_the_way_out(tmp_path: Path) -> None:
    store = tmp_path / "client.jks"
    store.write_bytes(b"\xfe\xed")
    with pytest.raises(ImproperlyConfigured, match="keytool"):
        parse(security_protocol="SSL", config={"ssl.truststore.location": str(store)})


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nonsense")
    with pytest.raises(ImproperlyConfigured, match=r"ca\.pem.*PEM"):
        parse(security_protocol="SSL", ssl_cafile=str(file)).options()


def test_a_context_given_is_the_context_used() -> None:
    context = ssl.create_default_context()
    assert parse(security_protocol="SSL", ssl_context=context).options()["ssl_context"] is context


def test_the_certificate_authority_is_read_from_a_file_or_a_text(kafka: KafkaCluster) -> None:
    by_file = parse(security_protocol="SSL", config={"ssl.ca.location": str(kafka.ca_path)}).options()["ssl_context"]
    by_text = parse(security_protocol="SSL", config={"ssl.truststore.certificates": kafka.ca_path.read_text()}).options()[
        "ssl_context"
    ]
    assert by_file.get_ca_certs() == by_text.get_ca_certs() != []


def test_checks_of_the_certificate_can_be_switched_off() -> None:
    unchecked = parse(security_protocol="SSL", config={"enable.ssl.certificate.verification": "false"}).options()["ssl_context"]
    any_host = parse(security_protocol="SSL", config={"ssl.endpoint.identification.algorithm": ""}).options()["ssl_context"]
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
    assert (any_host.verify_mode, any_host.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_the_context_is_made_once() -> None:
    security = parse(security_protocol="SSL")
    assert security.options()["ssl_context"] is security.options()["ssl_context"]


def test_no_secret_shows() -> None:
    security = parse(
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_plain_username="alice",
        sasl_plain_password="hunter2",
        ssl_cadata="-----PRIVATE",
        ssl_password="hunter3",
    )
    assert "hunter" not in repr(security)
    assert "PRIVATE" not in repr(security)
    assert "alice" not in repr(security)


@pytest.mark.parametrize(
    "config", [{"sasl.pasword": "hunter2"}, {"sasl.jaas.config": "x.PlainLoginModule required password='hunter2';"}]
)
def test_no_secret_shows_in_an_error(config: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        parse(config=config)
    assert "hunter" not in str(caught.value)


def test_a_client_certificate_is_loaded_or_named(kafka: KafkaCluster) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(str(kafka.ca_path))):
        parse(security_protocol="SSL", ssl_certfile=str(kafka.ca_path)).options()
