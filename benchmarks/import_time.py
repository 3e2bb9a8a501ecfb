"""Seconds that an import takes in a fresh process, with compiled files in place."""

from __future__ import annotations

import importlib
import subprocess
import sys
from time import perf_counter

from measure import Comparison, Setting, Side

HEAVY = {"pandas", "aiokafka", "ipywidgets"}


def comparisons(_setting: Setting) -> list[Comparison]:
    names = {"streamlab": "App", "faust": "App", "quixstreams": "Application"}
    ours, *others = (
        Side(f"from {module} import {name}", "import_time:seconds", {"module": module, "name": name})
        for module, name in names.items()
    )
    return [Comparison("import", ours, others, unit="s", at_most=0.3)]


def seconds(module: str, name: str) -> float:
    subprocess.run([sys.executable, "-c", f"from {module} import {name}"], check=True)
    began = perf_counter()
    getattr(importlib.import_module(module), name)  # faust loads its parts when they are asked for
    took = perf_counter() - began
    if module == "streamlab":
        assert not HEAVY & sys.modules.keys(), f"import streamlab brings {HEAVY & sys.modules.keys()} along"
    return took
