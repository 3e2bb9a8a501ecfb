import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { snapshotPlugin } from './snapshotPlugin';

const plugins: JupyterFrontEndPlugin<void>[] = [snapshotPlugin];

export default plugins;
