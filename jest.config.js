// The whole suite runs twice, on Express 5 and on Express 4 (an alias of the older version); a part of it on Express 5.1.
const shared = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],

  // Sources and tests are ES modules; jose is ESM-only and loads as it is, untransformed.
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  setupFilesAfterEnv: ['<rootDir>/test/support/quiet-channels.ts'],
  restoreMocks: true,
  errorOnDeprecated: true,
}
const sources = { '^(\\.{1,2}/.*)\\.js$': '$1' }

/** @type {import('jest').Config} */
export default {
  // A machine that is busy with the other half of the suite is slow; what must be quick says so itself.
  testTimeout: 20_000,
  // Modules of finished test files stay in a worker's memory; near its limit it does nothing but collect.
  workerIdleMemoryLimit: '700MB',
  projects: [
    { ...shared, displayName: 'express 5', moduleNameMapper: sources },
    {
      ...shared,
      displayName: 'express 4',
      moduleNameMapper: { ...sources, '^express$': 'express4' },
      // These never touch Express, or run it in a process that has its own, or try what no version of it changes.
      testPathIgnorePatterns: [
        '/node_modules/',
        '<rootDir>/test/(api|docs|core/options|types|vectors|packaging|example|browser)',
        '<rootDir>/test/cli',
        '<rootDir>/test/posture/(render|lock|findings|html|baseline|checklist|truth-foreign)',
        '<rootDir>/test/authorization/policy',
        '<rootDir>/test/authentication/(held-replies|dpop-attacks|dpop-replay|gateway-assertion|introspection|issuers|revocation|api-key-text|api-key-stores|certificate-verifier|dpop-fuzz|authorization-fuzz|key-set|api-keys)',
        '<rootDir>/test/transport/(formats|gateway-fuzz|gateway-captures)',
        '<rootDir>/test/stores',
        '<rootDir>/test/traffic/(idempotency-parts|idempotency-redis|from-rate-limiter-flexible|rate-limit-processes|recipes)',
      ],
    },
    {
      // The oldest of Express 5, whose router does not show where it is mounted: for what looks inside routers.
      ...shared,
      displayName: 'express 5.1',
      moduleNameMapper: { ...sources, '^express$': 'express51' },
      testMatch: ['<rootDir>/test/{authorization/deny-by-default,posture/truth,errors/not-found}.test.ts'],
    },
  ],

  // "babel" (Istanbul) counts a default option that no test left out as a branch; "v8" does not.
  coverageProvider: 'babel',
  collectCoverageFrom: ['src/**/*.ts'],
}
