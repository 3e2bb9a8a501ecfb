import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { Panel } from '@lumino/widgets';

export const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';
export const HTML = 'text/html';

/** How long a live view may be on its way before the snapshot is shown in its place. */
export const PATIENCE_MS = 200;

/** The widget manager's renderer: a panel that holds the view once there is one. */
export type ViewRenderer = IRenderMime.IRenderer & Panel;

/** Whether an output asks for what is done here: marked by streamlab, and with a snapshot beside the view. */
export function hasSnapshot(model: Pick<IRenderMime.IMimeModel, 'data' | 'metadata'>): boolean {
  const mark = model.metadata.streamlab;
  return isRecord(mark) && mark.snapshot === true && HTML in model.data;
}

/** The widget model that an output shows, or the empty text where its view was removed. */
export function modelId(model: Pick<IRenderMime.IMimeModel, 'data'>): string {
  const view = model.data[WIDGET_VIEW];
  return isRecord(view) && typeof view.model_id === 'string' ? view.model_id : '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface FallbackOptions {
  /** The widget manager's renderer of the output. */
  renderer: ViewRenderer;
  /** Makes a renderer of `text/html`. */
  createSnapshot: () => IRenderMime.IRenderer;
}

/**
 * Shows the snapshot of one output while its widget cannot be shown: no kernel, or none that has the model.
 *
 * The widget manager finds its renderers by their class, so a renderer is given another `renderModel` rather than a
 * wrapper around it. Its own one waits for ever without a kernel, says "model not found" without the model, and builds
 * a second view when it is called again for the one that it shows.
 */
export class SnapshotFallback {
  constructor(options: FallbackOptions) {
    this.renderer = options.renderer;
    this.renderView = options.renderer.renderModel.bind(options.renderer);
    this.createSnapshot = options.createSnapshot;
  }

  /** Renders what an output holds now. */
  async render(model: IRenderMime.IMimeModel): Promise<void> {
    const id = modelId(model);
    if (!hasSnapshot(model) || id === '') {
      await this.renderView(model);
      return;
    }
    this.model = model;
    if (id === this.id && (this.pending || this.isLive)) {
      await this.snapshot?.renderModel(model);
      return;
    }
    this.id = id;
    await this.renderLive(model);
  }

  private async renderLive(model: IRenderMime.IMimeModel): Promise<void> {
    this.dropSnapshot();
    const timer = setTimeout(() => void this.showSnapshot(), PATIENCE_MS);
    this.pending = true;
    try {
      await this.renderView(model);
    } finally {
      this.pending = false;
      clearTimeout(timer);
    }
    if (this.isLive) {
      this.dropSnapshot();
    } else {
      await this.showSnapshot();
    }
  }

  /** Whether the renderer holds a view; also one that says that it cannot be shown counts as none. */
  private get isLive(): boolean {
    return this.renderer.widgets.some(widget => widget !== this.snapshot);
  }

  private async showSnapshot(): Promise<void> {
    if (this.renderer.isDisposed || this.model === null) {
      return;
    }
    this.dropSnapshot();
    const snapshot = this.createSnapshot();
    this.snapshot = snapshot;
    this.renderer.node.textContent = '';
    this.renderer.removeClass('jupyter-widgets');
    this.renderer.addWidget(snapshot);
    await snapshot.renderModel(this.model);
  }

  private dropSnapshot(): void {
    const snapshot = this.snapshot;
    this.snapshot = null;
    if (snapshot === null || snapshot.isDisposed) {
      return;
    }
    // The renderer empties its node without a word to its layout, which takes out what it has put in.
    this.renderer.node.append(snapshot.node);
    snapshot.dispose();
  }

  private readonly renderer: ViewRenderer;
  private readonly renderView: (model: IRenderMime.IMimeModel) => Promise<void>;
  private readonly createSnapshot: () => IRenderMime.IRenderer;
  private model: IRenderMime.IMimeModel | null = null;
  private snapshot: IRenderMime.IRenderer | null = null;
  private pending = false;
  private id = '';
}

/** Gives the fallback to all renderers of widget views that a registry, or a copy of it, creates from now on. */
export function addFallback(registry: IRenderMimeRegistry): void {
  const create = registry.createRenderer.bind(registry);
  registry.createRenderer = mimeType => {
    const renderer = create(mimeType);
    if (mimeType === WIDGET_VIEW && isPanel(renderer)) {
      const fallback = new SnapshotFallback({ renderer, createSnapshot: () => create(HTML) });
      renderer.renderModel = model => fallback.render(model);
    }
    return renderer;
  };
  const clone = registry.clone.bind(registry);
  registry.clone = options => {
    const copy = clone(options);
    addFallback(copy);
    return copy;
  };
}

function isPanel(renderer: IRenderMime.IRenderer & Partial<Pick<Panel, 'addWidget' | 'widgets'>>): renderer is ViewRenderer {
  return typeof renderer.addWidget === 'function' && Array.isArray(renderer.widgets);
}
