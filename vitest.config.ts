import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    // ONNX Runtime is a native addon: a process per file, and no more files at once than the two cores that CI has.
    pool: 'forks',
    maxWorkers: 2,
    // Far above what any test takes: machines that are busy with other work are slow, and a time is nothing to test.
    testTimeout: 180_000,
  },
});
