"""The examples of the docstrings, run as a reader would."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import streamlab

MODULES = [found.name for found in pkgutil.walk_packages(streamlab.__path__, "streamlab.")]
WITH_EXAMPLES = [
    name for name in MODULES if any(test.examples for test in doctest.DocTestFinder().find(importlib.import_module(name)))
]


def test_examples_are_found() -> None:
    assert {"streamlab.app", "streamlab.streams", "streamlab.models"} <= set(WITH_EXAMPLES)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_show_what_they_say(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
