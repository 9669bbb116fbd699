import type { HopProof } from '../../core/hop-proof.js'
import { checkOptions, misuse, required, text } from '../../core/options.js'
import { assertionProof } from './assertion-proof.js'
import type { CloudflareAccessOptions } from './options.js'
import { plainSecureUrl } from '../../core/remote-json.js'
import { listed, names, remoteKeys } from './rules.js'
import { jwtAssertion } from './verify-jwt.js'

/**
 * Proves a hop by the assertion of Cloudflare Access (`Cf-Access-Jwt-Assertion`): RS256, this team, this application.
 * The cookie with the same content is not read.
 *
 * **Not checked:** that the request came through Cloudflare. A browser holds the same assertion, for as long as its
 * session lasts, and could send it here itself: hence `reason`. `jti`, method and path are not checked either.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. Source: Cloudflare, "Validate JWTs".
 */
export function cloudflareAccess(options: CloudflareAccessOptions): HopProof {
  const me = 'cloudflareAccess'
  checkOptions(me, options, {
    team: {
      says: 'the name of a team',
      holds: (value) => typeof value === 'string' && /^[a-z0-9-]{1,63}$/.test(value),
    },
    issuer: plainSecureUrl,
    audience: required(names),
    reason: required(text()),
    jwksUri: plainSecureUrl,
  })
  const { team, reason } = options
  if ((team === undefined) === (options.issuer === undefined))
    throw misuse(me, 'team', 'given, or issuer: one of the two', team)
  const issuer = options.issuer ?? `https://${team ?? ''}.cloudflareaccess.com`
  const audience = listed(options.audience)
  const keySet = remoteKeys(issuer, options.jwksUri ?? `${issuer}/cdn-cgi/access/certs`)
  const expected = {
    issuer,
    audience,
    typ: undefined,
    clockToleranceSeconds: 5,
    maxLifetimeSeconds: undefined,
  }
  return assertionProof({
    header: 'cf-access-jwt-assertion',
    beside: ['cf-access-authenticated-user-email'],
    facts: { issuer, audience, keys: 'remote', isWeak: true, reason },
    keys: keySet,
    verify: jwtAssertion(expected, { keySet, algorithms: ['RS256'] }),
  })
}
