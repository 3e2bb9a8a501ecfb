/** The explorer's front end, as anywidget wants it. */

interface Rendered {
  el: HTMLElement;
}

function render({ el }: Rendered): void {
  el.classList.add('sl-explorer');
}

export default { render };
