import express from 'express'
import {
  auditLog,
  authenticate,
  certificateVerifier,
  denyByDefault,
  gateway,
  haproxy,
  internalOnly,
  jwtVerifier,
  lifecycle,
  nginx,
  notFound,
  publicRoute,
  rateLimit,
  secureErrors,
  secureHeaders,
} from 'express-bulwark'

const PROFILES = { nginx, haproxy }
const TOKEN_LIFETIME_SECONDS = 600

/** Who comes with a certificate and no token, and what they may do. In your service: a table that somebody keeps. */
const PARTNERS = new Map([
  ['DNS:warehouse.partner.example', { clientId: 'warehouse', scopes: ['orders:pick'] }],
])

/**
 * What every service checks for itself, whatever the gateway checked before it. The order of the lines is the order in
 * which a request meets them.
 *
 * @param {object} options
 * @param {string} options.issuer the authorization server, as it stands in the `iss` claim
 * @param {string} options.audience this service, and no other, as it stands in the `aud` claim
 * @param {string} options.partnersAuthority PEM of the authority whose certificates callers may show to the gateway
 * @param {string} options.edgeSecret what the gateway writes into X-Edge-Secret, 32 characters or more
 * @param {readonly string[]} [options.services] names in the certificates of services that may call without the gateway
 * @param {'nginx' | 'haproxy'} [options.kind] which gateway stands in front
 * @param {import('express-bulwark').AuditLogger} [options.logger] where audit records go; standard output by default
 * @param {(app: import('express').Express) => void} options.routes
 */
export function createService({
  issuer,
  audience,
  partnersAuthority,
  edgeSecret,
  services = [],
  kind = 'nginx',
  logger,
  routes,
}) {
  const audit = auditLog({ logger })
  // Two proofs, and both must hold. The certificate says who is at the other end of the connection; the secret, that this
  // request has the headers of the gateway: where its configuration forgot them, they would be the caller's own. What the
  // gateway writes is believed then, and every other header of that kind is taken from the request. A service that comes
  // by itself has nothing of it believed.
  const boundary = gateway(
    PROFILES[kind]({
      name: 'edge',
      provenBy: [
        { peerCertificate: { names: ['DNS:edge.internal'] } },
        { secret: { header: 'x-edge-secret', values: edgeSecret } },
      ],
      clientCertificate: true,
      certificateAuthorities: [partnersAuthority],
    }),
    { unproven: services.length === 0 ? 'refuse' : 'strip' },
  )
  const perAddress = rateLimit({ name: 'per-address', limit: 600, windowSeconds: 60, by: 'address' })
  // The gateway may have verified the same token. It is verified again, for this service: one for another is refused.
  const authentication = authenticate({
    verifiers: [
      jwtVerifier({ issuer, audience, maxTokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS }),
      certificateVerifier({
        authorities: { partners: partnersAuthority },
        principal: ({ identity }) => PARTNERS.get(identity),
      }),
    ],
  })
  const perCaller = rateLimit({ name: 'per-caller', limit: 300, windowSeconds: 60, by: 'principal' })
  const state = lifecycle(audit, boundary, perAddress, authentication, perCaller)

  const app = express()
  // A route that nobody decided about is refused, whoever adds it.
  denyByDefault(app)
  // One hop, however many there are: gateway() leaves one address in X-Forwarded-For. For req.ip and req.secure.
  app.set('trust proxy', 1)

  app.use(audit)
  app.use(secureHeaders())
  // Asked from inside, past the gateway, which has no way to it.
  app.get('/health', publicRoute('liveness probe'), (_req, res) => {
    res.json({ status: 'ok' })
  })

  app.use(boundary)
  // Two doors: the gateway, and the services that are named. A certificate of the same authority alone opens neither.
  if (services.length > 0) app.use(internalOnly({ name: 'doors', hops: ['edge'], certificates: services }))
  app.use(perAddress)
  app.use(authentication)
  app.use(perCaller)
  routes(app)
  app.use(notFound())
  app.use(secureErrors())

  return { app, lifecycle: state }
}
