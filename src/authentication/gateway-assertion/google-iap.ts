import type { HopProof } from '../../core/hop-proof.js'
import { checkOptions, misuse, required } from '../../core/options.js'
import { assertionProof } from './assertion-proof.js'
import type { GoogleIapOptions } from './options.js'
import { plainSecureUrl } from '../../core/remote-json.js'
import { listed, names, remoteKeys } from './rules.js'
import { jwtAssertion } from './verify-jwt.js'

/**
 * Proves a hop by the assertion of Google's Identity-Aware Proxy (`x-goog-iap-jwt-assertion`): ES256, its issuer, this
 * audience, eleven minutes at most.
 *
 * What IAP says beside it, unsigned (`x-goog-authenticated-user-*`), is removed. Health checks come without an
 * assertion: they are unproven.
 *
 * **Not checked:** whether the assertion was seen before; which method and path it was made for, for it does not say.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. Source: Google Cloud, "Securing your app with signed
 * headers".
 */
export function googleIap(options: GoogleIapOptions): HopProof {
  checkOptions('googleIap', options, { audience: required(names), jwksUri: plainSecureUrl })
  const audience = listed(options.audience)
  for (const value of audience) {
    if (!/^\/projects\/\d+\/(?:global\/backendServices\/\d+|apps\/[\w:.-]+|[\w/.-]+)$/.test(value))
      throw misuse(
        'googleIap',
        'audience',
        '"/projects/NUMBER/global/backendServices/ID" or "/projects/NUMBER/apps/PROJECT"',
        value,
      )
  }
  const issuer = 'https://cloud.google.com/iap'
  const keySet = remoteKeys(issuer, options.jwksUri ?? 'https://www.gstatic.com/iap/verify/public_key-jwk')
  // Ten minutes, and thirty seconds of skew at either end.
  const expected = { issuer, audience, typ: undefined, clockToleranceSeconds: 30, maxLifetimeSeconds: 660 }
  return assertionProof({
    header: 'x-goog-iap-jwt-assertion',
    beside: ['x-goog-authenticated-user-email', 'x-goog-authenticated-user-id'],
    facts: { issuer, audience, keys: 'remote' },
    keys: keySet,
    verify: jwtAssertion(expected, { keySet, algorithms: ['ES256'] }),
  })
}
