import subprocess
from pathlib import Path

import pytest

from streamlab.drawing import svg_of, text_tree
from streamlab.graph import Edge, Graph, Node

SMALL = "digraph { a -> b }"


def fake_dot(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def says(svg: str) -> str:
    return f"cat >/dev/null; cat <<'END'\n{svg}\nEND"


def test_dot_draws_an_svg_element_without_prolog() -> None:
    picture = svg_of(SMALL)
    assert picture is not None
    assert picture.startswith("<svg")
    assert "DOCTYPE" not in picture


def test_without_dot_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert svg_of(SMALL) is None


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        says("no picture"),
        says("<svg"),
        says("<svg><g></svg>"),
        "printf '<svg>\\377</svg>'",
        "exec /nowhere",
        says('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        says('<svg xmlns="http://www.w3.org/2000/svg"><g onclick="alert(1)"/></svg>'),
        says('<svg xmlns:x="http://www.w3.org/1999/xlink"><a x:href="http://example.org"/></svg>'),
        says('<svg><image width="1"/></svg>'),
        says("<svg><style>*{}</style></svg>"),
        says('<svg><?xml-stylesheet href="http://example.org"?></svg>'),
    ],
)
def test_a_dot_that_fails_or_draws_more_than_lines_gives_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake_dot(tmp_path, monkeypatch, script)
    assert svg_of(SMALL) is None


def test_a_dot_that_draws_lines_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dot(tmp_path, monkeypatch, says("<svg><g><title>a</title></g></svg>"))
    assert svg_of(SMALL) == "<svg><g><title>a</title></g></svg>\n"


def test_a_dot_that_never_ends_gives_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, timeout: float, **__: object) -> None:
        assert timeout <= 10
        raise subprocess.TimeoutExpired("dot", timeout)

    monkeypatch.setattr(subprocess, "run", never)
    assert svg_of(SMALL) is None


def node(name: str, kind: str = "stream", *, stream: str = "", enabled: bool = True) -> Node:
    return Node(name, kind, name, name, enabled, stream)


def graph(nodes: list[Node], *edges: str) -> Graph:
    return Graph(tuple(nodes), tuple(Edge(edge, edge.partition(">")[0], edge.partition(">")[2]) for edge in edges))


def test_processors_stand_side_by_side_and_what_follows_comes_after_them() -> None:
    nodes = [node("t", "topic"), node("s"), node("p", "processor", stream="s"), node("q", "echo", stream="s", enabled=False)]
    nodes += [node("sink", "topic"), node("a", "agent")]
    assert text_tree(graph(nodes, "t>s", "s>p", "p>q", "q>sink", "q>a")).splitlines() == [
        "topic t",
        "└─ s",
        "   ├─ p",
        "   ├─ q (off)",
        "   │  └─ topic sink",
        "   └─ a",
    ]


def test_a_node_that_is_reached_twice_is_written_out_once() -> None:
    nodes = [node("a", "topic"), node("b", "topic"), node("j", "join"), node("s")]
    assert text_tree(graph(nodes, "a>j", "b>j", "j>s")).splitlines() == [
        "topic a",
        "└─ j",
        "   └─ s",
        "topic b",
        "└─ j (above)",
    ]


def test_a_circle_is_written_out_once() -> None:
    nodes = [node("t", "topic"), node("s"), node("p", "through", stream="s")]
    assert text_tree(graph(nodes, "t>s", "s>p", "p>t")).splitlines() == [
        "topic t",
        "└─ s",
        "   └─ p",
        "      └─ topic t (above)",
    ]


def test_a_long_tree_is_cut() -> None:
    lines = text_tree(graph([node(str(number)) for number in range(1000)])).splitlines()
    assert len(lines) == 201
    assert lines[-1] == "… and 800 lines more"


def test_a_deep_tree_needs_no_stack() -> None:
    nodes = [node(f"n{number}", "channel") for number in range(3000)]
    edges = [f"n{number}>n{number + 1}" for number in range(2999)]
    assert text_tree(graph(nodes, *edges)).endswith("… and 2,800 lines more")


def test_an_empty_graph_says_so() -> None:
    assert text_tree(Graph()) == "nothing to draw yet: no streams and no agents"
