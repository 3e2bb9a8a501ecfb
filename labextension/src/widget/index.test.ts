import { expect, test } from 'vitest';

import widget from './index';

test('a view marks its element', () => {
  const el = document.createElement('div');
  widget.render({ el });
  expect(el.classList.contains('sl-explorer')).toBe(true);
});
