from __future__ import annotations

import ast
import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlab.broker import positions_back, resolving
from streamlab.broker.base import Isolation, ReaderOptions, RecordBatch, Watermarks
from streamlab.broker.memory import MemoryBroker
from streamlab.broker.memory_log import MemoryRecord
from streamlab.broker.positions import Ago, Earliest, End, LastN, Latest, Offset, PerPartition, Position, Time, parse
from streamlab.broker.positions_back import last_records
from streamlab.broker.resolving import as_of, resolve
from streamlab.errors import BrokerUnavailable, InvalidPosition, OffsetOutOfRange
from streamlab.events import TP

NOON_MS = 1_795_435_200_000  # 2026-11-23T12:00Z
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["UTC", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("value", "position"),
    [
        ("earliest", Earliest()),
        (" Latest ", Latest()),
        (-100, LastN(100)),
        ("-100", LastN(100)),
        (100, Offset(100)),
        ("100", Offset(100)),
        (0, Offset(0)),
        ("-10m", Ago(600_000)),
        ("-90s", Ago(90_000)),
        ("-1.5h", Ago(5_400_000)),
        ("-2d", Ago(172_800_000)),
        ("-1W", Ago(604_800_000)),
        ("-1h30m", Ago(5_400_000)),
        ("2026-11-23T12:00Z", Time(NOON_MS)),
        ("2026-11-23T13:00:00.250+01:00", Time(NOON_MS + 250)),
        ("2026-11-23 12:00:00+00:00", Time(NOON_MS)),
        (NOON, Time(NOON_MS)),
        (NOON.astimezone(timezone(timedelta(hours=5))), Time(NOON_MS)),
        (datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), Time(-1)),
        ({0: 10, "1": "-5"}, PerPartition(((0, Offset(10)), (1, LastN(5))))),
        ({2: "earliest", 0: "-1h"}, PerPartition(((0, Ago(3_600_000)), (2, Earliest())))),
        (Time(5), Time(5)),
    ],
)
@pytest.mark.parametrize("end", [False, True])
def test_the_grammar(value: Any, position: Position, end: bool) -> None:
    assert parse(value, end=end) == position


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("earliest", "earliest"),
        (" Latest ", "latest"),
        (-200, "-200"),
        ("100", "100"),
        ("-10m", "-10m"),
        ("-90m", "-1h30m"),
        ("-0.25s", "-0.25s"),
        ("-0s", "-0s"),
        (NOON, "2026-11-23T12:00:00Z"),
        ("2026-11-23T13:00:00.250+01:00", "2026-11-23T12:00:00.250Z"),
        ({1: "-5", 0: 10, 2: "-1h"}, "{0: 10, 1: -5, 2: '-1h'}"),
    ],
)
def test_a_position_says_what_one_would_type(value: Any, text: str) -> None:
    assert str(parse(value, end=False)) == text
    assert str(parse("end", end=True)) == "end"


@given(st.integers(0, 1 << 45).map(Ago) | st.integers(-(10**12), 10**13).map(Time) | st.integers(1, 10**15).map(LastN))
def test_what_a_position_says_means_the_same(position: Position) -> None:
    assert parse(str(position), end=True) == position
    assert parse(ast.literal_eval(str(PerPartition(((3, position),)))), end=True) == PerPartition(((3, position),))


def test_end_is_a_stop_and_no_start() -> None:
    assert parse("end", end=True) == End()
    with pytest.raises(InvalidPosition, match=r"start='end' is no position.*\"earliest\""):
        parse("end", end=False)


def test_a_time_without_a_zone_is_local(zone: str) -> None:
    hours = {"UTC": 0, "America/New_York": 5}[zone]
    expected = Time(NOON_MS + hours * 3_600_000)
    naive = datetime(2026, 11, 23, 12)  # noqa: DTZ001
    assert parse("2026-11-23T12:00", end=False) == parse(naive, end=False) == expected


def test_a_date_is_its_local_midnight(zone: str) -> None:
    hours = {"UTC": 0, "America/New_York": 5}[zone]
    expected = Time(NOON_MS + (hours - 12) * 3_600_000)
    assert parse("2026-11-23", end=False) == parse(date(2026, 11, 23), end=False) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "10m",
        "-10x",
        "--10",
        "-m",
        "1e3",
        "-99999999999999999999w",
        10**30,
        "1" * 40,
        1.5,
        True,
        None,
        b"earliest",
        [],
        {},
        {"a": 1},
        {-1: 5},
        np.True_,
        {True: 5},
        {0: {0: 1}},
        {0: "soon"},
        "2026-13-01",
        "0001-01-01",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(value: Any) -> None:
    with pytest.raises(InvalidPosition, match=r"^stop=.* is no position\. Give .*\"end\".*-100.*-10m"):
        parse(value, end=True)


def test_numbers_out_of_a_frame_are_numbers() -> None:
    assert parse(np.int64(-5), end=False) == LastN(5)
    assert parse({np.int32(1): np.uint8(7)}, end=True) == PerPartition(((1, Offset(7)),))


@settings(deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"-?[0-9.]+[smhdwx]?|[0-9T:Z+-]+"))
def test_any_text_is_a_position_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidPosition):
        assert isinstance(parse(text, end=True), Position)


@settings(deadline=None)
@given(st.integers(-(1 << 62), 1 << 62))
def test_numbers_mean_the_same_as_text(number: int) -> None:
    if len(str(number)) < 19:
        assert parse(number, end=False) == parse(str(number), end=False)


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_says_the_same_as_its_text(moment: datetime) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse(moment, end=False) == parse(moment.isoformat(), end=False) == Time(expected)


def test_as_of_makes_what_is_relative_absolute() -> None:
    position = parse({0: "-10s", 1: 5}, end=False)
    assert as_of(position, 25_000) == PerPartition(((0, Time(15_000)), (1, Offset(5))))
    assert as_of(Latest(), 25_000) == Latest()


FIRST, SECOND = TP("orders", 0), TP("orders", 1)
BOTH = [FIRST, SECOND]


@pytest.fixture
async def broker(topic_name: str) -> MemoryBroker:
    """Partition 0 holds offsets 2 to 9 with the times 2000 to 9000; partition 1 holds three records with times 0 to 2000."""
    broker = MemoryBroker(topic_name)
    await broker.create_topic("orders", partitions=2, config={"retention.messages": "8"})
    for partition, count in ((0, 10), (1, 3)):
        for i in range(count):
            await broker.send("orders", key=None, value=b"x", partition=partition, timestamp_ms=i * 1000)
    return broker


@pytest.mark.parametrize(
    ("start", "first", "second"),
    [
        ("earliest", 2, 0),
        ("latest", 10, 3),
        (3, 3, 3),
        (-2, 8, 1),
        (-8, 2, 0),
        (-100, 2, 0),
        (Time(1500), 2, 2),
        (Time(4000), 4, 3),
        (Time(99_000), 10, 3),
        ("-5s", 5, 3),
        ({0: 5, 1: "latest"}, 5, 3),
        ({1: 0, 0: "-5s"}, 5, 0),
    ],
)
async def test_starts_are_resolved(broker: MemoryBroker, start: Any, first: int, second: int) -> None:
    assert await resolve(parse(start, end=False), broker, BOTH, "read_uncommitted", 10_000) == {FIRST: first, SECOND: second}


@pytest.mark.parametrize(
    ("stop", "first", "second"),
    [
        ("end", 10, 3),
        ("latest", 10, 3),
        (50, 50, 50),
        (1, 1, 1),
        (-2, 8, 1),
        ({0: 4}, 4, 3),
        (Time(3_000), 10, 3),  # so few may all be out of order
    ],
)
async def test_stops_are_resolved(broker: MemoryBroker, stop: Any, first: int, second: int) -> None:
    found = await resolve(parse(stop, end=True), broker, BOTH, "read_uncommitted", 10_000, end=True)
    assert found == {FIRST: first, SECOND: second}


@pytest.mark.parametrize(("lateness_ms", "late_records", "first", "second"), [(3_000, 2, 7, 3), (1_000, 4, 8, 3), (0, 0, 4, 3)])
async def test_a_stop_time_leaves_room_by_time_or_by_offset_whichever_reaches_further(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, lateness_ms: int, late_records: int, first: int, second: int
) -> None:
    monkeypatch.setattr(resolving, "LATENESS_MS", lateness_ms)
    monkeypatch.setattr(resolving, "LATE_RECORDS", late_records)
    assert await resolve(Time(4_000), broker, BOTH, "read_uncommitted", 0, end=True) == {FIRST: first, SECOND: second}


async def test_partitions_that_a_start_does_not_name_are_not_read(broker: MemoryBroker) -> None:
    assert await resolve(parse({1: 1}, end=False), broker, BOTH, "read_uncommitted", 0) == {SECOND: 1}


async def test_no_partitions_have_no_offsets(broker: MemoryBroker) -> None:
    assert await resolve(Earliest(), broker, [], "read_uncommitted", 0) == {}


@pytest.mark.parametrize("offset", [1, 11])
async def test_a_start_out_of_range_names_the_range(broker: MemoryBroker, offset: int) -> None:
    with pytest.raises(OffsetOutOfRange, match=rf"orders partition 0 has no offset {offset}: it holds 2 to 10") as caught:
        await resolve(Offset(offset), broker, [FIRST], "read_uncommitted", 0)
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("orders", 0, offset)


async def test_naming_a_partition_that_is_not_there_is_refused(broker: MemoryBroker) -> None:
    with pytest.raises(InvalidPosition, match=r"no partition 7 to start at; there are \[0, 1\]"):
        await resolve(parse({7: 1}, end=False), broker, BOTH, "read_uncommitted", 0)


class HolesReader:
    """Reads a log in which only some offsets hold a record, in batches of ten offsets."""

    last_answer = 0.0

    def __init__(self, broker: HolesBroker) -> None:
        self.broker = broker
        self.positions: dict[TP, int] = {}
        self.running = False

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def assign(self, positions: Mapping[TP, int]) -> None:
        self.positions |= positions

    def seek(self, tp: TP, offset: int) -> None:
        self.positions[tp] = offset

    def position(self, tp: TP) -> int | None:
        return self.positions.get(tp)

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        raise NotImplementedError

    async def fetch(self, timeout_s: float) -> list[RecordBatch]:
        assert self.running
        batches = []
        for tp, position in self.positions.items():
            base, end = position // 10 * 10, min(position // 10 * 10 + 10, self.broker.marks[tp].high)
            if position < end:
                records = [MemoryRecord(o, 0, 0, None, None, ()) for o in range(base, end) if o in self.broker.offsets[tp]]
                batches += [RecordBatch(tp, records, position, end, 1, exact=False)] if records else []
                self.positions[tp] = end
        return batches


class HolesBroker(MemoryBroker):
    def __init__(self, offsets: dict[TP, set[int]], highs: dict[TP, int]) -> None:
        super().__init__("holes")
        self.offsets = offsets
        self.marks = {tp: Watermarks(0, high) for tp, high in highs.items()}
        self.readers: list[HolesReader] = []

    async def watermarks(self, tps: Any, isolation: Isolation = "read_uncommitted") -> dict[TP, Watermarks]:
        return {tp: self.marks[tp] for tp in tps}

    def reader(self, options: ReaderOptions) -> Any:
        self.readers.append(HolesReader(self))
        return self.readers[-1]


@settings(deadline=None)
@given(
    offsets=st.tuples(st.sets(st.integers(0, 199)), st.sets(st.integers(0, 199))),
    highs=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    count=st.integers(1, 60),
)
async def test_the_last_n_are_those_that_exist(offsets: tuple[set[int], set[int]], highs: tuple[int, int], count: int) -> None:
    there = {tp: {o for o in some if o < high} for tp, some, high in zip(BOTH, offsets, highs, strict=True)}
    broker = HolesBroker(there, dict(zip(BOTH, highs, strict=True)))
    starts = await resolve(LastN(count), broker, BOTH, "read_uncommitted", 0)
    for tp in BOTH:
        assert len([o for o in there[tp] if o >= starts[tp]]) == min(count, len(there[tp]))
    assert not any(reader.running for reader in broker.readers)


async def test_looking_for_the_last_records_gives_up_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class SilentReader(HolesReader):
        async def fetch(self, timeout_s: float) -> list[RecordBatch]:
            return []

    monkeypatch.setattr(positions_back, "SILENCE_S", 0.02)
    broker = HolesBroker({FIRST: set()}, {FIRST: 100})
    silent = SilentReader(broker)
    monkeypatch.setattr(broker, "reader", lambda options: silent)
    with pytest.raises(BrokerUnavailable, match="no answer"):
        await last_records(broker, broker.marks, 5, "read_uncommitted")
    assert not silent.running
