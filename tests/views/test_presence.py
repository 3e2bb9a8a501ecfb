"""Who looks at an explorer, and what follows when nobody does."""

from __future__ import annotations

from streamlab.views.hearing import DEAF_S, Hearing
from streamlab.views.presence import ACK_S, ASK_FROM, GRACE_S, MAX_BYTES, MAX_ROOM, STALE_S, UNSEEN_S, Presence, Sent


class Loop:
    """A kernel's loop that gives turns when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[object] = []

    def is_closed(self) -> bool:
        return False

    def call_soon_threadsafe(self, callback: object) -> None:
        self.waiting.append(callback)

    def turn(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            assert callable(callback)
            callback()


def test_a_bye_stops_after_the_grace_and_a_hello_in_between_does_not() -> None:
    presence = Presence()
    presence.hello("a", 0.0)
    presence.bye("a", 10.0)
    assert presence.verdict(10.0 + GRACE_S) == "stay"
    presence.hello("b", 10.0 + GRACE_S)
    assert presence.verdict(100.0) == "stay"
    presence.bye("b", 100.0)
    assert presence.verdict(100.1 + GRACE_S) == "stop"


def test_one_of_two_views_may_go() -> None:
    presence = Presence()
    presence.hello("a", 0.0)
    presence.hello("b", 0.0)
    presence.bye("a", 1.0)
    assert presence.verdict(STALE_S) == "stay"


def test_silence_pauses_after_minutes_and_a_beat_in_between_does_not() -> None:
    presence = Presence()
    presence.hello("a", 0.0)
    assert presence.verdict(STALE_S) == "stay"
    assert presence.verdict(STALE_S + 1) == "pause"
    presence.heard("a", STALE_S)
    assert presence.verdict(STALE_S + 1) == "stay"


def test_what_nobody_ever_drew_is_stopped() -> None:
    presence = Presence()
    assert presence.verdict(UNSEEN_S) == "stay"
    assert presence.verdict(UNSEEN_S + 1) == "stop"


def test_a_new_view_gets_its_next_frame_when_it_drew_the_last_or_lost_it() -> None:
    presence = Presence()
    view = presence.hello("a", 0.0)
    assert view.is_due(0.0)
    presence.sent(view, Sent(7, 100, 1.0))
    assert view.is_asked
    assert not view.is_due(1.0 + ACK_S)
    assert view.is_due(1.1 + ACK_S)
    assert view.lost(1.1 + ACK_S)
    presence.acked("a", 6, 1)
    assert not view.is_due(2.0)
    presence.acked("a", 7, 1)
    assert view.is_due(2.0)


def test_a_view_that_has_room_is_asked_now_and_then_and_never_gets_more_than_it_has_room_for() -> None:
    presence = Presence()
    view = presence.hello("a", 0.0)
    presence.sent(view, Sent(1, 100, 0.0))
    presence.acked("a", 1, 10**9)
    asked = []
    while view.is_due(1.0):
        presence.sent(view, Sent(view.latest + 1, 100, 1.0))
        asked.append(view.is_asked)
    assert asked == [*[False] * (ASK_FROM - 1), *[True] * (MAX_ROOM - ASK_FROM + 1)]
    presence.acked("a", view.latest - 1, MAX_ROOM)
    assert (len(view.under_way), view.is_asked) == (1, False)
    presence.acked("a", view.latest - 1, 1)  # it fell behind
    assert not view.is_due(1.0)


def test_large_frames_leave_less_room() -> None:
    presence = Presence()
    view = presence.hello("a", 0.0)
    view.room = MAX_ROOM
    presence.sent(view, Sent(1, MAX_BYTES // 2, 0.0))
    assert view.is_asked
    assert view.is_due(0.0)
    presence.sent(view, Sent(2, MAX_BYTES // 2, 0.0))
    assert not view.is_due(0.0)


def test_what_was_lost_is_waited_for_no_more() -> None:
    presence = Presence()
    view = presence.hello("a", 0.0)
    presence.sent(view, Sent(1, 100, 0.0))
    presence.begin_anew(view)
    presence.acked("a", 1, MAX_ROOM)  # late
    assert (view.under_way, view.latest, view.room) == ((), 0, 1)


def test_a_view_out_of_sight_is_not_due() -> None:
    view = Presence().hello("a", 0.0)
    view.seen = False
    assert not view.is_due(0.0)


def test_time_in_which_the_kernel_hears_nothing_does_not_count() -> None:
    now = [0.0]
    loop = Loop()
    hearing = Hearing(loop, clock=lambda: now[0])  # type: ignore[arg-type] # all that it needs of a loop
    for _ in range(10):
        now[0] += 0.1
        hearing.tick()
        loop.turn()
    heard = hearing.now_s
    assert 0.9 <= heard <= 1.0
    for _ in range(1000):
        now[0] += 0.1
        hearing.tick()
    assert hearing.now_s <= heard + DEAF_S + 0.1


def test_a_loop_is_not_asked_all_the_time() -> None:
    now = [0.0]
    loop = Loop()
    hearing = Hearing(loop, clock=lambda: now[0])  # type: ignore[arg-type] # all that it needs of a loop
    turns = 0
    for _ in range(100):
        now[0] += 0.1
        hearing.tick()
        turns += bool(loop.waiting)
        loop.turn()
    assert 10 <= turns <= 20


def test_without_a_loop_all_time_counts() -> None:
    now = [0.0]
    hearing = Hearing(clock=lambda: now[0])
    now[0] = 3.0
    assert hearing.tick() == 3.0


def test_a_page_that_goes_stops_nothing_and_pauses_after_minutes() -> None:
    presence = Presence()
    presence.hello("a", 0)
    presence.away("a", 1)
    assert not presence.views
    assert presence.verdict(1 + STALE_S) == "stay"
    assert presence.verdict(2 + STALE_S) == "pause"


def test_a_hello_that_comes_twice_leaves_what_the_view_told_of_itself_and_has_everything_said_again() -> None:
    presence = Presence()
    view = presence.hello("a", 0.0, rows=14)
    view.first, view.follow, view.seen = 500, False, False
    presence.sent(view, Sent(1, 100, 1.0))
    again = presence.hello("a", 2.0, rows=14)
    assert again is view is presence.views["a"]
    assert (view.first, view.follow, view.seen, view.heard_s) == (500, False, False, 2.0)
    assert (view.under_way, view.latest) == ((), 0)


def test_a_hello_that_waited_behind_a_cell_brings_no_view_back_that_said_bye() -> None:
    presence = Presence()
    presence.heard("a", 0.0)
    presence.bye("a", 1.0)
    presence.hello("a", 2.0)
    assert not presence.views
    assert presence.verdict(1.1 + GRACE_S) == "stop"


def test_a_page_that_comes_back_says_hello_after_it_was_away() -> None:
    presence = Presence()
    presence.hello("a", 0.0)
    presence.away("a", 1.0)
    presence.hello("a", 2.0)
    assert list(presence.views) == ["a"]
    presence.bye("a", 3.0)
    presence.hello("a", 4.0)
    assert not presence.views


def test_what_a_page_that_was_loaded_again_takes_away_is_gone() -> None:
    presence = Presence()
    presence.hello("before", 0)
    presence.away("before", 1)
    presence.hello("after", 2)
    presence.bye("after", 3)
    assert presence.verdict(3 + GRACE_S + 0.1) == "stop"


def test_a_view_whose_notebook_was_closed_is_told_of_by_the_next_hello_of_any_explorer() -> None:
    closed, other = Presence(), Presence()
    closed.hello("a", 0.0)
    other.hello("b", 0.0, gone=("a", "unknown"))
    assert closed.verdict(1.0) == "stay"
    assert not closed.views
    # As with a page that was loaded again: it may be drawn anew.
    assert closed.verdict(STALE_S) == "stay"
    assert closed.verdict(STALE_S + 2) == "pause"
    assert closed.hello("c", STALE_S + 3).seen
    assert closed.verdict(STALE_S + 3) == "stay"


def test_what_a_page_left_behind_is_stopped_once_its_cell_shows_something_else() -> None:
    for names in (("a",), ()):
        presence = Presence()
        presence.hello("a", 0.0)
        if names:  # it is told of late
            presence.taken_away(1.0)
            Presence().hello("b", 0.0, gone=names)
        else:
            presence.away("a", 0.5)
            presence.taken_away(1.0)
        assert presence.verdict(1.0) == "stay"
        assert presence.verdict(1.1 + GRACE_S) == "stop"
