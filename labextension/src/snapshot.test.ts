import type { IRenderMime } from '@jupyterlab/rendermime';
import { Panel, Widget } from '@lumino/widgets';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { hasSnapshot, HTML, modelId, PATIENCE_MS, SnapshotFallback, WIDGET_VIEW } from './snapshot';

const MARK = { streamlab: { snapshot: true } };

function output(id: string, html = `<p>snapshot of ${id}</p>`, metadata: object = MARK): IRenderMime.IMimeModel {
  return {
    data: { [WIDGET_VIEW]: { model_id: id }, [HTML]: html },
    metadata,
    trusted: true,
    setData: () => undefined,
  } as IRenderMime.IMimeModel;
}

/** Does what the widget manager's renderer does, with views that are made and refused by hand. */
class ManagerRenderer extends Panel implements IRenderMime.IRenderer {
  readonly asked: string[] = [];
  private answers: ((shown: boolean) => void)[] = [];

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.asked.push(modelId(model));
    this.node.textContent = 'Loading widget...';
    const shown = await new Promise<boolean>(resolve => this.answers.push(resolve));
    if (shown) {
      const view = new Widget();
      view.addClass('live-view');
      this.node.textContent = '';
      this.addWidget(view);
    } else {
      this.node.textContent = 'Error displaying widget: model not found';
      this.addClass('jupyter-widgets');
    }
  }

  /** Settles what was asked for first. */
  async answer(shown: boolean): Promise<void> {
    this.answers.shift()?.(shown);
    await vi.advanceTimersByTimeAsync(0);
  }
}

class HtmlRenderer extends Widget implements IRenderMime.IRenderer {
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.node.textContent = model.data[HTML] as string;
    return Promise.resolve();
  }
}

let renderer: ManagerRenderer;
let render: (model: IRenderMime.IMimeModel) => void;

beforeEach(() => {
  vi.useFakeTimers();
  renderer = new ManagerRenderer();
  const fallback = new SnapshotFallback({ renderer, createSnapshot: () => new HtmlRenderer() });
  render = model => void fallback.render(model);
  Widget.attach(renderer, document.body);
});

afterEach(() => {
  renderer.dispose();
  vi.useRealTimers();
});

const text = (): string => renderer.node.textContent;
const views = (): Element[] => [...renderer.node.querySelectorAll('.live-view')];

test('only outputs that streamlab marked, with HTML beside the view, have a snapshot', () => {
  expect(hasSnapshot(output('a'))).toBe(true);
  expect(hasSnapshot(output('a', '', {}))).toBe(false);
  expect(hasSnapshot(output('a', '', { streamlab: true }))).toBe(false);
  expect(hasSnapshot({ data: { [WIDGET_VIEW]: { model_id: 'a' } }, metadata: MARK })).toBe(false);
});

test('the model id of anything odd is the empty text', () => {
  expect(modelId(output('a'))).toBe('a');
  expect(modelId({ data: { [WIDGET_VIEW]: null } })).toBe('');
  expect(modelId({ data: { [WIDGET_VIEW]: ['a'] } })).toBe('');
  expect(modelId({ data: {} })).toBe('');
});

test('a view that comes soon is shown, and never its snapshot', async () => {
  render(output('a'));
  await renderer.answer(true);
  await vi.advanceTimersByTimeAsync(PATIENCE_MS * 2);
  expect(views()).toHaveLength(1);
  expect(text()).toBe('');
});

test('a missing model shows the snapshot instead of an error', async () => {
  render(output('a'));
  await renderer.answer(false);
  expect(text()).toBe('<p>snapshot of a</p>');
  expect(renderer.hasClass('jupyter-widgets')).toBe(false);
});

test('without a kernel the snapshot is shown, and the view takes its place when it comes at last', async () => {
  render(output('a'));
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  expect(text()).toBe('<p>snapshot of a</p>');
  await renderer.answer(true);
  expect(views()).toHaveLength(1);
  expect(text()).toBe('');
  expect(renderer.widgets).toHaveLength(1);
});

test('a live view is kept when only the snapshot changed', async () => {
  render(output('a'));
  await renderer.answer(true);
  const [view] = views();
  render(output('a', '<p>newer</p>'));
  await vi.advanceTimersByTimeAsync(PATIENCE_MS * 2);
  expect(views()).toEqual([view]);
  expect(renderer.asked).toEqual(['a']);
});

test('a changed snapshot is shown where the view is missing or on its way', async () => {
  render(output('a'));
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  render(output('a', '<p>newer</p>'));
  await vi.advanceTimersByTimeAsync(0);
  expect(text()).toBe('<p>newer</p>');
  expect(renderer.asked).toEqual(['a']);
  await renderer.answer(false);
  expect(text()).toBe('<p>newer</p>');
});

test('a model that was missing is asked for again, and found', async () => {
  render(output('a'));
  await renderer.answer(false);
  render(output('a'));
  await renderer.answer(true);
  expect(views()).toHaveLength(1);
  expect(text()).toBe('');
});

test('another model is rendered anew', async () => {
  render(output('a'));
  await renderer.answer(true);
  render(output('b'));
  expect(renderer.asked).toEqual(['a', 'b']);
});

test('outputs of others are left to the widget manager', async () => {
  render(output('a', '<p>theirs</p>', {}));
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  expect(text()).toBe('Loading widget...');
  await renderer.answer(false);
  expect(text()).toBe('Error displaying widget: model not found');
});

test('an output that is gone before its view came shows nothing', async () => {
  render(output('a'));
  renderer.dispose();
  await vi.advanceTimersByTimeAsync(PATIENCE_MS);
  expect(renderer.node.textContent).toBe('Loading widget...');
});
