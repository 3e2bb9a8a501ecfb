/**
 * Arithmetic of virtual scrolling: which rows are in sight, and where the scroll bar stands.
 *
 * `top` (in rows, with a fraction) is the truth. Browsers limit the height of an element, so beyond `MAX_HEIGHT` the
 * scroll bar is a scaled picture of it.
 */
export const ROW_HEIGHT = 24;
export const MAX_HEIGHT = 8_000_000;
export const OVERSCAN = 6;

export class Scroll {
  total = 0;
  /** Height of the rows' part of the viewport in pixels. */
  height = 0;
  top = 0;

  /** Height of the scrolled content in pixels. */
  get content(): number {
    return Math.min(this.total * ROW_HEIGHT, MAX_HEIGHT);
  }

  /** How many rows fit. */
  get page(): number {
    return Math.max(1, Math.floor(this.height / ROW_HEIGHT));
  }

  get maxTop(): number {
    return Math.max(0, this.total - this.height / ROW_HEIGHT);
  }

  get pixels(): number {
    const room = Math.max(0, this.content - this.height);
    if (!this.scaled) return Math.min(Math.round(this.top * ROW_HEIGHT), Math.ceil(room));
    return this.maxTop === 0 ? 0 : Math.round((this.top / this.maxTop) * room);
  }

  private get scaled(): boolean {
    return this.total * ROW_HEIGHT > MAX_HEIGHT;
  }

  /** The user scrolled to this many pixels. */
  scrolledTo(pixels: number): void {
    const room = Math.max(1, this.content - this.height);
    this.moveTo(this.scaled ? (pixels / room) * this.maxTop : pixels / ROW_HEIGHT);
  }

  moveTo(top: number): void {
    this.top = Math.max(0, Math.min(top, this.maxTop));
  }

  /** Move as little as needed so that a row is in sight. */
  reveal(row: number): void {
    if (row < this.top) this.moveTo(row);
    else if (row + 1 > this.top + this.height / ROW_HEIGHT) this.moveTo(row + 1 - this.height / ROW_HEIGHT);
  }

  get atEnd(): boolean {
    return this.top >= this.maxTop - 0.5;
  }

  /** First row to draw and how many, a few more than are in sight. */
  drawn(overscan = OVERSCAN): { first: number; count: number } {
    const first = Math.max(0, Math.floor(this.top) - overscan);
    const last = Math.min(this.total, Math.ceil(this.top + this.height / ROW_HEIGHT) + overscan);
    return { first, count: Math.max(0, last - first) };
  }

  /** Where a drawn row lies in the scrolled content, in pixels. */
  offset(row: number): number {
    return this.pixels + Math.round((row - this.top) * ROW_HEIGHT);
  }
}
