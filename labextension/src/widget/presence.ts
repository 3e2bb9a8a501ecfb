/** Tells the kernel whether the view can be seen (what cannot be seen gets no frames), and when its page goes. */
import type { Link } from './link';

export function presence(link: Link, root: Element, signal: AbortSignal): void {
  let inSight = true;
  let said: boolean | null = null;
  const tell = (): void => {
    const on = inSight && !document.hidden;
    if (on === said) return;
    said = on;
    link.send('seen', { on });
  };
  const observer = new IntersectionObserver(entries => {
    inSight = entries.at(-1)?.isIntersecting ?? inSight;
    tell();
  });
  observer.observe(root);
  document.addEventListener('visibilitychange', tell, { signal });
  // A page that goes is no view that was taken off the screen: nothing stops because of it.
  window.addEventListener('pagehide', () => link.send('away'), { signal });
  window.addEventListener('pageshow', event => event.persisted && link.greet(), { signal });
  signal.addEventListener('abort', () => observer.disconnect());
}
