import type { Posture, PostureGuard, PostureRow } from '../../src/posture/model.js'

export const guard = (given: Partial<PostureGuard> = {}): PostureGuard => ({
  kind: 'requireScopes',
  layer: 'authorization',
  name: 'orders:write',
  mode: 'enforce',
  facts: { all: ['orders:write'] },
  file: 'src/orders.ts',
  line: 12,
  mounted: 'route',
  ...given,
})

export const row = (given: Partial<PostureRow> = {}): PostureRow => ({
  kind: 'route',
  method: 'GET',
  path: '/orders',
  proof: 'guarded',
  why: 'authenticate runs before the handler',
  publicReason: undefined,
  refusedByDefault: false,
  guards: [],
  faults: [],
  handler: 'handler',
  ...given,
})

export const postureOf = (rows: readonly PostureRow[], given: Partial<Posture> = {}): Posture => ({
  schemaVersion: 1,
  application: 'orders-service',
  expressMajor: '5',
  denyByDefault: 'off',
  services: [],
  rows,
  ...given,
})

export const authenticated = guard({
  kind: 'authenticate',
  layer: 'authentication',
  name: 'authenticate',
  facts: {
    issuer: 'https://login.example.com/realms/shop',
    audience: ['https://api.example.com/orders'],
    algorithms: ['RS256', 'PS256'],
    types: ['at+jwt'],
    required: true,
  },
  file: 'src/app.ts',
  line: 21,
  mounted: 'before',
})
const limited = guard({
  kind: 'rateLimit',
  layer: 'traffic',
  name: 'orders',
  facts: { limit: 60, windowSeconds: 60, by: 'principal', store: 'redis' },
  line: 14,
})
const validated = guard({
  kind: 'validateBody',
  layer: 'validation',
  name: 'validateBody',
  facts: { contentTypes: ['application/json'], required: true, unknownFields: 'refused' },
  line: 15,
})
const isPublic = guard({
  kind: 'publicRoute',
  layer: 'authentication',
  name: 'publicRoute',
  facts: { reason: 'load balancer probe' },
  file: 'src/health.ts',
  line: 4,
})
const services = [
  guard({
    kind: 'auditLog',
    layer: 'audit',
    name: 'auditLog',
    facts: { completions: 'all', errorMessages: false },
    file: 'src/app.ts',
    line: 18,
    mounted: 'before',
  }),
  guard({
    kind: 'secureErrors',
    layer: 'errors',
    name: 'secureErrors',
    facts: {},
    file: 'src/app.ts',
    line: 61,
    mounted: 'before',
  }),
]
const roles = guard({
  kind: 'requireRoles',
  name: 'refunds',
  facts: { any: ['support', 'finance'] },
  line: 33,
})

/** An application as it could be, with every proof class. */
export const rich: Posture = postureOf(
  [
    row({
      guards: [
        authenticated,
        guard({ name: 'orders:read', facts: { any: ['orders:read', 'orders:admin'] } }),
      ],
    }),
    row({
      method: 'POST',
      guards: [authenticated, guard({ line: 13 }), limited, validated],
      handler: 'createOrder',
    }),
    row({
      path: '/orders/:id',
      guards: [authenticated, guard({ name: 'orders:read', facts: { all: ['orders:read'] } })],
    }),
    row({
      method: 'DELETE',
      path: '/orders/:id',
      guards: [
        authenticated,
        guard({ line: 20 }),
        guard({
          kind: 'authorize',
          name: 'order-owner',
          facts: { policy: 'orders', version: '3' },
          line: 21,
        }),
      ],
    }),
    row({ method: 'POST', path: '/orders/:id/refund', guards: [authenticated, guard({ line: 32 }), roles] }),
    row({ path: '/me', guards: [authenticated] }),
    row({
      path: '/health',
      proof: 'public',
      why: 'load balancer probe',
      publicReason: 'load balancer probe',
      guards: [isPublic],
    }),
    row({
      path: '/catalogue',
      proof: 'optional',
      why: 'authenticate({ required: false }) lets callers without a credential pass',
      guards: [
        guard({ ...authenticated, name: 'shoppers', facts: { ...authenticated.facts, required: false } }),
      ],
    }),
    row({
      path: '/export',
      proof: 'open',
      why: 'nothing authenticates; requireScopes(orders:export) only reports',
      guards: [guard({ name: 'orders:export', mode: 'report', facts: { all: ['orders:export'] }, line: 44 })],
      faults: [{ code: 'report_mode', message: 'requireScopes(orders:export) only reports' }],
    }),
    row({
      method: 'PUT',
      path: '/settings',
      proof: 'open',
      why: 'nothing authenticates',
      refusedByDefault: true,
      faults: [
        { code: 'guard_after_route', message: 'requireScopes(settings:write) is mounted after this route' },
      ],
      handler: undefined,
    }),
    row({ path: '{hidden}/legacy', proof: 'unknown', why: 'this version of Express hides the mount path' }),
    row({
      kind: 'handler',
      method: 'ALL',
      path: '/assets',
      proof: 'held',
      why: 'serveStatic may answer',
      handler: 'serveStatic',
    }),
    row({
      kind: 'handler',
      method: 'ALL',
      path: '/',
      proof: 'known',
      why: 'a body parser',
      handler: 'jsonParser',
    }),
    row({
      kind: 'application',
      method: 'ALL',
      path: '/admin',
      proof: 'unknown',
      why: 'an application whose routes Express 4 hides',
      handler: 'mounted_app',
    }),
  ],
  { denyByDefault: 'on', services },
)

const ESCAPE = '\u001b[2J\u001b]0;owned\u0007\u001b[31m'
const BIDI = '\u202egnp.exe\u2066\u200f'
const SCRIPT = '</script><script>window.marker=1</script><img src=x onerror="window.marker=1">'

/** Names, paths and facts that somebody chose to break out of each of the formats. */
export const HOSTILE_TEXTS = [
  ESCAPE,
  BIDI,
  SCRIPT,
  'a|b',
  '`tick``ticks`',
  'line\nbreak\r\nand\u2028separator\u2029',
  `"double" 'single' &amp; <b>`,
  '=HYPERLINK("https://evil.example","x")',
  '@octocat #1 https://evil.example www.evil.example a@b.example ![x](https://evil.example/x.png)',
  '--><!--',
  '\\|\\',
  '\ud800 lone',
  '\u0000\u007f\u0085\u009b31m',
  '{0} [text](1) {{x}}',
  '${marker}',
  '__proto__',
  'constructor',
  '\t=1+1',
]

/** A posture in which every text is hostile, and one path very long. */
export const hostile: Posture = postureOf(
  [
    ...HOSTILE_TEXTS.map((text, index) =>
      row({
        kind: (['route', 'handler', 'application'] as const)[index % 3]!,
        method: index % 4 === 0 ? text : 'GET',
        path: `/${text}`,
        proof: (['guarded', 'public', 'open', 'unknown', 'optional', 'held'] as const)[index % 6]!,
        why: text,
        publicReason: text,
        guards: [
          guard({
            kind: index % 2 === 0 ? 'requireScopes' : text,
            name: text,
            mode: index % 5 === 0 ? 'report' : 'enforce',
            facts: {
              all: [text, 'a'],
              reason: text,
              [text]: text,
              pattern: /<x>/,
              nested: { [text]: [text] },
              fn: () => text,
              big: 10n,
              none: undefined,
            },
            file: `src/${text}.ts`,
          }),
        ],
        faults: [{ code: text, message: text }],
        handler: text,
      }),
    ),
    row({ path: `/${'very-long/'.repeat(500)}end`, proof: 'open', why: 'x'.repeat(5000) }),
    row({
      path: `/${'unbroken'.repeat(200)}`,
      guards: [guard({ name: 'n'.repeat(2000), file: 'f'.repeat(3000) })],
    }),
  ],
  { application: `${SCRIPT}${ESCAPE}${BIDI}`, services: [guard({ name: SCRIPT, file: '../../etc/passwd' })] },
)

/** Characters that could repaint a terminal or forge a line; a line break may be the format's own. */
export const CONTROLS =
  // eslint-disable-next-line no-control-regex -- finding them is what it is for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/
