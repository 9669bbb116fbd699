import { entries } from './entry.js'
import { ACCESS, ERRORS, HEADERS, INVENTORY, LIMITS, RECORDS, place } from './places.js'

/** What the doctor finds in the set-up of an application; the checklist finds some of it too. `docs/doctor.md` has a section for each. */
export const SET_UP = entries({
  'trust-proxy-true': {
    severity: 'error',
    consequence:
      'The leftmost X-Forwarded-For entry is believed, which the caller writes: it chooses its own address. The middlewares of this library refuse every request with 500 (trust_proxy_unsafe).',
    remedy: "Give the number of proxies before this service: app.set('trust proxy', 1).",
    about: LIMITS,
  },
  'trust-proxy-loopback': {
    severity: 'warning',
    consequence:
      'Whoever reaches this service from the same machine, a sidecar or a port-forward included, chooses its own address and may claim TLS.',
    remedy:
      "Give the number of proxies, app.set('trust proxy', 1), and see that the service can only be reached through them.",
    about: LIMITS,
  },
  'trust-proxy-wide': {
    severity: 'warning',
    consequence:
      'A caller inside the trusted range chooses its own address and may claim TLS: limits by address do not hold for it.',
    remedy: "Give the number of proxies, app.set('trust proxy', 1), or their own addresses.",
    about: LIMITS,
  },
  'trust-proxy-everyone': {
    severity: 'error',
    consequence: 'Every caller on the internet chooses its own address and may claim TLS.',
    remedy: "Give the number of proxies, app.set('trust proxy', 1), or their own addresses.",
    about: LIMITS,
  },
  'trust-proxy-hops': {
    severity: 'warning',
    consequence:
      'Where fewer proxies stand before the service than it counts, the caller writes the entry that is believed and chooses its own address.',
    remedy: 'Count the proxies that append to X-Forwarded-For on the way of every request; give that number.',
    about: LIMITS,
  },
  'trust-proxy-with-gateway': {
    severity: 'note',
    consequence:
      "The middlewares of this library know the client. Express does not: req.ip, req.secure and req.hostname are the gateway's own.",
    remedy: "Give the one entry that gateway() writes: app.set('trust proxy', 1).",
    about: LIMITS,
  },
  'hop-proof-weak': {
    severity: 'warning',
    consequence:
      'Whoever can send from that network is taken for the hop, and says of its callers what it likes.',
    remedy:
      'Prove the hop by a certificate, a secret, an assertion or a UNIX socket: provenBy in its profile.',
    about: place('limits', 'API8', '4.1.3'),
  },
  'internal-hop-unproven': {
    severity: 'warning',
    consequence: 'Nobody gets through by that way: every request that comes so is refused with 403.',
    remedy:
      'Mount gateway() first, with a hop of that name as the nearest, proven by more than a network; or name certificates.',
    about: ACCESS,
  },
  'forwarded-certificate-believed': {
    severity: 'warning',
    consequence:
      'Whatever the gateway lets through as verified counts: a certificate of any authority, where it asks for none of them, or believes more than you meant.',
    remedy:
      'Name the authorities of the callers in its profile: certificateAuthorities. Then each forwarded certificate is verified here again.',
    about: ACCESS,
  },
  'certificates-never-come': {
    severity: 'warning',
    consequence: 'Nobody gets in with a certificate: who comes with one is anonymous here.',
    remedy:
      'Let the gateway forward them, clientCertificate in its profile; or let the server ask: https.createServer({ ..., requestCert: true, ca }).',
    about: ACCESS,
  },
  'express-copies': {
    severity: 'warning',
    consequence:
      'What one copy makes is foreign to the other: mounted applications cannot be looked into, and an update of one copy leaves the other as it was.',
    remedy:
      'Find them with "npm ls express router", then let all packages use one copy (npm dedupe, overrides).',
    about: INVENTORY,
  },
  'secure-errors-missing': {
    severity: 'error',
    consequence:
      "Refusals and faults go to Express's own error handler, which answers with HTML and, unless NODE_ENV is production, with the stack.",
    remedy: 'Mount it last, for all paths: app.use(secureErrors()).',
    about: ERRORS,
    rule: 'requiredMiddlewares',
  },
  'secure-errors-not-last': {
    severity: 'error',
    consequence:
      'What fails behind it does not come back to it: Express, or an error handler behind it, answers in its place.',
    remedy: 'Move app.use(secureErrors()) behind the last route, router and middleware.',
    about: ERRORS,
  },
  'guard-behind-route': {
    severity: 'error',
    consequence: 'Express takes what is mounted first: a request for these routes never meets the guard.',
    remedy:
      'Mount the guard before the routes, or put it into them. Where a route is for everybody, say so with publicRoute(reason).',
    about: ACCESS,
  },
  'hsts-without-proven-tls': {
    severity: 'note',
    consequence:
      'Strict-Transport-Security is sent only where the request is known to come over TLS. Behind a proxy that ends TLS it is never sent.',
    remedy:
      "Behind a proxy, app.set('trust proxy', 1); where this service ends TLS itself, nothing; else secureHeaders({ hsts: false }).",
    about: place('logs', 'API8', '3.4.1'),
  },
  'memory-store-with-workers': {
    severity: 'warning',
    consequence: 'Each process counts for itself: a caller gets the limit once from every one of them.',
    remedy: 'Share the counts: rateLimit({ ..., store: redisStore(client) }).',
    about: LIMITS,
  },
  'limit-by-route-outside-routes': {
    severity: 'error',
    consequence:
      'Before a route is chosen every request would be one place: each is refused with 500 (guard_order).',
    remedy: 'Put it into the routes, app.get(path, limit, ...), or count by something else.',
    about: LIMITS,
  },
  'limit-by-address-on-socket': {
    severity: 'error',
    consequence: 'Nobody has an address there: every request is refused with 500 (limiter_key_missing).',
    remedy:
      'Mount gateway() with a hop proven by { unixSocket: true }, which says whom a request is for; or count by something else.',
    about: LIMITS,
  },
  'report-mode-left-on': {
    severity: 'warning',
    consequence: 'The guard records what it would have refused, and refuses nobody.',
    remedy: "Look through its records, then remove mode: 'report'.",
    about: ACCESS,
    rule: 'refuseReportMode',
  },
  'secret-literal': {
    severity: 'error',
    consequence:
      'Whoever can read the source has the secret, with every copy, fork and backup; it cannot be changed without a release.',
    remedy: 'Take it from the environment or a secret store, and replace it where it is valid: it is known.',
    about: place('tokens', 'API8'),
  },
  'secret-in-settings': {
    severity: 'warning',
    consequence:
      'Settings of an application are handed to every template as `settings`, and shown by whatever prints the application.',
    remedy: 'Keep it in a variable of the module that needs it.',
    about: place('tokens', 'API8'),
  },
  'not-found-not-last': {
    severity: 'error',
    consequence:
      'Express takes what is mounted first: every request for these routes is answered with 404 or 405.',
    remedy: 'Move app.use(notFound()) behind the last route and router, in front of secureErrors().',
    about: ERRORS,
  },
  'factory-not-called': {
    severity: 'error',
    consequence:
      'Express hands each request to what only makes the middleware: it fails or waits for ever, and nothing is protected.',
    remedy: 'Mount what it answers: app.use(notFound()), not app.use(notFound).',
    about: ACCESS,
  },
  'audit-missing': {
    severity: 'warning',
    inAudit: 'error',
    consequence: 'Nobody can tell afterwards who was refused what.',
    remedy: 'Mount it first: app.use(auditLog()).',
    about: RECORDS,
    rule: 'requiredMiddlewares',
  },
  'not-found-missing': {
    severity: 'note',
    consequence:
      "Paths and methods that do not exist are answered by Express's HTML page, and leave no decision in the record.",
    remedy: 'Mount it behind the last route: app.use(notFound()).',
    about: ERRORS,
  },
  'x-powered-by': {
    severity: 'note',
    consequence: 'Every answer names the framework, which tells an attacker where to begin.',
    remedy: "Mount secureHeaders() first, or app.disable('x-powered-by').",
    about: HEADERS,
  },
  'no-deny-by-default': {
    severity: 'note',
    consequence: 'A route that somebody adds without a guard is open.',
    remedy: 'Call denyByDefault(app) right after express().',
    about: ACCESS,
  },
  'upgrade-unguarded': {
    severity: 'warning',
    consequence:
      'An upgrade (WebSocket) goes past the application: none of its middlewares sees it, deny-by-default included.',
    remedy: 'Authenticate in the listener, before the connection is accepted; see docs/own-guards.md.',
    about: ACCESS,
  },
})
