import { apiKeys } from '../../src/authentication/api-keys.js'
import { apiKeyVerifier } from '../../src/authentication/api-key-verifier.js'
import { authenticate, type AuthenticateWithVerifiers } from '../../src/authentication/authenticate.js'
import { certificateVerifier } from '../../src/authentication/certificate-verifier.js'
import { introspectionVerifier } from '../../src/authentication/introspection-verifier.js'
import { jwtVerifier, type JwtVerifierOptions } from '../../src/authentication/jwt-verifier.js'
import type { Verifier } from '../../src/authentication/verifier.js'
import type { Guard } from '../../src/core/guard.js'

/** The first test key of RFC 8037, appendix A.2. */
const PUBLIC_KEY = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  kid: 'key-1',
  use: 'sig',
  alg: 'EdDSA',
}

const issuer = (name: string, others: Partial<JwtVerifierOptions> = {}): JwtVerifierOptions => ({
  issuer: `https://${name}.example`,
  audience: 'https://api.example',
  algorithms: ['EdDSA'],
  jwks: { keys: [PUBLIC_KEY] },
  ...others,
})

export const bounded = issuer('a', { maxTokenAgeSeconds: 600 })
export const unbounded = issuer('b', { algorithms: ['RS256'], clockToleranceSeconds: 30 })

export const jwts = (...all: readonly JwtVerifierOptions[]): Verifier => jwtVerifier(all)
export const asked = (tokens: 'any' | 'opaque' = 'any'): Verifier =>
  introspectionVerifier({
    issuer: 'https://c.example',
    endpoint: 'https://c.example/introspect',
    audience: 'https://api.example',
    client: { id: 'orders', secret: 'not-a-real-secret' },
    tokens,
  })
export const keys = (): Verifier => apiKeyVerifier({ keys: apiKeys({ prefix: 'shop' }) })
export const certificates = (): Verifier =>
  certificateVerifier({ names: ['DNS:orders.internal'], issuer: 'internal' })

export const accepting = (
  verifiers: readonly Verifier[],
  others: Partial<AuthenticateWithVerifiers> = {},
): Guard => authenticate({ verifiers, ...others })

/** As it is where the keys come from the issuer. */
export function fetched({ jwks: _inline, ...others }: JwtVerifierOptions): JwtVerifierOptions {
  return others
}

export function anyAge({ maxTokenAgeSeconds: _bound, ...others }: JwtVerifierOptions): JwtVerifierOptions {
  return others
}
