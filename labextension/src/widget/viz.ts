/** The layout of graphs, fetched when it is first needed. */
export { instance } from '@viz-js/viz';
