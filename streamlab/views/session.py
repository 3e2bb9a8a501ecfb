"""A stream that is shown: its window, its rates, its last samples; one for all explorers of the stream."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from streamlab.broker.positions import parse
from streamlab.describing import inputs
from streamlab.errors import InvalidState, InvalidValue, StreamClosed
from streamlab.lifecycle import chain_of
from streamlab.restarting import KEEP, renew, restarts_at
from streamlab.retrying import can_retry, put_back
from streamlab.runtime import runner
from streamlab.runtime.running import stop_beside
from streamlab.stats import URGENT, Meter, StreamStats
from streamlab.texts import clean
from streamlab.views.bridge import told
from streamlab.views.cells import ColumnBook
from streamlab.views.histogram import Histogram
from streamlab.views.rates import Rates
from streamlab.views.samples import Sampler
from streamlab.views.sharing import shares
from streamlab.views.window import MAX_BYTES, MAX_MESSAGES, Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamlab.failures import StreamError
    from streamlab.streams import Stream

__all__ = ["AT_REST", "ShownStream", "find", "shown"]

AT_REST = ("stopped", "ended", "failed")
"""States in which it does not run."""

COUNT_S = 0.25
"""The bars of the histogram are laid out anew this often."""
UNSEEN_S = 0.5
"""And the counters of what nobody sees are taken this often."""

_lock = threading.Lock()
_shown: weakref.WeakValueDictionary[int, ShownStream] = weakref.WeakValueDictionary()


class ShownStream:
    """What explorers of one stream share.

    Parameters
    ----------
    stream : Stream
    messages : int
        How many the window holds at most.
    size_bytes : int or None
        And how many bytes; None: its share of what all windows may take.

    Attributes
    ----------
    notice : tuple of (str, str) or None
        What happened last that people should know, and its kind: "info" or "alarm".
    window_before, errors_before : int
        How many messages had come, and how many errors there were, before it was last read from another start, or restarted.
    """

    def __init__(self, stream: Stream[Any], *, messages: int, size_bytes: int | None) -> None:
        self.stream = stream
        self.window = Window(messages, size_bytes or MAX_BYTES)
        self._shares = size_bytes is None
        self.window.on_full = self._is_full
        self.book = ColumnBook()
        self.histogram = Histogram()
        self.sampler = Sampler()
        self.rates = Rates()
        self.stats: StreamStats | None = None
        self.notice: tuple[str, str] | None = None
        self.window_before = self.errors_before = 0
        self._news: tuple[str, ...] = ()
        self._meter = Meter()
        self._measured_s = self._counted_s = float("-inf")
        self._explorers: weakref.WeakSet[Any] = weakref.WeakSet()

    def begin(self) -> None:
        """Run the stream in the background unless a cell iterates it, and look at what comes out."""
        try:
            runner.drive(self.stream, tap=self._take)
        except InvalidState as error:  # a cell has it, or it was stopped: shown is what can be seen from outside
            self.stream._taps = (*(tap for tap in self.stream._taps if tap != self._take), self._take)  # for when it runs
            self.say(str(error))

    @property
    def started_here(self) -> bool:
        """Whether it runs because it is shown: then it may be stopped when nobody looks any more. The user keeps what he runs."""
        chain = [member._drive for member in chain_of(self.stream) if member._drive is not None]
        return self.stream._drive is not None and not any(drive.kept for drive in chain)

    def run(self) -> None:
        """Go on: resume what is paused, start what is not running."""
        if self.is_iterated:
            raise InvalidState("a cell is reading this stream: stop that cell first, then it can run here")
        if self.stream._drive is not None:
            self.notice = None  # why it was paused does not matter any more
            self.stream.resume()
        else:
            self.restart()

    def retry(self, errors: Iterable[StreamError]) -> int:
        """Put what failed through the stream again; one that has ended runs on for it, from where it stood."""
        state = self.state
        if state not in ("stopping", "stopped", "ended", "failed", "iterated"):
            return self.stream.retry(errors)
        if state != "ended":
            raise InvalidState(f"the stream is {state}, so that nothing goes through it: let it run first, then retry")
        source = self.stream._source
        taken = self.stream.errors.take_out(entry for entry in errors if can_retry(entry, source))

        async def go_on() -> None:
            put_back(taken, source)
            await self._run_again()

        if taken:
            self._do(go_on())
        return len(taken)

    def restart(self, **options: Any) -> None:
        """Run it again, from another start or in another mode if given; a new reading begins with an empty window."""
        restarts_at(self.stream, {name: value for name, value in options.items() if value is not KEEP})
        if options.get("start", KEEP) is not KEEP:
            parse(options["start"], end=False)  # a bad one is told at once
            self.clear()
        self.notice = None
        self.errors_before = self.stream.errors.total
        self._do(self._run_again(**options))

    async def _run_again(self, **options: Any) -> None:
        """Run it anew; whose it is stays as it is."""
        before = self.stream._drive
        kept = before is not None and before.kept
        await renew(self.stream, **options)
        if options.get("start", KEEP) is not KEEP:
            self.clear()  # again: what was read before has come until now
            self.window_before = self.window.total
        runner.drive(self.stream).kept |= kept

    def stop_soon(self, why: str) -> None:
        """Stop the stream, without waiting for it."""
        stop_beside([self.stream])
        if why:
            self.say(why)

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Have something done on the runner's loop; what goes wrong is said."""

        def tell(done: Future[Any]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is not None:
                self.say(told(error), "alarm")

        runner.submit(coroutine).add_done_callback(tell)

    def join(self, explorer: Any) -> None:
        """Be shown by one more explorer."""
        self._explorers.add(explorer)
        if self._shares:
            shares.join(self)

    def leave(self, explorer: Any) -> None:
        """Be shown by one less; the last one takes the messages along."""
        self._explorers.discard(explorer)
        if not self._explorers:
            self.stream._taps = tuple(tap for tap in self.stream._taps if tap != self._take)
            self.clear()
            shares.leave(self)

    def resize(self, messages: int, size_bytes: int | None) -> None:
        """Give the window other bounds; with None it goes on to have its share, or the size that was set."""
        if size_bytes is not None:
            self._shares = False
            shares.leave(self)
        self.window.resize(messages, self.window.max_bytes if size_bytes is None else size_bytes)

    def rest(self, *, rests: bool) -> None:
        """Make room for others while nobody looks, or take it back."""
        if self._shares:
            (shares.rest if rests else shares.join)(self)

    def have(self, size_bytes: int) -> None:
        """Make the window as large as its share; what leaves it for that is said."""
        window = self.window
        if size_bytes == window.max_bytes:
            return
        first = window.first
        window.resize(window.max_messages, size_bytes)
        if window.first != first:
            self.say(
                f"The oldest messages left: the windows of all explorers share {shares.total_bytes / 1e6:,.0f} MB, and this one "
                f"holds {size_bytes / 1e6:,.0f} MB now. Under … it gets a size of its own."
            )

    @property
    def sharing(self) -> int:
        """How many windows share the memory of which this one has a part; 0 when its size was set."""
        return shares.count(self)

    def has_views(self) -> bool:
        """Tell whether any explorer of this stream, or of another of its chain, has a view, be it a silent one."""
        chain = [found for member in chain_of(self.stream) if (found := find(member)) is not None]
        return any(explorer.presence.views for found in chain for explorer in list(found._explorers))

    def is_watched(self) -> bool:
        """Tell whether anybody looks at an explorer of this stream, or may come yet."""
        return any(explorer.attendance.verdict == "stay" for explorer in list(self._explorers))

    def _take(self, basket: Any) -> None:
        self.window.append(basket)
        self.book.sample(basket.gathered)

    def _is_full(self) -> None:
        self.stream.pause()
        self.say(
            f"Paused: the window is full ({_counted(self.window.messages)}, {self.window.bytes / 1e6:,.0f} MB). "
            "Run goes on, and the window then slides: the oldest messages leave it."
        )

    def say(self, text: str, kind: str = "info") -> None:
        """Tell people something."""
        self.notice = (text, kind)

    def clear(self) -> None:
        """Forget the messages of the window, and the columns seen in them."""
        self.window.clear()
        self.book.clear()
        self.histogram.clear()
        self.notice = None

    @property
    def is_iterated(self) -> bool:
        """Whether a cell has the stream, so that it cannot be looked into."""
        return self.stream._drive is None and self.stream._loops > 0

    @property
    def state(self) -> str:
        """The one word that tells how it is."""
        stream, feeds = self.stream, self._feed_states
        if self.is_iterated:
            return "iterated"
        drive = stream._drive
        if drive is None:
            failed = stream._failure is not None or "failed" in feeds
            return "stopped" if stream.should_stop else "failed" if failed else "ended" if self._has_ended else "stopped"
        if drive.stopping:  # a processor that takes its time is waited for
            return "stopping"
        if stream.paused:
            return "paused"
        worst = min(feeds, key=URGENT.index, default="")
        return worst if worst in ("connecting", "retrying", "failed") else "live"

    @property
    def _feed_states(self) -> list[str]:
        """How the topics are read that it reads: one, or those of the streams that it is made of."""
        return [one.feed.state for one in inputs(self.stream) if one.feed is not None]

    @property
    def _has_ended(self) -> bool:
        return all(state == "ended" for state in self._feed_states)

    @property
    def detail(self) -> str:
        """What the state means, where that says more than the word."""
        failure = self.stream._failure
        detail = "" if self.stats is None else self.stats.detail
        return detail or ("" if failure is None or self.state != "failed" else told(failure))

    def _tell_news(self) -> None:
        """Say what happened to what is read; while it is paused why it is comes first."""
        news = tuple(one.feed.news for one in inputs(self.stream) if one.feed is not None)
        if news == self._news or self.stream.paused:
            return
        fresh = [text for text in news if text and text not in self._news]
        self._news = news
        if fresh:
            self.say(clean(fresh[-1], 500))

    def measure(self, now_s: float, *, closely: bool = True) -> None:
        """Take the counters, and the rates once in half a second; nothing in between unless somebody looks closely."""
        if not closely and now_s - self._measured_s < UNSEEN_S:
            return
        self._measured_s = now_s
        if now_s - self._counted_s >= COUNT_S:
            self._counted_s = now_s
            self.histogram.sync(self.window)
        self._tell_news()
        self.stats = stats = self._meter.read(self.stream)
        self.rates.measure(stats, now_s)


def _counted(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages:,} messages"


def shown(stream: Stream[Any], *, messages: int, size_bytes: int | None) -> ShownStream:
    """Return what explorers of this stream share, made if it is not shown yet; other bounds than usual are for all of them.

    Raises
    ------
    InvalidValue
        Bounds that hold nothing.
    StreamClosed
    """
    for name, bound in (("messages", messages), ("size_bytes", size_bytes)):
        if bound is not None and (not isinstance(bound, int) or bound < 1):
            raise InvalidValue(f"{name} is a whole number, at least 1, not {bound!r}: the explorer keeps so much to be looked at")
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    with _lock:
        found = _shown.get(id(stream))
        if found is None:
            found = _shown[id(stream)] = ShownStream(stream, messages=messages, size_bytes=size_bytes)
        elif (messages, size_bytes) != (MAX_MESSAGES, None):
            found.resize(messages, size_bytes)
        return found


def find(stream: Stream[Any]) -> ShownStream | None:
    """Return what is shown of this stream, if it is."""
    return _shown.get(id(stream))
