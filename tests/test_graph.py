import asyncio
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import streamlab as sl
from streamlab.graph import Graph
from streamlab.graph_builder import app_graph, stream_graph

HOSTILE = [
    '"quoted" \\" \\\\',
    "two\nlines\r\n",
    "<script>alert(1)</script>",
    "<b>bold</b>",
    "&amp; &lt;b&gt;",
    "emoji \U0001f600",
    "\\N\\n\\",
    "nul\x00nul",
    "\ud800",
    "\u202egnp.exe",
    'x" onload="alert(1)',
    "x" * 5000,
    "",
    "-->",
    "]]>",
]


class Order(sl.Record):
    account_id: str
    amount: float = 0.0


def shape(graph: Graph) -> list[str]:
    """Return the edges by their labels."""
    labels = {node.id: node.label for node in graph.nodes}
    return [f"{labels[edge.source]} > {labels[edge.target]}" for edge in graph.edges]


def double(value: Any) -> Any:
    return value * 2


def is_big(value: Any) -> bool:
    return bool(value > 1)


def test_processors_are_drawn_in_order_behind_their_stream(app: sl.App) -> None:
    stream = app.topic("orders").stream().filter(is_big)
    stream.add_processor(double)
    assert shape(stream.graph()) == [
        "orders > Stream: Topic: orders",
        "Stream: Topic: orders > filter is_big",
        "filter is_big > double",
    ]


def test_the_short_label_is_shown_and_the_label_is_the_tooltip(app: sl.App) -> None:
    stream = app.topic("orders").stream()
    node = next(node for node in stream.graph().nodes if node.kind == "stream")
    assert node.label == stream.shortlabel
    assert node.tooltip == stream.label


def test_a_disabled_processor_is_dashed(app: sl.App) -> None:
    stream = app.stream([1])
    stream.add_processor(double)
    assert "dashed" not in stream.graph().source
    stream.processors.disable("double")
    (node,) = [node for node in stream.graph().nodes if node.kind == "processor"]
    assert not node.enabled
    assert re.search(rf"{node.id} \[.*dashed", stream.graph().source)
    assert "double (off)" in str(stream.graph())


def test_a_disabled_sink_is_reached_by_a_dashed_edge(app: sl.App) -> None:
    stream = app.stream([1]).echo(app.topic("copies"))
    stream.processors.disable(0)
    assert re.search(r" -> topic_copies\w+ \[.*dashed", stream.graph().source)


def test_echo_writes_to_its_channels(app: sl.App) -> None:
    stream = app.topic("orders").stream().echo("copies", app.channel())
    edges = shape(stream.graph())
    assert edges[-2:] == ["echo > copies", "echo > <ANON>"]


async def test_through_and_group_by_go_on_behind_their_topics(app: sl.App) -> None:
    stream = app.topic("orders", value_type=Order).stream().through("checked").group_by(Order.account_id)
    edges = shape(stream.graph())
    assert "through > checked" in edges
    assert "checked > Stream: Topic: checked" in edges
    assert "Stream: Topic: checked > group_by" in edges
    topic = next(edge.partition(" > ")[2] for edge in edges if edge.startswith("group_by > "))
    assert topic.endswith("Order.account_id-repartition")
    assert f"{topic} > Stream: Topic: {topic}" in edges


async def test_any_stream_of_a_chain_gives_the_graph_of_the_whole_chain(app: sl.App) -> None:
    first = app.topic("orders").stream()
    last = first.through("checked")
    assert first.graph() == last.graph()


def test_combined_streams_meet_in_a_node(app: sl.App) -> None:
    orders, payments = app.topic("orders").stream(), app.topic("payments").stream()
    orders.add_processor(double)
    assert shape((orders & payments).graph()) == [
        "orders > Stream: Topic: orders",
        "Stream: Topic: orders > double",
        "payments > Stream: Topic: payments",
        "double > combine",
        "Stream: Topic: payments > combine",
        "combine > Stream: Topic: orders&Topic: payments",
    ]


def test_the_origin_of_combine_is_a_side_also_where_it_is_not_listed(app: sl.App) -> None:
    orders, payments = app.topic("orders").stream(), app.topic("payments").stream()
    edges = shape(orders.combine(payments).graph())
    assert "Stream: Topic: orders > combine" in edges
    assert "Stream: Topic: payments > combine" in edges


def test_three_combined_streams_are_each_drawn_once(app: sl.App) -> None:
    a, b, c = (app.topic(name).stream() for name in "abc")
    graph = (a & b & c).graph()
    assert len([node for node in graph.nodes if node.kind == "topic"]) == 3
    joins = [node.id for node in graph.nodes if node.kind == "join"]
    assert [len([edge for edge in graph.edges if edge.target == join]) for join in joins] == [2, 2]


def test_noack_of_combined_streams_has_the_same_sides(app: sl.App) -> None:
    both = app.topic("orders").stream() & app.topic("payments").stream()
    before = shape(both.graph())
    assert shape(both.noack().graph()) == before


def test_a_join_is_named_with_its_fields(app: sl.App) -> None:
    joined = (app.topic("orders").stream() & app.topic("payments").stream()).inner_join(Order.account_id)
    (node,) = [node for node in joined.graph().nodes if node.kind == "join"]
    assert node.label == node.tooltip == "InnerJoin on Order.account_id within 60 s"
    (node,) = [node for node in app_graph(app).nodes if node.kind == "join"]
    assert node.label == "InnerJoin on Order.account_id within 60 s"


def test_a_join_is_named_with_its_times(app: sl.App) -> None:
    both = app.topic("orders").stream() & app.topic("payments").stream()
    (node,) = [node for node in both.left_join(within=10, grace=5).graph().nodes if node.kind == "join"]
    assert node.label == "LeftJoin on the key within 10 s grace 5 s"


def test_a_join_is_named_with_what_closes_its_windows_and_how_long_it_waits(app: sl.App) -> None:
    both = app.topic("orders").stream().combine(app.topic("payments").stream(), max_idle=0.5)
    (node,) = [node for node in both.left_join(within=10, idle=30, max_per_key=1000).graph().nodes if node.kind == "join"]
    assert node.label == "LeftJoin on the key within 10 s max_per_key 1,000 idle 30 s max_idle 0.5 s"
    (node,) = [node for node in both.graph().nodes if node.kind == "join"]
    assert node.label == "combine max_idle 0.5 s"
    (node,) = [node for node in app.topic("o").stream().tumbling(5, idle=30).count().graph().nodes if node.kind == "window"]
    assert node.label == "tumbling(5, idle=30) count()"


def test_a_join_that_is_combined_with_another_topic_is_drawn_before_that(app: sl.App) -> None:
    joined = (app.topic("orders").stream() & app.topic("payments").stream()).left_join()
    combined = joined.combine(app.topic("views").stream())
    drawn = shape(combined.graph())
    assert [line for line in drawn if line.endswith(("payments", "combine", "views"))][-5:] == [
        "LeftJoin on the key within 60 s > Stream: Topic: orders&Topic: payments",
        "views > Stream: Topic: views",
        "Stream: Topic: orders&Topic: payments > combine",
        "Stream: Topic: views > combine",
        "combine > Stream: Topic: orders&Topic: payments&Topic: views",
    ]
    assert "LeftJoin" in str(joined.graph())


def test_windows_are_named_with_what_is_computed(app: sl.App) -> None:
    orders = app.topic("orders", value_type=Order).stream()
    orders.add_processor(double)
    windows = orders.hopping(60, 20, by=Order.account_id, emit="update").agg(most=(Order.account_id, "max"), n="count")
    graph = windows.graph()
    (node,) = [node for node in graph.nodes if node.kind == "window"]
    assert node.label == "hopping(60, 20, by=Order.account_id) most=max(Order.account_id), n=count() emit=update"
    assert shape(graph)[1:3] == ["Stream: Topic: orders > double", f"double > {node.label}"]
    (node,) = [node for node in app.topic("orders").stream().tumbling(5).count().graph().nodes if node.kind == "window"]
    assert node.label == "tumbling(5) count()"


def test_a_table_is_a_side_in_which_is_looked_up(app: sl.App) -> None:
    users, orders = app.table("users"), app.topic("orders").stream()
    joined = orders.combine(users, {"ada": 1}).left_join(Order.account_id)
    graph = joined.graph()
    assert shape(graph) == [
        "orders > Stream: Topic: orders",
        "users > table users",
        "Stream: Topic: orders > LeftJoin on Order.account_id",
        "table users > LeftJoin on Order.account_id",
        "dict > LeftJoin on Order.account_id",
        "LeftJoin on Order.account_id > Stream: Topic: orders&Table: users&dict",
    ]
    assert [edge.lookup for edge in graph.edges] == [False, False, False, True, True, False]
    assert graph.source.count("style=dotted") == 2


def test_a_table_of_two_joins_is_drawn_once(app: sl.App) -> None:
    users = app.table("users")
    joined = [app.topic(name).stream().combine(users).left_join() for name in ("orders", "payments")]
    kinds = [node.kind for node in app_graph(app).nodes]
    assert (len(joined), kinds.count("table"), kinds.count("join")) == (2, 1, 2)


def test_what_noack_took_over_is_drawn_once(app: sl.App) -> None:
    stream = app.topic("orders").stream()
    stream.add_processor(double)
    assert shape(stream.noack().graph()) == ["orders > Stream: Topic: orders", "Stream: Topic: orders > double"]


def test_a_clone_is_drawn_by_itself(app: sl.App) -> None:
    stream = app.topic("orders").stream()
    clone = stream.clone()
    clone.add_processor(double)
    assert "Stream: Topic: orders > double" in shape(clone.graph())
    assert "Stream: Topic: orders > double" not in shape(stream.graph())


async def test_a_clone_is_drawn_with_what_feeds_it(app: sl.App) -> None:
    clone = app.topic("orders").stream().through("checked").clone()
    assert "through > checked" in shape(clone.graph())


def test_streams_of_one_channel_meet_there_and_other_channels_are_others(app: sl.App) -> None:
    channel, other = app.channel(), app.channel()
    streams = [channel.stream(), channel.stream(), other.stream()]
    graph = app_graph(app)
    assert len([node for node in graph.nodes if node.kind == "channel"]) == 2
    assert len([node for node in graph.nodes if node.kind == "stream"]) == len(streams)


def test_two_objects_for_one_topic_are_one_node(app: sl.App) -> None:
    streams = [app.topic("orders").stream(), app.topic("orders").stream()]
    assert len([node for node in app_graph(app).nodes if node.kind == "topic"]) == 1
    assert streams


async def test_an_agent_is_drawn_behind_its_topic_and_while_it_runs_behind_its_stream(app: sl.App) -> None:
    async def ship(orders: Any) -> None:
        orders.add_processor(double)
        async for _ in orders:
            pass

    agent = app.agent(app.channel())(ship)
    assert shape(app_graph(app)) == ["<ANON> > agent ship"]
    await agent.start()
    await asyncio.sleep(0)
    assert shape(app_graph(app)) == [
        "<ANON> > Stream: Channel: <ANON>",
        "Stream: Channel: <ANON> > double",
        "double > agent ship",
    ]


def test_an_app_without_streams_has_an_empty_graph(app: sl.App) -> None:
    assert str(app_graph(app)) == "nothing to draw yet: no streams and no agents"
    assert repr(app_graph(app)) == "<Graph: 0 nodes, 0 edges>"


def test_equal_topologies_have_equal_ids(app: sl.App) -> None:
    def build() -> tuple[list[str], list[str]]:
        stream = app.topic("orders").stream().filter(is_big).echo("copies")
        stream.add_processor(double)
        graph = stream.graph()
        return [node.id for node in graph.nodes], [edge.id for edge in graph.edges]

    first = build()
    assert first == build()
    assert all(re.fullmatch(r"\w+", name, re.ASCII) for names in first for name in names)


def test_a_processor_keeps_its_id_when_it_is_moved_disabled_or_replaced(app: sl.App) -> None:
    stream = app.stream([1])
    stream.add_processor(double)
    stream.filter(is_big)
    before = {node.id for node in stream.graph().nodes}
    stream.processors.move("double", 1)
    stream.processors.disable("double")
    stream.processors.replace("double", str)
    assert {node.id for node in stream.graph().nodes} == before


def test_ids_are_the_same_in_another_process(app: sl.App) -> None:
    code = """
import streamlab as sl
app = sl.App("graph", broker="memory://graph")
print(*(node.id for node in app.topic("orders", "other").stream().filter(bool).graph().nodes))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [node.id for node in app.topic("orders", "other").stream().filter(bool).graph().nodes]


def test_names_that_look_alike_have_ids_of_their_own(app: sl.App) -> None:
    stream = app.stream([1])
    for name in ("a b", "a-b", "a.b", "é", "è", "x" * 5000, "x" * 5001):
        stream.processors.add(double, name=name)
    ids = [node.id for node in stream.graph().nodes]
    assert len(set(ids)) == len(ids) == 9


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_drawn_as_the_text_that_they_are(app: sl.App, name: str) -> None:
    stream = app.stream([1])
    stream.processors.add(double, name=name or "unnamed")
    stream.echo(app.topic(name or "unnamed"))
    graph = stream.graph()
    picture = graph.svg()
    assert picture is not None
    tree = ET.fromstring(picture)
    assert {element.tag.rpartition("}")[2] for element in tree.iter()} <= {
        "svg", "g", "title", "path", "polygon", "polyline", "ellipse", "text", "a",
    }  # fmt: skip
    drawn = [element.text for element in tree.iter() if element.tag.endswith("}text")]
    node = next(node for node in graph.nodes if node.kind == "processor")
    assert len(node.label) <= 60
    # XML has no way to write two spaces, or one at the end, that dot would take for a break.
    assert node.label.strip() in "".join((text or "").replace("\N{NO-BREAK SPACE}", " ") for text in drawn)
    tooltips = [text for element in tree.iter() for name, text in element.items() if name.endswith("}title")]
    assert node.tooltip.replace("\\", "\N{REVERSE SOLIDUS OPERATOR}") in tooltips
    assert "x" * 400 not in graph.source + str(graph) + repr(graph)
    assert "<script" not in picture
    assert len(str(graph).splitlines()) == 5


def test_a_long_label_is_drawn_in_lines_so_that_a_chain_is_not_too_small_to_read(app: sl.App) -> None:
    stream = app.topic("a-topic-with-a-long-name").stream().group_by(Order.account_id)
    label = [node.label for node in stream.graph().nodes if node.kind == "stream"][-1]
    picture = stream.graph().svg()
    assert picture is not None
    drawn = [element.text or "" for element in ET.fromstring(picture).iter() if element.tag.endswith("}text")]
    assert label == "Stream: Topic: a-topic-with-a-long-name-Order.account_id-re…"
    assert max(map(len, drawn)) <= 32
    assert label in "".join(drawn).replace("\N{NO-BREAK SPACE}", " ")


def test_the_picture_has_no_script_no_links_and_the_ids_of_nodes_and_edges(app: sl.App) -> None:
    graph = app.topic("orders").stream().filter(is_big).graph()
    picture = graph.svg()
    assert picture is not None
    ids = {element.get("id") for element in ET.fromstring(picture).iter()}
    assert {node.id for node in graph.nodes} | {edge.id for edge in graph.edges} <= ids
    assert "href" not in picture
    assert "DOCTYPE" not in picture


def test_a_graph_shows_itself_as_svg_dot_and_text(app: sl.App) -> None:
    graph = stream_graph(app.topic("orders").stream())
    bundle = graph._repr_mimebundle_()
    assert bundle["text/plain"] == str(graph) == "topic orders\n└─ Stream: Topic: orders"
    assert bundle["text/vnd.graphviz"].startswith("digraph")
    assert bundle["image/svg+xml"].startswith("<svg")


def test_what_a_front_end_does_not_want_is_not_made(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = stream_graph(app.topic("orders").stream())
    monkeypatch.setattr("streamlab.graph.svg_of", pytest.fail)
    assert set(graph._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(graph._repr_mimebundle_(exclude={"text/plain", "image/svg+xml"})) == {"text/vnd.graphviz"}


def test_without_dot_the_graph_is_dot_and_text(app: sl.App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert set(app.topic("orders").stream().graph()._repr_mimebundle_()) == {"text/plain", "text/vnd.graphviz"}
