import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { addFallback } from './snapshot';

/** Notebooks, consoles and their output views all copy the application's registry, in JupyterLab and in Notebook 7. */
export const snapshotPlugin: JupyterFrontEndPlugin<void> = {
  id: 'streamlab-kafka:snapshot',
  description: "Shows the snapshot of a stream's explorer where the explorer itself cannot be shown.",
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_app: JupyterFrontEnd, registry: IRenderMimeRegistry): void => {
    addFallback(registry);
    // Views ask for it when they say hello: here they stay as they are when the snapshot beside them changes.
    document.documentElement.dataset.streamlabKeeps = 'true';
  },
};
