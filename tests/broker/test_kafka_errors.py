from __future__ import annotations

import inspect

import pytest
from aiokafka import errors as kafka

from streamlab.broker.kafka_errors import MAPPING, code_error, topic_error, translate
from streamlab.errors import (
    AuthorizationFailed,
    BrokerError,
    BrokerUnavailable,
    MessageTooLarge,
    OffsetOutOfRange,
    TopicExists,
    TopicNotFound,
)


def all_of_aiokafkas() -> list[type[Exception]]:
    return [
        cls
        for _, cls in inspect.getmembers(kafka, inspect.isclass)
        if issubclass(cls, Exception) and cls.__module__ == kafka.__name__
    ]


@pytest.mark.parametrize("error", all_of_aiokafkas(), ids=lambda cls: cls.__name__)
def test_every_error_of_aiokafka_is_mapped(error: type[Exception]) -> None:
    assert issubclass(MAPPING[error], BrokerError)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (kafka.KafkaConnectionError("gone"), BrokerUnavailable),
        (kafka.RequestTimedOutError(), BrokerUnavailable),
        (kafka.UnknownTopicOrPartitionError(), TopicNotFound),
        (kafka.TopicAlreadyExistsError(), TopicExists),
        (kafka.OffsetOutOfRangeError(), OffsetOutOfRange),
        (kafka.MessageSizeTooLargeError(), MessageTooLarge),
        (kafka.TopicAuthorizationFailedError("secret-topic"), AuthorizationFailed),
        (kafka.UnknownError(), BrokerError),
        (ConnectionResetError("reset"), BrokerUnavailable),
        (RuntimeError("a defect"), BrokerError),
    ],
)
def test_an_error_becomes_the_nearest_of_ours(theirs: Exception, ours: type[BrokerError]) -> None:
    assert type(translate(theirs, "Cannot do it")) is ours


def test_a_translated_error_says_what_where_and_what_next() -> None:
    error = translate(kafka.MessageSizeTooLargeError("2000 bytes"), "Cannot send to 'orders'", topic="orders", partition=3)
    assert isinstance(error, BrokerError)
    assert str(error).startswith("Cannot send to 'orders': ")
    assert "2000 bytes" in str(error)
    assert "max.message.bytes" in str(error)
    assert (error.topic, error.partition) == ("orders", 3)


def test_a_subclass_of_a_known_error_is_mapped_as_its_base() -> None:
    class New(kafka.TopicAlreadyExistsError):  # type: ignore[misc] # aiokafka is untyped
        pass

    assert type(translate(New(), "Cannot create it")) is TopicExists


def test_our_own_errors_pass() -> None:
    error = TopicNotFound("no such topic")
    assert translate(error, "Cannot read") is error


def test_an_error_code_keeps_the_original_as_its_cause() -> None:
    error = code_error(36, "Cannot create topic 'a'", detail="Topic 'a' already exists.")
    assert type(error) is TopicExists
    assert isinstance(error.__cause__, kafka.TopicAlreadyExistsError)
    assert "already exists" in str(error)


@pytest.mark.parametrize(
    ("code", "ours"),
    [(3, TopicNotFound), (17, TopicNotFound), (0, BrokerUnavailable), (5, BrokerUnavailable), (29, AuthorizationFailed)],
)
def test_a_topics_error_names_the_topic(code: int, ours: type[BrokerError]) -> None:
    error = topic_error(code, "orders")
    assert type(error) is ours
    assert "orders" in str(error)
    assert isinstance(error, BrokerError)
    assert error.topic == "orders"


def test_a_topic_that_may_not_be_seen_may_not_be_there_either() -> None:
    assert "or there is no such topic" in str(topic_error(29, "orders"))


def test_what_lists_the_topics_is_a_plain_call_for_any_cell() -> None:
    assert "`app.topics_frame()`" in str(translate(kafka.UnknownTopicOrPartitionError(), "reading t", topic="t"))
