/** A table shown alive: what the kernel makes of it, drawn again when that changes, and who looks at it. */
const PULSE_MS = 20_000;

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2, 12);
  const ends = new AbortController();
  const say = (t, more = {}) => {
    try {
      model.send({ t, view, ...more });
    } catch {
      // The comm is gone together with the kernel: nobody is left to tell.
    }
  };
  const draw = () => {
    const before = el.firstElementChild;
    const { scrollLeft = 0, scrollTop = 0 } = before ?? {};
    el.innerHTML = model.get('html');
    el.firstElementChild?.scrollTo(scrollLeft, scrollTop);
  };
  const see = () => say('seen', { on: !document.hidden });
  el.setAttribute('role', 'region');
  el.setAttribute('aria-label', model.get('label'));
  model.on('change:html', draw);
  draw();
  say('hello');
  const pulse = setInterval(see, PULSE_MS);
  document.addEventListener('visibilitychange', see, { signal: ends.signal });
  window.addEventListener('pagehide', () => say('away'), { signal: ends.signal });
  window.addEventListener('pageshow', event => event.persisted && say('hello'), { signal: ends.signal });
  return () => {
    ends.abort();
    clearInterval(pulse);
    model.off('change:html', draw);
    say('bye');
  };
}

export default { render };
