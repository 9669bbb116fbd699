import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

// One third-party library, one owning folder: replacing it touches that folder only.
const owners = {
  jose: ['authentication', 'testing'], // testing signs the tokens that authentication verifies
  ajv: ['validation'],
  'ajv-formats': ['validation'],
  'rate-limiter-flexible': ['traffic'],
  helmet: ['transport'],
  pino: ['audit'],
  '@cedar-policy/cedar-wasm': ['authorization'],
  '@open-policy-agent/opa-wasm': ['authorization'],
}
const layers = [
  'transport',
  'authentication',
  'authorization',
  'traffic',
  'validation',
  'errors',
  'audit',
  'secrets',
  'outbound',
]

const forbid = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })
const foreignLibraries = (folder) => ({
  regex: `^(${Object.keys(owners)
    .filter((name) => !owners[name].includes(folder))
    .join('|')})(/|$)`,
  message:
    'Another folder owns this library (see owners in eslint.config.js); replacing it must touch one folder.',
})
const noExpress = {
  regex: '^express(/|$)',
  message:
    'Guards are typed on Node’s own types, so that one build serves Express 4 and 5 and route parameters keep their types.',
}

export default defineConfig(
  globalIgnores(['dist', 'coverage', '**/node_modules']),
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'func-names': ['error', 'as-needed'],
    },
  },
  {
    files: ['src/**'],
    rules: { 'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }] },
  },

  // Who may import whom: testing -> layers -> stores -> core -> nothing of ours.
  {
    files: ['src/core/**'],
    rules: forbid(foreignLibraries('core'), noExpress, {
      regex: '^\\.\\./(?!\\.\\./core/)(?!core/)',
      message: 'core/ knows no layer: everything depends on it, so it must depend on nothing.',
    }),
  },
  {
    files: ['src/stores/**'],
    rules: forbid(foreignLibraries('stores'), noExpress, {
      regex: `/(${[...layers, 'testing', 'posture', 'contract', 'cli'].join('|')})/`,
      message: 'stores/ implements the ports of core/ and knows no layer that uses them.',
    }),
  },
  ...layers.map((layer) => ({
    files: [`src/${layer}/**`],
    rules: forbid(foreignLibraries(layer), noExpress, {
      regex: `/(${[...layers.filter((other) => other !== layer), 'testing', 'posture', 'contract', 'cli'].join('|')})/|/index\\.js$`,
      message: 'A layer never imports another layer: they meet in the request context (core/context.ts).',
    }),
  })),
  {
    files: ['src/posture/**'],
    rules: forbid(foreignLibraries('posture'), noExpress, {
      regex: `/(${[...layers, 'testing', 'contract', 'cli'].join('|')})/|/index\\.js$`,
      message: 'posture/ reads what middlewares say of themselves (core/metadata.ts); it knows none of them.',
    }),
  },
  {
    files: ['src/cli/**'],
    rules: forbid(foreignLibraries('cli'), noExpress),
  },
  {
    files: ['src/testing/**'],
    rules: forbid(foreignLibraries('testing'), noExpress),
  },
  {
    files: ['test/**', 'examples/**', 'bench/**'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-misused-promises': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'console',
          'process',
          'fetch',
          'URL',
          'URLSearchParams',
          'setTimeout',
          'clearTimeout',
          'Buffer',
          'performance',
          'AbortSignal',
          'structuredClone',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  prettier,
)
