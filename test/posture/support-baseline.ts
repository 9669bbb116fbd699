import type { Posture, PostureGuard, PostureRow } from '../../src/posture/model.js'

export const TODAY = new Date('2026-03-10T12:00:00Z')

const LAYERS: Readonly<Record<string, PostureGuard['layer']>> = {
  auditLog: 'audit',
  secureHeaders: 'transport',
  authenticate: 'authentication',
  principalFrom: 'authentication',
  publicRoute: 'authentication',
  requireScopes: 'authorization',
  rateLimit: 'traffic',
  validateBody: 'validation',
  secureErrors: 'errors',
  notFound: 'errors',
}

export function makeGuard(
  kind: string,
  facts: Readonly<Record<string, unknown>> = {},
  others: Partial<PostureGuard> = {},
): PostureGuard {
  return {
    kind,
    layer: LAYERS[kind] ?? 'authorization',
    name: kind,
    mode: 'enforce',
    facts,
    file: 'service.js',
    line: 10,
    mounted: 'before',
    ...others,
  }
}

export const audit = makeGuard('auditLog', { completions: 'chosen', errorMessages: false })
export const headers = makeGuard('secureHeaders', {
  fields: ['X-Content-Type-Options', 'Referrer-Policy'],
  hsts: 'max-age=31536000; includeSubDomains',
})
export const AUTHENTICATION = {
  issuer: 'https://id.example',
  audience: ['https://orders.example'],
  algorithms: ['ES256'],
  types: ['at+jwt'],
  typesMode: 'enforce',
  clockToleranceSeconds: 5,
  maxTokenLifetimeSeconds: 600,
  maxTokenLifetimeMode: 'enforce',
  keys: 'remote',
  required: true,
}
export const authentication = (changes: Readonly<Record<string, unknown>> = {}): PostureGuard =>
  makeGuard('authenticate', { ...AUTHENTICATION, ...changes })
export const limit = (
  name: string,
  by: string,
  facts: Readonly<Record<string, unknown>> = {},
  others: Partial<PostureGuard> = {},
): PostureGuard =>
  makeGuard('rateLimit', { limit: 100, windowSeconds: 60, by, ...facts }, { name, ...others })
export const scopes = makeGuard('requireScopes', { all: ['orders:write'] }, { mounted: 'route', line: 20 })
export const body = (facts: Readonly<Record<string, unknown>> = {}, others: Partial<PostureGuard> = {}) =>
  makeGuard('validateBody', { unknownFields: 'refused', ...facts }, { mounted: 'route', line: 21, ...others })
export const publicRoute = makeGuard(
  'publicRoute',
  { reason: 'liveness probe' },
  { mounted: 'route', line: 5 },
)

export function makeRow(
  label: string,
  guards: readonly PostureGuard[],
  others: Partial<PostureRow> = {},
): PostureRow {
  const [method = '', path = ''] = label.split(' ')
  return {
    kind: 'route',
    method,
    path,
    proof: 'guarded',
    why: 'authenticate runs before it',
    publicReason: undefined,
    refusedByDefault: false,
    guards,
    faults: [],
    handler: undefined,
    ...others,
  }
}

export const probe = makeRow('GET /health', [audit, headers, publicRoute], {
  proof: 'public',
  why: 'liveness probe',
  publicReason: 'liveness probe',
})
export const before = (auth = authentication()): readonly PostureGuard[] => [
  audit,
  headers,
  limit('per-address', 'address'),
  auth,
  limit('per-caller', 'principal'),
]
export const write = (guards: readonly PostureGuard[] = [...before(), scopes, body()]): PostureRow =>
  makeRow('POST /orders', guards)
export const read = (guards: readonly PostureGuard[] = [...before(), scopes]): PostureRow =>
  makeRow('GET /orders/:id', guards)

/** As the orders example, with a bound on tokens and deny-by-default. */
export function makePosture(changes: Partial<Posture> = {}): Posture {
  return {
    schemaVersion: 1,
    application: 'orders',
    expressMajor: '5',
    denyByDefault: 'on',
    services: [audit, headers, makeGuard('notFound'), makeGuard('secureErrors')],
    rows: [probe, write(), read()],
    ...changes,
  }
}
