"""The engine of windows: against brute force over whole lists of events, and case by case."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab.aggregates import Aggregate
from streamlab.arrivals import Arrival
from streamlab.broker.base import RecordBatch
from streamlab.codecs import Schema
from streamlab.errors import InvalidType, MemoryLimitExceeded
from streamlab.events import TP
from streamlab.opened import OpenedBatch
from streamlab.recipes import Recipe
from streamlab.runtime.acks import AckStore
from streamlab.windowing import Made, Shape, WindowEngine


class Row(NamedTuple):
    ms: int
    key: Any
    value: Any = 1


class Cut(NamedTuple):
    """A window as the tests compare it."""

    key: Any
    start: float
    end: float
    records: int
    values: tuple[Any, ...] = ()


class Rig:
    """An engine, and what it said."""

    def __init__(self, shape: Shape, *aggregates: Aggregate, by: Any = 1, **options: Any) -> None:
        aggregates = aggregates or (Aggregate("values", lambda rows: tuple(row.value for row in rows)),)
        self.errors: list[Exception] = []
        recipe = Recipe((lambda row: row[by]) if isinstance(by, int) else by, aggregates, Cut)
        self.engine = WindowEngine(shape, recipe, failed=lambda _, error: self.errors.append(error), **options)

    def add(self, *rows: Any) -> list[Any]:
        """Put rows in; what came out."""
        return windows_of(self.engine.add([arrival(row) for row in rows]))

    def flush(self) -> list[Any]:
        return windows_of(self.engine.flush())


def arrival(row: Any) -> Arrival:
    return Arrival(row.ms / 1000, 0, row, row, None)


def windows_of(made: Iterable[Made]) -> list[Any]:
    return [one.value for one in made]


rows = st.lists(st.builds(Row, st.integers(-40, 60), st.sampled_from([None, "a", "b"]), st.integers(0, 9)), max_size=40)
nearly_in_order = st.lists(
    st.builds(Row, st.integers(-4, 4), st.sampled_from([None, "a", "b"]), st.integers(0, 9)), max_size=60
).map(lambda some: [row._replace(ms=row.ms + 2 * place) for place, row in enumerate(some)])
graces = st.sampled_from([0, 1, 5, 30])
Step = list[Cut]


def times_of(events: Sequence[Row]) -> list[int]:
    return list(accumulate((row.ms for row in events), max))


def aligned(events: Sequence[Row], size: int, step: int, grace: int) -> tuple[list[Step], int]:
    """Return what comes out with each event and at the end, and how many were late: from the definition."""
    times, late = times_of(events), 0
    inside: dict[tuple[int, Any], list[Any]] = defaultdict(list)
    for row, time in zip(events, times, strict=True):
        starts = [start for start in range((row.ms - size) // step * step, row.ms + 1, step) if start <= row.ms < start + size]
        open_ones = [start for start in starts if time < start + size + grace]
        late += open_ones != starts
        for start in open_ones:
            inside[start, row.key].append(row.value)
    steps: list[Step] = [[] for _ in range(len(events) + 1)]
    for (start, key), values in inside.items():
        closes = next((place for place, time in enumerate(times) if time >= start + size + grace), len(events))
        steps[closes].append(Cut(key, start / 1000, (start + size) / 1000, len(values), tuple(values)))
    return steps, late


def clusters(live: Sequence[tuple[int, Row]], gap: int) -> list[list[tuple[int, Row]]]:
    """Return records of one key as sessions."""
    found: list[list[tuple[int, Row]]] = []
    for entry in sorted(live, key=lambda one: one[1].ms):
        if found and entry[1].ms - found[-1][-1][1].ms < gap:
            found[-1].append(entry)
        else:
            found.append([entry])
    return found


def sessions(events: Sequence[Row], gap: int, grace: int) -> tuple[list[Step], int]:
    """Return what comes out with each event and at the end, and how many were late: all sessions anew for each."""
    live: dict[Any, list[tuple[int, Row]]] = defaultdict(list)
    late, steps = 0, []
    for place, (row, time) in enumerate(zip(events, times_of(events), strict=True)):
        steps.append(closed(live, gap, time - grace))
        touches = any(abs(other.ms - row.ms) < gap for _, other in live[row.key])
        if touches or row.ms + gap + grace > time:
            live[row.key].append((place, row))
        else:
            late += 1
    return [*steps, closed(live, gap, math.inf)], late


def closed(live: dict[Any, list[tuple[int, Row]]], gap: int, time: float) -> Step:
    step = []
    for key, entries in live.items():
        for cluster in clusters(entries, gap):
            end = cluster[-1][1].ms + gap
            if end <= time:
                step.append(
                    Cut(key, cluster[0][1].ms / 1000, end / 1000, len(cluster), tuple(sorted(r.value for _, r in cluster)))
                )
                live[key] = [entry for entry in live[key] if entry not in cluster]
    return step


def in_order(steps: Iterable[Iterable[Cut]]) -> list[list[Cut]]:
    return [sorted(step, key=lambda cut: (cut.end, cut.start, str(cut.key))) for step in steps]


def check(
    rig: Rig, events: Sequence[Row], expected: list[Step], late: int, normal: Callable[[Cut], Cut] = lambda cut: cut
) -> None:
    got = [rig.add(row) for row in events]
    got.append(rig.flush())
    for step in got:
        assert [cut.end for cut in step] == sorted(cut.end for cut in step)
    assert in_order(map(normal, step) for step in got) == in_order(expected)
    engine = rig.engine
    assert (engine.late, engine.emitted, engine.open_windows) == (late, sum(map(len, expected)), 0)


@given(events=rows | nearly_in_order, size=st.integers(1, 20), grace=graces)
def test_tumbling_windows_are_what_brute_force_finds(events: list[Row], size: int, grace: int) -> None:
    check(Rig(Shape(size, size, grace)), events, *aligned(events, size, size, grace))


@given(events=rows | nearly_in_order, size=st.integers(1, 20), step=st.integers(1, 20), grace=graces)
def test_hopping_windows_are_what_brute_force_finds(events: list[Row], size: int, step: int, grace: int) -> None:
    step = min(step, size)
    check(Rig(Shape(size, step, grace)), events, *aligned(events, size, step, grace))


@given(events=rows | nearly_in_order, gap=st.integers(1, 12), grace=graces)
def test_sessions_are_what_brute_force_finds(events: list[Row], gap: int, grace: int) -> None:
    by_value = lambda cut: cut._replace(values=tuple(sorted(cut.values)))  # noqa: E731
    check(Rig(Shape(gap, 0, grace)), events, *sessions(events, gap, grace), by_value)


@given(events=rows, shape=st.sampled_from([Shape(10, 10, 2), Shape(10, 4, 0), Shape(6, 0, 3)]), data=st.data())
def test_how_records_are_batched_makes_no_difference(events: list[Row], shape: Shape, data: st.DataObject) -> None:
    one_by_one, batched = Rig(shape), Rig(shape)
    expected = [cut for row in events for cut in one_by_one.add(row)] + one_by_one.flush()
    got: list[Cut] = []
    left = list(events)
    while left:
        count = data.draw(st.integers(1, len(left)))
        got += batched.add(*left[:count])
        del left[:count]
    assert got + batched.flush() == expected


NUMBERS = st.one_of(st.none(), st.integers(-99, 99), st.floats(-99, 99), st.just(math.nan), st.decimals(-99, 99, places=2))


@given(values=st.lists(NUMBERS, min_size=1, max_size=20), split=st.integers(0, 20))
def test_aggregates_leave_missing_values_out_also_when_sessions_merge(values: list[Any], split: int) -> None:
    hows = ("count", "sum", "mean", "min", "max")
    field = lambda row: row.value  # noqa: E731
    aggregates = [Aggregate(how, how, field) for how in hows]
    rig = Rig(Shape(10, 0, 100), *aggregates)
    rig.engine.recipe._make = lambda *parts: parts
    left, right = values[:split], values[split:]
    rig.add(*(Row(0, "a", value) for value in left), *(Row(15, "a", value) for value in right), Row(8, "a", None))
    [(_, start, end, count, *found)] = rig.flush()
    there = [value for value in values if value is not None and not (isinstance(value, float | Decimal) and math.isnan(value))]
    assert count == len(values) + 1
    assert (start, end) == (0 if left else 0.008, 0.025 if right else 0.018)
    numbers = [float(value) for value in there]
    assert found[0] == len(there)
    assert float(found[1]) == pytest.approx(math.fsum(numbers))
    assert found[2] is None if not there else float(found[2]) == pytest.approx(statistics.fmean(numbers))
    assert found[3:] == [min(there, default=None), max(there, default=None)]


def test_windows_are_aligned_to_the_epoch_and_leave_their_end_out() -> None:
    rig = Rig(Shape(60_000, 60_000))
    assert rig.add(Row(59_999, "a"), Row(60_000, "a"), Row(-1, "a")) == [Cut("a", 0.0, 60.0, 1, (1,))]
    assert rig.add(Row(120_000, "b")) == [Cut("a", 60.0, 120.0, 1, (1,))]
    assert rig.engine.late == 1


def test_what_comes_within_the_grace_is_counted() -> None:
    rig = Rig(Shape(60_000, 60_000, 5_000))
    assert rig.add(Row(10_000, "a"), Row(64_999, "a"), Row(59_000, "a")) == []
    assert rig.add(Row(65_000, "a"), Row(59_000, "a")) == [Cut("a", 0.0, 60.0, 2, (1, 1))]
    assert rig.engine.late == 1


def test_a_record_between_two_sessions_makes_one_of_them() -> None:
    rig = Rig(Shape(10, 0, 50))
    assert rig.add(Row(0, "a", 1), Row(18, "a", 2)) == []
    assert rig.engine.open_windows == 2
    assert rig.add(Row(9, "a", 3)) == []
    assert rig.engine.open_windows == 1
    assert [(cut.start, cut.end, cut.records) for cut in rig.flush()] == [(0.0, 0.028, 3)]


def test_records_exactly_a_gap_apart_are_two_sessions() -> None:
    rig = Rig(Shape(10, 0))
    assert rig.add(Row(0, "a"), Row(10, "a")) == [Cut("a", 0.0, 0.01, 1, (1,))]


def test_a_record_that_is_late_for_some_of_its_windows_is_in_the_others() -> None:
    rig = Rig(Shape(10, 5))
    assert [cut.start for cut in rig.add(Row(2, "a"), Row(10, "a"), Row(7, "a"))] == [-0.005, 0.0]
    assert [(cut.start, cut.records) for cut in rig.flush()] == [(0.005, 2), (0.01, 1)]
    assert rig.engine.late == 1


def test_with_updates_every_record_gives_its_windows_as_they_are_then() -> None:
    rig = Rig(Shape(10, 10), Aggregate("values", "sum", lambda row: row.value), updates=True)
    assert [cut.values for cut in rig.add(Row(0, "a", 2), Row(1, "a", 3), Row(2, "b", 4))] == [2, 5, 4]
    assert [(cut.start, cut.values) for cut in rig.add(Row(10, "a", 7))] == [(0.01, 7)]
    assert rig.flush() == []
    assert (rig.engine.emitted, rig.engine.open_windows) == (4, 0)


def test_what_has_been_silent_is_closed_and_what_comes_for_it_then_is_late() -> None:
    rig = Rig(Shape(10, 10, 5))
    rig.engine.add([arrival(Row(3, "a"))], 100.0)
    assert rig.engine.idle(99.9) == []
    assert windows_of(rig.engine.idle(100.0)) == [Cut("a", 0.0, 0.01, 1, (1,))]
    assert rig.engine.idle(100.0) == []
    assert rig.add(Row(4, "a"), Row(12, "a")) == []
    assert (rig.engine.late, rig.engine.open_windows) == (1, 1)


def test_the_cause_of_a_window_is_the_record_that_closed_it() -> None:
    rig = Rig(Shape(10, 10))
    records = [arrival(Row(1, "a")), arrival(Row(10, "b")), arrival(Row(11, "b"))]
    assert [made.cause for made in rig.engine.add(records)] == [records[1]]
    assert [made.cause for made in rig.engine.flush()] == [records[2]]


@pytest.mark.parametrize("value", ["12", b"12", [1], complex(1, 2)])
@pytest.mark.parametrize("how", ["sum", "mean", "min", "max"])
def test_what_is_no_number_is_an_error_that_names_field_and_value_and_counts_nowhere(how: str, value: Any) -> None:
    def price(row: Row) -> Any:
        return row.value

    rig = Rig(Shape(10, 10), Aggregate("n", "count", price), Aggregate("value", how, price))
    rig.engine.recipe._make = lambda *parts: parts
    rig.add(Row(0, "a", 5), Row(1, "a", value))
    assert [parts[3:] for parts in rig.flush()] == [(1, 1, 5)]
    [error] = rig.errors
    assert isinstance(error, InvalidType)
    assert str(error).startswith(f"price is {value!r}, which is no number: ")


@pytest.mark.parametrize("value", [True, Fraction(1, 2), 2**80])
def test_other_kinds_of_numbers_are_numbers(value: Any) -> None:
    rig = Rig(Shape(10, 10), Aggregate("values", "sum", lambda row: row.value))
    rig.add(Row(0, "a", value), Row(1, "a", 1))
    assert [cut.values for cut in rig.flush()] == [value + 1]


def test_a_key_that_cannot_be_one_is_an_error() -> None:
    rig = Rig(Shape(10, 10), by=lambda row: [row.key])
    rig.add(Row(0, "a"))
    [error] = rig.errors
    assert "by which nothing can be grouped" in str(error)
    assert rig.engine.open_windows == 0


def test_when_the_function_of_a_window_raises_there_is_no_such_window() -> None:
    rig = Rig(Shape(10, 10), Aggregate("values", lambda rows: 1 / rows[0].value))
    assert [cut.key for cut in rig.add(Row(0, "a", 0), Row(1, "b", 1), Row(10, "c"))] == ["b"]
    assert [type(error) for error in rig.errors] == [ZeroDivisionError]


@pytest.mark.parametrize("shape", [Shape(10, 10), Shape(10, 0)])
def test_a_record_for_which_there_is_no_room_is_an_error_and_the_open_windows_go_on(shape: Shape) -> None:
    rig = Rig(shape, max_windows=2)
    rig.add(Row(0, "a"), Row(1, "b"), Row(2, "c"), Row(3, "a"))
    [error] = rig.errors
    assert isinstance(error, MemoryLimitExceeded)
    assert "max_windows" in str(error)
    assert [(cut.key, cut.records) for cut in sorted(rig.flush())] == [("a", 2), ("b", 1)]
    assert rig.engine.emitted == 2


class Group:
    """Records of a consumer group, and what of them is acked."""

    def __init__(self, shape: Shape, **options: Any) -> None:
        self.rig = Rig(shape, **options)
        self.stores: dict[int, AckStore] = {}
        self._opened: dict[int, OpenedBatch] = {}

    def add(self, *records: tuple[int, int, int]) -> list[Made]:
        """Put in records of (partition, offset, ms)."""
        return self.rig.engine.add([self._arrival(*record) for record in records], apart=True)

    def _arrival(self, partition: int, offset: int, ms: int) -> Arrival:
        if partition not in self.stores:
            store = self.stores[partition] = AckStore(TP("t", partition))
            self._opened[partition] = OpenedBatch(None, Schema(), RecordBatch(store.tp, (), 0, 0, 0, 0), store)  # type: ignore[arg-type]
        self.stores[partition].deliver(offset)
        return Arrival(ms / 1000, 0, Row(ms, "a"), (offset, ms, 0, None, b"", ()), self._opened[partition])

    @property
    def committable(self) -> dict[int, int | None]:
        return {partition: store.committable for partition, store in self.stores.items()}


def let_go(made: Iterable[Made]) -> None:
    for one in made:
        assert one.hold is not None
        one.hold.let_go()


def test_a_record_is_acked_when_its_window_has_closed_and_was_consumed() -> None:
    group = Group(Shape(10, 10))
    made = group.add((0, 0, 1), (0, 1, 2), (0, 2, 10))
    assert group.committable == {0: 0}
    let_go(made)
    assert group.committable == {0: 2}


def test_a_record_of_several_windows_is_acked_with_the_last_of_them() -> None:
    group = Group(Shape(10, 5))
    let_go(group.add((0, 0, 7), (0, 1, 10)))
    assert group.committable == {0: 0}
    let_go(group.add((0, 2, 15)))
    assert group.committable == {0: 1}


def test_with_updates_a_record_is_acked_when_its_window_has_closed_too() -> None:
    group = Group(Shape(10, 10), updates=True)
    first = group.add((0, 0, 1))
    second = group.add((0, 1, 10))
    let_go(second)
    assert group.committable == {0: 0}
    let_go(first)
    assert group.committable == {0: 1}
    group.add((0, 2, 20))
    assert group.committable == {0: 2}


def test_late_records_and_those_that_fail_are_acked() -> None:
    group = Group(Shape(10, 10))
    let_go(group.add((0, 0, 10), (0, 1, 3), (0, 2, 20)))
    assert group.committable == {0: 2}
    failing = Group(Shape(10, 10), by=lambda row: row.nothing)
    failing.add((0, 0, 1), (0, 1, 2))
    assert failing.committable == {0: 2}


def test_each_partition_of_a_group_has_a_stream_time_of_its_own() -> None:
    group = Group(Shape(10, 10))
    assert group.add((0, 0, 1000), (1, 0, 1), (1, 1, 2)) == []
    assert [made.value.records for made in group.add((1, 2, 10))] == [2]
    assert group.rig.engine.late == 0


def test_windows_of_a_revoked_partition_are_dropped_and_not_acked() -> None:
    group = Group(Shape(10, 10))
    group.add((0, 0, 1), (1, 0, 1))
    group.rig.engine.drop([1])
    assert group.rig.engine.open_windows == 1
    let_go(group.rig.engine.flush())
    assert group.committable == {0: 1, 1: 0}


def test_windows_that_close_together_are_acked_together() -> None:
    """What is noted as done are stream times."""
    group = Group(Shape(10, 5))
    made = group.add((0, 0, 7), (0, 1, 40))
    assert len(made) == 2
    let_go(made[1:])
    assert group.committable == {0: 0}
    let_go(made[:1])
    assert group.committable == {0: 1}


@given(
    offsets=st.lists(st.integers(-3, 3), min_size=15, max_size=40),
    shape=st.sampled_from([Shape(10, 10, 6), Shape(10, 4, 6), Shape(4, 0, 6)]),
    updates=st.booleans(),
    data=st.data(),
)
def test_a_crash_at_any_time_makes_no_window_that_is_none(
    offsets: list[int], shape: Shape, updates: bool, data: st.DataObject
) -> None:
    """Records are out of order within the grace. What was not acked is read again, by an engine that knows what was noted."""
    records = [(0, place, 2 * place + shift) for place, shift in enumerate(offsets)]
    whole = windows_of(Group(shape, updates=updates).add(*records))
    before = Group(shape, updates=updates)
    crash = data.draw(st.integers(len(records) // 2, len(records)))
    made = before.add(*records[:crash])
    consumed = data.draw(st.integers(len(made) // 2, len(made)))
    let_go(made[:consumed])
    got = windows_of(made[:consumed])
    after = Group(shape, updates=updates)
    noted = before.rig.engine.done_up_to(0)
    if noted is not None:
        after.rig.engine.know(0, noted)
    again = records[before.committable.get(0) or 0 :]
    got += windows_of(after.add(*again)) if again else []
    assert set(got) == set(whole)


def timelines() -> list[tuple[str, list[list[str]]]]:
    """Return the timelines of the documentation: what is called, and the cells of the rows."""
    text = (
        (Path(__file__).parent.parent / "docs/joins/windows.md").read_text().partition("### Timelines")[2].partition("\n## ")[0]
    )
    found = []
    for block in re.split(r"^`(?=\w+\()", text, flags=re.MULTILINE)[1:]:
        lines = [line for line in block.splitlines() if line.startswith("|")][2:]
        found.append((block.partition("`")[0], [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]))
    return found


def shape_of(call: str) -> Shape:
    kind, *numbers = re.findall(r"\w+(?=\()|\d+", call)[: 4 if call.startswith("hopping") else 3]
    times = [1000 * int(number) for number in numbers if number.isdecimal()]
    grace = times.pop() if "grace" in call else 0
    return Shape(times[0], {"tumbling": times[0], "hopping": times[-1], "session": 0}[kind], grace)


def test_the_timelines_of_the_documentation_are_what_happens() -> None:
    assert [call.partition("(")[0] for call, _ in timelines()] == ["tumbling", "hopping", "session", "tumbling"]
    for call, lines in timelines():
        rig = Rig(shape_of(call), Aggregate("values", "sum", lambda row: row.value), updates="update" in call)
        for time, key, price, expected, _ in lines:
            late = rig.engine.late
            came = rig.add(Row(1000 * int(time), key, int(price)))
            shown = [f"{cut.key} {cut.start:g}-{cut.end:g}: {cut.values}" for cut in came]
            shown += ["late"] * (rig.engine.late - late)
            assert ", ".join(shown) == expected, (call, time)
