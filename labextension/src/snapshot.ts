import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

export const snapshotPlugin: JupyterFrontEndPlugin<void> = {
  id: 'streamlab-kafka:snapshot',
  description: "Shows the static snapshot of a stream's explorer where its model is gone.",
  autoStart: true,
  requires: [INotebookTracker],
  activate: () => undefined,
};
