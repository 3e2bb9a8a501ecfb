import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    // What is written here would look like a changed source to the build.
    cache: false,
  },
});
