import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['lib/', 'node_modules/', 'dev/build/'] },
  js.configs.recommended,
  {
    files: ['src/**/*.ts', 'dev/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Handlers of events are one call; their result goes nowhere.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      eqeqeq: 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text of messages is untrusted: textContent.' },
        { property: 'outerHTML', message: 'Text of messages is untrusted: textContent.' },
        { property: 'insertAdjacentHTML', message: 'Text of messages is untrusted: textContent.' },
      ],
    },
  },
  {
    files: ['scripts/*.mjs', '*.mjs'],
    languageOptions: { globals: { console: 'readonly', MouseEvent: 'readonly', globalThis: 'readonly', process: 'readonly' } },
  },
);
