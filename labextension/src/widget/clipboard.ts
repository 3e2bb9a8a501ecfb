/** Copying text, also where the page is not a secure context. */
import { h } from './dom';

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', { class: 'sl-heard', 'aria-hidden': 'true', tabindex: -1 });
    const focused = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    // The only way there is without a secure context (a notebook server at a plain http address).
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    const done = document.execCommand('copy');
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    if (!done) throw new Error('The browser does not allow copying here. Select the text and copy it by hand.');
  }
}
