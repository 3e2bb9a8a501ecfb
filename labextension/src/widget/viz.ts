/** The graph layout: an asset of its own, fetched when a graph is looked at for the first time. */
export { instance } from '@viz-js/viz';
