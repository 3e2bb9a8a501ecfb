/** Keys of the table. */
import type { Grid } from './grid';

const FOLLOW_SELECTION_MS = 120;
let timer: ReturnType<typeof setTimeout> | undefined;

export function gridKeys(grid: Grid, event: KeyboardEvent): void {
  if (event.target !== grid.element || event.altKey || event.ctrlKey || event.metaKey) return;
  const row = target(grid, event.key);
  if (row === 'head') grid.head.focus(grid.activeColumn);
  else if (row !== null) {
    grid.activate(row);
    showSelection(grid);
  } else if (!other(grid, event.key)) return;
  event.preventDefault();
}

/** The row that a key leads to. */
function target(grid: Grid, key: string): number | 'head' | null {
  const { scroll, store } = grid;
  const inSight = grid.context.ui.get().follow ? store.total - 1 : Math.ceil(scroll.top);
  const now = grid.active >= 0 ? grid.active : null;
  switch (key) {
    case 'ArrowDown':
      return now === null ? inSight : now + 1;
    case 'ArrowUp':
      return now === 0 ? 'head' : now === null ? inSight : now - 1;
    case 'PageDown':
      return (now ?? inSight) + scroll.page;
    case 'PageUp':
      return (now ?? inSight) - scroll.page;
    case 'Home':
      grid.catchUp();
      return 0;
    case 'End':
      grid.catchUp();
      return store.total - 1;
    default:
      return null;
  }
}

function other(grid: Grid, key: string): boolean {
  const { ui } = grid.context;
  if (key === 'ArrowRight') grid.activateColumn(grid.activeColumn + 1);
  else if (key === 'ArrowLeft') grid.activateColumn(grid.activeColumn - 1);
  else if ((key === 'Enter' || key === ' ') && grid.active >= 0) grid.open(grid.active);
  else if (key === 'f' || key === 'F') ui.patch({ follow: !ui.get().follow });
  else if (key === 'Escape' && ui.get().selected) ui.select(null);
  else return key === 'Enter' || key === ' ';
  return true;
}

/** An open message follows the active row. */
function showSelection(grid: Grid): void {
  clearTimeout(timer);
  if (grid.context.ui.get().selected?.kind === 'message') timer = setTimeout(() => grid.open(grid.active), FOLLOW_SELECTION_MS);
}
