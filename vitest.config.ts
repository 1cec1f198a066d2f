import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    // ONNX Runtime is a native addon: a process per file, and no more files at once than the two cores that CI has.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
