"""The public names."""

from __future__ import annotations

import types

import streamlab


def test_all_is_sorted_and_complete() -> None:
    public = [name for name, value in vars(streamlab).items() if name[0] != "_" and not isinstance(value, types.ModuleType)]
    in_order = sorted(public, key=lambda name: (not name.isupper(), name.islower(), name))
    assert in_order == streamlab.__all__
