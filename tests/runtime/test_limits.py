from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streamlab.broker.base import RecordBatch
from streamlab.broker.memory_log import MemoryRecord
from streamlab.broker.positions import Earliest, PerPartition, Time
from streamlab.events import TP
from streamlab.runtime.limits import Limits

FIRST, SECOND = TP("orders", 0), TP("orders", 1)


def records(offsets: range) -> list[MemoryRecord]:
    """A record's time is ten times its offset."""
    return [MemoryRecord(offset, offset * 10, 0, None, None, ()) for offset in offsets]


def batch(offsets: range, first: int | None = None, end: int | None = None, tp: TP = FIRST) -> RecordBatch:
    first, end = offsets.start if first is None else first, offsets.stop if end is None else end
    return RecordBatch(tp, records(offsets), first, end, 1, exact=range(first, end) == offsets)


def walk(batches: list[RecordBatch]) -> list[int]:
    assert all(one.exact for one in batches)
    return [record.offset for one in batches for record in one.records]


def test_what_is_exact_passes_untouched() -> None:
    batches = [batch(range(5)), batch(range(5, 8))]
    before = [one.records for one in batches]
    assert Limits().cut(batches) is batches
    assert [one.records for one in batches] == before


def test_records_outside_of_what_is_meant_are_cut() -> None:
    assert walk(Limits().cut([batch(range(10), 3, 7)])) == [3, 4, 5, 6]


def test_a_batch_across_the_end_is_cut_and_later_ones_are_dropped() -> None:
    limits = Limits(ends={FIRST: 7})
    cut = limits.cut([batch(range(5)), batch(range(5, 10)), batch(range(10, 12)), batch(range(8, 9), tp=SECOND)])
    assert [one.next_offset for one in cut] == [5, 7, 9]
    assert walk(cut) == [0, 1, 2, 3, 4, 5, 6, 8]


def test_an_exact_batch_before_the_end_is_not_wrapped() -> None:
    [one] = Limits(ends={FIRST: 7}).cut([batch(range(5))])
    assert isinstance(one.records, list)


def test_times_are_of_a_partition_where_the_positions_say_so() -> None:
    limits = Limits()
    limits.set_times([FIRST, SECOND], PerPartition(((0, Time(20)), (1, Earliest()))), PerPartition(((1, Time(30)),)))
    assert walk(limits.cut([batch(range(5)), batch(range(5), tp=SECOND)])) == [2, 3, 4, 0, 1, 2]


def test_positions_without_times_filter_nothing() -> None:
    limits = Limits()
    limits.set_times([FIRST], Earliest(), None)
    assert limits.times == {}


def test_the_end_is_reached_when_every_partition_is_there() -> None:
    limits = Limits(ends={FIRST: 3, SECOND: 5})
    assert not limits.reached({FIRST: 3, SECOND: 4})
    assert not limits.reached({FIRST: 3, SECOND: None})
    assert limits.reached({FIRST: 4, SECOND: 5})


@settings(deadline=None)
@given(st.data())
def test_exactly_the_records_within_all_bounds_are_left(data: st.DataObject) -> None:
    number = st.integers(0, 30)
    size, first, end, stop, begin_ms, until_ms = (data.draw(number) for _ in range(6))
    limits = Limits(ends={FIRST: stop} if data.draw(st.booleans()) else None)
    if timed := data.draw(st.booleans()):
        limits.set_times([FIRST], Time(begin_ms * 10), Time(until_ms * 10))
    cut = limits.cut([RecordBatch(FIRST, records(range(size)), first, max(first, end), 1, exact=False)])
    expected = [
        offset
        for offset in range(size)
        if first <= offset < end and (limits.ends is None or offset < stop) and (not timed or begin_ms <= offset < until_ms)
    ]
    assert walk(cut) == expected
