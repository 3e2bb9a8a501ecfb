"""Imports at module level flow one way, and `import streamlab` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamlab

ROOT = Path(streamlab.__file__).parent

# From the bottom up; a module may import from its own layer and those below.
LAYERS = [
    "texts",
    "errors events loops tracebacks durations",
    "annotations coercion describing formats models codecs settings unsupported failures broker.base",
    "queues sampling processors stats broker.* runtime.*",
    "opened sources channel_source plain_source outcomes channels joined join_stages joining keying joins materialising subscribing declaring sending",
    "interrupting lifecycle restarting iteration baskets arrivals sides merging merged lookups unfinished assignment copartitioning join_source retrying batch take forwarder forwarding runtime.subscriptions",
    "fields aggregates recipes holding lanes aligned_lane session_lane windowing window_rules windows window_source windowed",
    "streams",
    "topics agents background tables runtime.alarm runtime.runner",
    "connection closing app exceptions types",
    "columns dtypes origins interrupts frame_builder frames reading markup drawing graph graph_builder display printing",
    "views views.* lab cli demo demo_lab testing",
]


def layer_of(module: str) -> int:
    """Return the number of a module's layer; an exact name goes before a pattern."""
    for pattern in (module, f"{module.partition('.')[0]}.*", module.partition(".")[0]):
        for number, names in enumerate(LAYERS):
            if pattern in names.split():
                return number
    pytest.fail(f"streamlab.{module} has no layer: put it into one")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts != ("__init__",):
            yield ".".join(part for part in parts if part != "__init__"), ast.parse(path.read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield which of streamlab's modules a module imports when it is loaded."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            package, _, module = node.module.partition(".")
            if package == "streamlab" and (ROOT / module.replace(".", "/")).is_dir():
                yield from (f"{module}.{alias.name}".strip(".") for alias in node.names)
            elif package == "streamlab":
                yield module


@pytest.mark.parametrize(("module", "tree"), [pytest.param(*found, id=found[0]) for found in modules()])
def test_a_module_imports_nothing_from_above_it(module: str, tree: ast.Module) -> None:
    above = [other for other in imported(tree) if layer_of(other) > layer_of(module)]
    assert above == []


HEAVY = {"pandas", "pyarrow", "aiokafka", "ipywidgets", "anywidget", "IPython", "graphviz", "tqdm", "pydantic", "numpy"}


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, streamlab; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY & set(loaded) == set()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("aiokafka", "broker.kafka"), ("graphviz", "graph"), ("ipywidgets", "views"), ("IPython", "views")],
)
def test_a_package_is_imported_in_one_place_only(package: str, allowed: str) -> None:
    importers = set()
    for module, tree in modules():
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.partition(".")[0] == package for name in names):
                importers.add(module)
    assert all(allowed and module.startswith(allowed) for module in importers), importers
