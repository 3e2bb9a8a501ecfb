"""What a page and a kernel can be measured by while explorers are shown: frames, bytes, answers, smoothness, memory."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import CDPSession, Page

__all__ = ["WATCH_SOCKETS", "Meters", "Traffic", "slope"]

# Runs before the page's own scripts. The wire format of v1.kernel.websocket.jupyter.org: the number of offsets, offsets, parts.
WATCH_SOCKETS = """
(() => {
  const seen = { bytes: 0, frames: {}, sections: {}, busy: 0, heads: {} };
  window.slMeter = seen;
  const Plain = window.WebSocket;
  const text = new TextDecoder();
  const look = data => {
    if (!(data instanceof ArrayBuffer)) { seen.bytes += data.length; return; }
    seen.bytes += data.byteLength;
    const view = new DataView(data);
    const count = Number(view.getBigUint64(0, true));
    const at = i => Number(view.getBigUint64(8 * (i + 1), true));
    const part = i => text.decode(new Uint8Array(data, at(i), at(i + 1) - at(i)));
    const header = part(1);
    if (header.includes('"status"')) seen.busy += 1;
    if (!header.includes('"comm_msg"')) return;
    const content = JSON.parse(part(4))?.data?.content;
    if (content?.t !== 'frame') return;
    seen.frames[content.view] = (seen.frames[content.view] ?? 0) + 1;
    for (const name of Object.keys(content)) seen.sections[name] = (seen.sections[name] ?? 0) + 1;
    if (content.head) seen.heads[content.view] = [performance.now(), content.head];
  };
  window.WebSocket = class extends Plain {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', event => look(event.data));
    }
  };
})();
"""
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
RUN = f"""
async code => {{
  const future = {KERNEL}.requestExecute({{ code, store_history: false, stop_on_error: false }});
  let out = '';
  future.onIOPub = message => {{
    if (message.header.msg_type === 'stream') out += message.content.text;
    if (message.header.msg_type === 'error') out += message.content.traceback.join('\\n');
  }};
  const reply = await future.done;
  if (reply.content.status !== 'ok') throw new Error(out);
  return out;
}}
"""
ANSWERS = f"""
async ([seconds, pauseMs]) => {{
  const took = [], until = performance.now() + seconds * 1000;
  while (performance.now() < until) {{
    const began = performance.now();
    await {KERNEL}.requestExecute({{ code: '1+1', store_history: false }}).done;
    took.push(performance.now() - began);
    await new Promise(done => setTimeout(done, pauseMs));
  }}
  return took;
}}
"""
COUNT_FRAMES = """
() => {
  const deltas = window.slDeltas = [];
  let last = performance.now();
  const tick = now => { deltas.push(now - last); last = now; if (window.slDeltas === deltas) requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}
"""
PRESS = """
async ([label, state]) => {
  const root = document.querySelector('.sl-root');
  const shown = root.querySelector('.sl-state');
  const button = [...root.querySelectorAll('.sl-toolbar button')].find(one => one.textContent.trim() === label);
  const began = performance.now();
  button.click();
  while (shown.dataset.state !== state) {
    if (performance.now() - began > 10000) return -1;
    await new Promise(done => setTimeout(done, 2));
  }
  return performance.now() - began;
}
"""
BEGIN = f"""
code => {{
  window.slDone = false;
  {KERNEL}.requestExecute({{ code, store_history: false, stop_on_error: false }}).done.then(() => (window.slDone = true));
}}
"""
STOP_COUNTING = "() => { const found = window.slDeltas; window.slDeltas = null; return found.slice(1); }"


@dataclass(frozen=True)
class Traffic:
    """What came to the page in some time."""

    seconds: float
    bytes_per_s: float
    frames_per_s: dict[str, float]
    """By view."""
    sections: dict[str, int]


class Meters:
    """Measures one page with a notebook open in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._devtools: CDPSession = page.context.new_cdp_session(page)

    def run(self, code: str) -> str:
        """Run code in the notebook's kernel beside its cells, and return what it printed."""
        return cast("str", self.page.evaluate(RUN, code))

    def value(self, expression: str) -> Any:
        """Return what an expression is worth in the kernel, by JSON."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))

    def answers_ms(self, seconds: float, *, pause_ms: int = 30) -> list[float]:
        """Ask the kernel for 1+1 again and again; how long each answer took, in milliseconds."""
        return cast("list[float]", self.page.evaluate(ANSWERS, [seconds, pause_ms]))

    def traffic(self, seconds: float) -> Traffic:
        """Count what comes over the page's sockets for some time."""
        before = self._seen()
        self.page.wait_for_timeout(seconds * 1000)
        return self.since(before)

    def _seen(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.page.evaluate("() => ({ ...structuredClone(window.slMeter), at: performance.now() })"))

    def mark(self) -> dict[str, Any]:
        """Return what ``since`` counts from."""
        return self._seen()

    def since(self, before: dict[str, Any]) -> Traffic:
        """Return what came since a mark."""
        after = self._seen()
        seconds = (after["at"] - before["at"]) / 1000
        frames = {view: (count - before["frames"].get(view, 0)) / seconds for view, count in after["frames"].items()}
        sections = {name: count - before["sections"].get(name, 0) for name, count in after["sections"].items()}
        return Traffic(seconds, (after["bytes"] - before["bytes"]) / seconds, frames, sections)

    def scroll(self, seconds: float, *, step: int = -240) -> list[float]:
        """Turn the mouse's wheel over the first table; the time from each drawn picture to the next, in milliseconds."""
        box = self.page.locator(".sl-grid").first.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.evaluate(COUNT_FRAMES)
        until = time.monotonic() + seconds
        turns = 0
        while time.monotonic() < until:
            self.page.mouse.wheel(0, step if turns // 30 % 2 == 0 else -step)
            turns += 1
            self.page.wait_for_timeout(16)
        return cast("list[float]", self.page.evaluate(STOP_COUNTING))

    def press(self, label: str, state: str) -> float:
        """Press a button of the first toolbar; after how many milliseconds the view shows the state, -1 if never."""
        return cast("float", self.page.evaluate(PRESS, [label, state]))

    @contextmanager
    def running(self, code: str) -> Iterator[None]:
        """Have the kernel run code meanwhile; it must still be at it in the end, and is interrupted then."""
        self.page.evaluate(BEGIN, code)
        yield
        assert not self.page.evaluate("() => window.slDone"), "the kernel was done too soon: nothing was proved"
        self.page.evaluate(f"() => {KERNEL}.interrupt()")
        self.page.wait_for_function("() => window.slDone")

    def heap_bytes(self) -> int:
        """Return the size of the page's JavaScript objects after a collection."""
        self._devtools.send("HeapProfiler.enable")
        self._devtools.send("HeapProfiler.collectGarbage")
        return int(self._devtools.send("Runtime.getHeapUsage")["usedSize"])


def slope(figures: Sequence[float]) -> float:
    """Return how much figures grow from one to the next, by least squares."""
    middle, mean = (len(figures) - 1) / 2, sum(figures) / len(figures)
    spread = sum((place - middle) ** 2 for place in range(len(figures)))
    return sum((place - middle) * (figure - mean) for place, figure in enumerate(figures)) / spread
