"""The join engine: against a join by brute force over all events, and against Kafka Streams' published tables."""

from __future__ import annotations

import copy
import math
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streamlab as sl
from streamlab.arrivals import Arrival
from streamlab.join_stages import Rules
from streamlab.joined import Joined
from streamlab.joining import JoinEngine
from streamlab.keying import KeysByClass

KINDS = {"inner": (False, False), "left": (True, False), "right": (False, True), "outer": (True, True)}
END = math.inf


class Happened(NamedTuple):
    """One event, in the order of arrival."""

    time: float
    side: int
    key: Any


class Row(NamedTuple):
    """What a side of a stage consists of: the numbers of its events, and when it came to be there."""

    time: float
    key: Any
    numbers: tuple[int | None, ...]
    born: tuple[float, int]
    """At which event, and whether by it (1) or by the windows that its time closed before (0)."""
    clock: float
    """Stream time then."""


def brute_force(events: Sequence[Happened], sides: int, kind: str, within: float, grace: float) -> list[tuple[float, Any]]:
    """Return at which event which rows come out: every combination is looked at."""
    clocks = [max(event.time for event in events[: at + 1]) for at in range(len(events))]
    rows = [
        (event.side, Row(event.time, event.key, (at,), (at, 1), clocks[at]))
        for at, event in enumerate(events)
        if event.time >= clocks[at] - within - grace
    ]
    left = [row for side, row in rows if side == 0]
    for stage in range(1, sides):
        windows = 1 if kind == "inner" else stage
        right = [row for side, row in rows if side == stage]
        left = stage_of(left, right, stage, KINDS[kind], within, windows * within + grace, clocks)
    return [(row.born[0], row.numbers) for row in left]


def stage_of(
    left: list[Row], right: list[Row], width: int, keeps: tuple[bool, bool], within: float, keep: float, clocks: list[float]
) -> list[Row]:
    """Return the pairs, and what is kept of what has none."""
    made: list[Row] = []
    met: set[tuple[int | None, ...]] = set()
    for one in left:
        for other in right:
            first, later = sorted((one, other), key=lambda row: row.born)
            if (
                one.key is not None
                and one.key == other.key
                and abs(one.time - other.time) <= within
                and first.time + keep >= later.clock
            ):
                met |= {one.numbers, other.numbers}
                numbers = (*one.numbers, *other.numbers)
                made.append(Row(max(one.time, other.time), one.key, numbers, later.born, later.clock))
    nobody = ((None,), (None,) * width)
    for place, rows in enumerate((left, right)):
        for row in rows:
            if keeps[place] and row.numbers not in met:
                numbers = (*row.numbers, *nobody[0]) if place == 0 else (*nobody[1], *row.numbers)
                closes = [(float(at), 0) for at, clock in enumerate(clocks) if clock > row.time + keep]
                born = max(min(closes, default=(END, 0)), (row.born[0], 0))
                made.append(Row(row.time, row.key, numbers, born, row.time + keep))
    return made


def arrivals_of(events: Iterable[Happened]) -> list[Arrival]:
    return [Arrival(event.time, event.side, number, None, None) for number, event in enumerate(events)]


def from_partition(event: Happened) -> Arrival:
    message = sl.Message("topic", 0, 0, event.time, 0, None, event.key, event.key)
    return Arrival(event.time, event.side, event.key, sl.Event(sl.App("joining"), event.key, event.key, {}, message), None)


@pytest.mark.parametrize("sides", [2, 3, 4])
@pytest.mark.parametrize("done", range(0, 45, 5))
def test_what_is_read_again_comes_out_unless_it_had_come_out_before(sides: int, done: int) -> None:
    """``done`` is up to when whoever read it before had handed rows out; without a partner a row comes out after ``sides - 1`` windows."""
    rules = Rules(keeps_left=True, keeps_right=True, within_s=10, grace_s=0)
    engine = joining_by(lambda arrival: arrival.value, sides, rules)
    engine.done_before[0] = float(done)
    rows = engine.add([from_partition(Happened(0.0, 0, "a")), from_partition(Happened(100.0, 0, "late"))])
    assert rows == [] if done > 10 * (sides - 1) else rows == [("a", *[None] * (sides - 1))]


def joining_by(key: Callable[[Any], Any], sides: int, rules: Rules) -> JoinEngine:
    return JoinEngine([KeysByClass(lambda _: key)] * sides, rules)


def engine_of(events: Sequence[Happened], sides: int, kind: str, within: float, grace: float) -> JoinEngine:
    keeps_left, keeps_right = KINDS[kind]
    rules = Rules(keeps_left, keeps_right, within, grace)
    return joining_by(lambda arrival: events[arrival.value].key, sides, rules)


def joined_one_by_one(events: Sequence[Happened], engine: JoinEngine) -> list[tuple[float, Any]]:
    rows = [(float(at), row) for at, arrival in enumerate(arrivals_of(events)) for row in engine.add([arrival])]
    return rows + [(END, row) for row in engine.flush()]


def histories(sides: int) -> st.SearchStrategy[list[Happened]]:
    """Few keys and times, so that events meet, at equal times and at the edges of windows; in any order."""
    times = st.integers(0, 40).map(lambda tenths: 1_700_000_000 + tenths / 2)
    event = st.builds(Happened, times, st.integers(0, sides - 1), st.sampled_from(["a", "a", "b", None]))
    anyhow = st.lists(event, max_size=24)
    nearly = anyhow.map(lambda events: sorted(events, key=lambda event: event.time))
    return st.one_of(anyhow, nearly)


WITHIN = st.sampled_from([0.0, 0.5, 2.0, 5.0, math.inf])
GRACE = st.sampled_from([0.0, 1.0, 3.5])


@pytest.mark.parametrize("sides", [2, 3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_out_is_what_brute_force_finds_and_when_it_does(sides: int, kind: str) -> None:
    @given(histories(sides), WITHIN, GRACE)
    def law(events: list[Happened], within: float, grace: float) -> None:
        engine = engine_of(events, sides, kind, within, grace)
        rows = joined_one_by_one(events, engine)
        assert Counter((at, tuple(row)) for at, row in rows) == Counter(brute_force(events, sides, kind, within, grace))
        assert engine.buffered == 0
        several = [row for _, row in rows if len(row) - row.count(None) > 1]
        assert engine.matched == len(several)

    law()


@pytest.mark.parametrize("kind", KINDS)
def test_how_arrivals_are_batched_changes_nothing(kind: str) -> None:
    @given(histories(3), WITHIN, GRACE, st.integers(1, 9))
    def law(events: list[Happened], within: float, grace: float, size: int) -> None:
        arrivals = arrivals_of(events)
        engine = engine_of(events, 3, kind, within, grace)
        batched = [row for at in range(0, len(arrivals), size) for row in engine.add(arrivals[at : at + size])]
        one_by_one = joined_one_by_one(events, engine_of(events, 3, kind, within, grace))
        assert batched + engine.flush() == [row for _, row in one_by_one]

    law()


@pytest.mark.parametrize("sides", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_arrival_is_closed_once_and_not_before_its_last_row(sides: int, kind: str) -> None:
    @given(histories(sides), WITHIN, GRACE)
    def law(events: list[Happened], within: float, grace: float) -> None:
        engine = engine_of(events, sides, kind, within, grace)
        engine.keeps_closed = True
        rows = engine.add(arrivals_of(events))
        last_row = {number: at for at, row in enumerate(rows, 1) for number in row if number is not None}
        for after, arrival, _ in engine.closed:
            assert last_row.get(arrival.value, 0) <= after
        closed = [arrival.value for _, arrival, _ in engine.closed]
        engine.closed.clear()
        assert not set(closed) & {number for row in engine.flush() for number in row}
        closed += [arrival.value for _, arrival, _ in engine.closed]
        assert sorted(closed) == list(range(len(events)))

    law()


@given(histories(2), st.integers(0, 24))
def test_what_is_dropped_and_read_again_misses_no_row(events: list[Happened], at: int) -> None:
    """Side 0 is revoked, as a rebalance does, and read again from its beginning, with its times of before."""
    engine = engine_of(events, 2, "outer", math.inf, 0)
    first = engine.add(arrivals_of(events)[:at])
    engine.drop(lambda arrival: arrival.side == 0)
    held = sum(event.side == 1 for event in events[:at])
    assert engine.buffered == held
    again = [arrival for number, arrival in enumerate(arrivals_of(events)) if arrival.side == 0 or number >= at]
    later = engine.add(again)
    assert all(row._made[1] in again for row in later)
    pairs = {(left, right) for _, (left, right) in brute_force(events, 2, "inner", math.inf, 0)}
    assert {tuple(row) for row in first + later} == pairs
    assert engine.late == 0


@given(histories(2), GRACE, st.integers(0, 24))
def test_what_stays_when_others_are_dropped_goes_on_as_before(events: list[Happened], grace: float, at: int) -> None:
    """What went is as if it had never been, but for what had come out, and for time."""
    arrivals = arrivals_of(events)
    engine, other = engine_of(events, 2, "outer", 2, grace), engine_of(events, 2, "outer", 2, grace)
    engine.add(arrivals[:at])
    engine.drop(lambda arrival: arrival.value % 2 == 0)
    held = {arrival.value for arrival in engine._stages[0]._in_order}
    other.add([arrival for arrival in arrivals_of(events)[:at] if arrival.value in held])
    other.stream_time = -math.inf
    pairs = [[row for row in one.add(arrivals_of(events)[at:]) if None not in row] for one in (engine, other)]
    assert pairs[0] == pairs[1]


# Rows of the tables in https://cwiki.apache.org/confluence/display/KAFKA/Kafka+Streams+Join+Semantics (all of one key).
# There a null is a record without a value, which joins nothing.
STREAM_1 = [(1, None), (3, "A"), (5, "B"), (7, None), (9, "C"), (12, None), (15, "D")]
STREAM_2 = [(2, None), (4, "a"), (6, "b"), (8, None), (10, "c"), (11, None), (13, None), (14, "d")]
ONE_WINDOW = {
    4: ["Aa"],
    5: ["Ba"],
    6: ["Ab", "Bb"],
    9: ["Ca", "Cb"],
    10: ["Ac", "Bc", "Cc"],
    14: ["Ad", "Bd", "Cd"],
    15: ["Da", "Db", "Dc", "Dd"],
}


def kafka_table(kind: str, within: float, grace: float, *streams: list[tuple[int, str | None]]) -> dict[int, list[str]]:
    """Return what comes out at each time, as the tables write it."""
    keeps_left, keeps_right = KINDS[kind]
    engine = joining_by(lambda _: "key", len(streams), Rules(keeps_left, keeps_right, within, grace))
    records = [Arrival(time, side, value, None, None) for side, stream in enumerate(streams) for time, value in stream]
    table: dict[int, list[str]] = {}
    for record in sorted(records, key=lambda record: record.timestamp):
        if rows := engine.add([record]):
            table.setdefault(int(record.timestamp), []).extend("".join(value or "-" for value in row) for row in rows)
    return table


@pytest.mark.parametrize("kind", ["inner", "left", "outer"])
def test_kafka_streams_table_of_one_window(kind: str) -> None:
    assert kafka_table(kind, 15, 5, STREAM_1, STREAM_2) == ONE_WINDOW


@pytest.mark.parametrize(
    ("kind", "alone"),
    [("inner", {}), ("left", {60: ["E-"], 80: ["F-"]}), ("outer", {60: ["E-"], 80: ["F-"], 100: ["-f"]})],
)
def test_kafka_streams_table_of_what_is_alone_in_its_window(kind: str, alone: dict[int, list[str]]) -> None:
    """Window of 10, grace of 5, as there: unmatched records come out when another one shows that their window is over."""
    left: list[tuple[int, str | None]] = [(40, "E"), (60, "F"), (100, "G")]
    assert kafka_table(kind, 10, 5, left, [(80, "f")]) == alone


def test_kafka_streams_table_of_a_self_join() -> None:
    """From StreamStreamJoinIntegrationTest.testSelfJoin of apache/kafka; here the record comes once as left, then once as right."""
    stream: list[tuple[int, str | None]] = [(1, None), (2, "A"), (3, "B"), (4, None), (5, "C"), (6, None), (7, "D")]
    assert kafka_table("inner", 10, 86400, stream, stream) == {
        2: ["AA"],
        3: ["BA", "AB", "BB"],
        5: ["CA", "CB", "AC", "BC", "CC"],
        7: ["DA", "DB", "DC", "AD", "BD", "CD", "DD"],
    }


def engine(kind: str = "inner", *, sides: int = 2, **rules: Any) -> JoinEngine:
    keeps_left, keeps_right = KINDS[kind]
    return joining_by(lambda arrival: arrival.value[0], sides, Rules(keeps_left, keeps_right, **rules))


def at(time: float, side: int, value: Any) -> Arrival:
    return Arrival(time, side, value, None, None)


def test_both_edges_of_a_window_are_in_it_though_times_are_floats() -> None:
    joining = engine(within_s=0.1)
    times = [1_700_000_000 + tenths / 10 for tenths in range(100)]
    rows = joining.add([at(time, number % 2, ("k", number)) for number, time in enumerate(times)])
    assert len(rows) == 99
    assert joining.late == 0


def test_rows_of_one_arrival_come_in_the_order_of_their_times() -> None:
    joining = engine(within_s=100)
    joining.add([at(time, 0, ("k", time)) for time in (5, 3, 9, 3.0, 1, 7, 2, 8, 4, 6, 11, 10)])
    rows = joining.add([at(6, 1, ("k", "r"))])
    assert [row.left[1] for row in rows] == [1, 2, 3, 3.0, 4, 5, 6, 7, 8, 9, 10, 11]


def test_unmatched_rows_come_in_the_order_of_time_and_before_what_the_arrival_makes() -> None:
    joining = engine("outer", within_s=10)
    joining.add([at(3, 0, ("x", 1)), at(1, 1, ("y", 2)), at(2, 0, ("z", 3)), at(11, 0, ("k", 4))])
    rows = joining.add([at(20, 1, ("k", 5))])
    assert rows == [(None, ("y", 2)), (("z", 3), None), (("x", 1), None), (("k", 4), ("k", 5))]


def test_a_late_arrival_is_counted_and_joins_nothing() -> None:
    joining = engine("outer", within_s=10, grace_s=5)
    assert joining.add([at(100, 0, ("k", 1)), at(84.9, 1, ("k", 2)), at(85, 1, ("k", 3))]) == []
    assert (joining.late, joining.buffered) == (1, 2)


def test_a_window_that_is_closed_takes_part_in_no_pair_so_that_nothing_comes_out_both_alone_and_paired() -> None:
    joining = engine("left", within_s=10)
    rows = joining.add([at(0, 0, ("k", 1)), at(11, 0, ("x", 2)), at(5, 1, ("k", 3))])
    assert rows == [(("k", 1), None)]


def test_values_without_a_key_come_out_alone_and_those_that_are_none_not_at_all() -> None:
    joining = joining_by(lambda _: None, 2, Rules(keeps_left=True, within_s=1))
    assert joining.add([at(0, 0, "l"), at(0, 1, "r"), at(0, 0, None), at(5, 1, "x")]) == [("l", None)]
    assert (joining.empty, joining.unmatched) == (1, 2)


def test_what_fails_to_give_a_key_is_passed_over_and_told() -> None:
    joining = joining_by(lambda arrival: arrival.value["id"], 2, Rules())
    bad = at(0, 0, {})
    assert joining.add([bad, at(0, 0, {"id": 1}), at(0, 1, {"id": 1})]) == [({"id": 1}, {"id": 1})]
    [(arrival, error)] = joining.failures
    assert arrival is bad
    assert isinstance(error, KeyError)
    assert joining.failed == 1


class Key(sl.Record):
    a: int
    tags: list[str]


def test_keys_that_cannot_be_hashed_match_when_they_are_equal() -> None:
    joining = joining_by(lambda arrival: arrival.value, 2, Rules())
    keys: list[tuple[Any, Any]] = [
        ({"a": [1]}, {"a": [2]}),
        ([1, {}], [1]),
        (Key(a=1, tags=["x"]), Key(a=1, tags=["y"])),
    ]
    for key, other in keys:
        same = copy.deepcopy(key)
        row: Any
        [row] = joining.add([at(0, 0, key), at(0, 1, same), at(0, 1, other)])
        assert row == (key, same)
        assert row.key is same


def test_of_a_key_with_too_many_rows_the_oldest_goes_and_is_not_called_unmatched() -> None:
    joining = engine("left", within_s=100, max_per_key=2)
    rows = joining.add([at(time, 0, ("k", time)) for time in (1, 2, 3)] + [at(0, 0, ("k", 0))])
    assert rows == []
    assert joining.dropped == 2
    assert joining.add([at(4, 1, ("k", 4))]) == [(("k", 2), ("k", 4)), (("k", 3), ("k", 4))]
    assert joining.add([at(1000, 1, ("x", 5))]) == []
    assert joining.unmatched == 0


def test_flushing_closes_what_is_open_and_time_does_not_move() -> None:
    joining = engine("left", within_s=10)
    joining.add([at(100, 0, ("k", 1))])
    assert joining.flush() == [(("k", 1), None)]
    assert joining.add([at(101, 0, ("k", 2)), at(99, 1, ("k", 3))]) == [(("k", 2), ("k", 3))]
    assert joining.late == 0


def test_memory_is_bounded_by_the_window() -> None:
    joining = engine(within_s=1, grace_s=0.5)
    most = 0
    for second in range(15):
        joining.add([at(second + n / 1000, n % 2, ((second, n), n)) for n in range(1000)])
        most = max(most, joining.buffered)
    assert most <= 1502
    assert sum(map(len, joining._stages[0]._by_key)) == joining.buffered


def test_a_joined_row_is_a_tuple_with_names() -> None:
    joining = engine(sides=3, within_s=10)
    row: Any
    [row] = joining.add([at(1, 0, ("k", 1)), at(2, 1, ("k", 2)), at(3, 2, ("k", 3))])
    assert Joined in type(row).__mro__
    one, two, three = row
    assert (row.left, row.side_2, row.right) == (one, two, three)
    assert row.key == "k"
    assert row.events == [None, None, None]
    assert repr(row) == "Joined(('k', 1), ('k', 2), ('k', 3))"
    for again in (copy.copy(row), pickle.loads(pickle.dumps(row))):
        assert again == row
        assert (again.key, again.right) == ("k", ("k", 3))


DOCS = Path(__file__).parent.parent / "docs" / "joins" / "joins.md"
TIMELINES = {"inner_join": "inner", "left_join": "left", "join": "right", "outer_join": "outer"}


def timeline(method: str) -> list[tuple[float, str, str]]:
    """Return (timestamp, what comes, what comes out) of a timeline in the documentation."""
    table = DOCS.read_text("utf-8").split(f"\n`{method}`\n\n")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return [(float(time), comes, out) for time, comes, out, _ in cells]


@pytest.mark.parametrize("method", TIMELINES)
def test_the_timelines_of_the_documentation_are_what_happens(method: str) -> None:
    """A and B are of side 0, a and b of side 1."""
    keeps_left, keeps_right = KINDS[TIMELINES[method]]
    joining = joining_by(lambda arrival: arrival.value.lower(), 2, Rules(keeps_left, keeps_right, 10))
    for time, comes, expected in timeline(method):
        rows = joining.add([at(time, int(comes.islower()), comes)])
        assert ", ".join(f"({left}, {right})" for left, right in rows) == expected, (time, comes)
