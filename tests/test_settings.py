"""What an app is configured with."""

from __future__ import annotations

import warnings

import pytest

import streamlab as sl
from streamlab.settings import is_security_option, settings


def test_defaults_are_there() -> None:
    conf = settings()
    assert conf.join_within == 60.0
    assert conf.ack_on_error is True
    assert conf.topic_partitions == 8
    assert conf.stream_buffer_maxsize == 4096


def test_what_is_given_wins() -> None:
    assert settings(topic_partitions=3).topic_partitions == 3


def test_fausts_options_pass_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        conf = settings(id="x", broker="memory://", web_port=6066, Monitor=None)
    assert conf.web_port == 6066


def test_an_unknown_one_is_kept_and_warned_about() -> None:
    with pytest.warns(UserWarning, match="'nonsense_of_mine'$"):
        conf = settings(nonsense_of_mine=1)
    assert conf.nonsense_of_mine == 1


def test_what_may_be_a_secret_is_not_shown() -> None:
    with pytest.warns(UserWarning, match="'password'; did you mean sasl_plain_password") as warned:
        conf = settings(password="hunter2")
    assert conf.password == "hunter2"
    assert "hunter" not in repr(conf) + str(warned[0].message)
    assert "topic_partitions=8" in repr(conf)


def test_a_near_miss_is_told_the_right_name() -> None:
    with pytest.warns(UserWarning, match="did you mean web_port"):
        settings(web_prt=1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("security_protocol", True), ("sasl_mechanism", True), ("ssl_cafile", True), ("config", True), ("store", False)],
)
def test_what_is_about_security_is_the_brokers(name: str, expected: bool) -> None:
    assert is_security_option(name) is expected


def test_the_warning_names_the_line_that_made_the_app() -> None:
    with pytest.warns(UserWarning, match="nonsense") as caught:
        sl.App("warned-about", nonsense_of_mine=1)
    assert caught[0].filename == __file__
