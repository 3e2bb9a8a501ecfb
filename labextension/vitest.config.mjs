import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    css: true, // as it is: by default it is empty
    setupFiles: ['vitest.setup.mjs'],
    include: ['src/**/*.test.ts'],
    // What is written here would look like a changed source to the build.
    cache: false,
  },
});
