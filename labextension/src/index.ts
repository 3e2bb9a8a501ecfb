import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { snapshotPlugin } from './snapshot';

const plugins: JupyterFrontEndPlugin<void>[] = [snapshotPlugin];

export default plugins;
