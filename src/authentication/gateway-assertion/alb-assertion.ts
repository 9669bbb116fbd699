import { wallClockMs } from '../../core/clock.js'
import { verifySignature } from '../jwt-verifier/signature.js'
import { refusal } from '../refusal.js'
import { AlbKeys } from './alb-keys.js'
import type { Assertion } from './assertion-proof.js'
import { readPaddedCompact } from './padded-compact.js'

type Json = Readonly<Record<string, unknown>>

export interface AlbPolicy {
  readonly signers: readonly string[]
  readonly client: string
  readonly issuer: string | undefined
  /** Where the keys are, without the `kid`. */
  readonly address: string
  readonly clockToleranceSeconds: number
}

const TIMEOUT_MS = 5000

/** What an AWS Application Load Balancer says of a user: who signed it, for whom and until when stands in the header. */
export function awsAlbAssertion(policy: AlbPolicy): Assertion {
  const keys = new AlbKeys(policy.address, TIMEOUT_MS)

  return {
    header: 'x-amzn-oidc-data',
    beside: ['x-amzn-oidc-identity', 'x-amzn-oidc-accesstoken'],
    facts: { signers: policy.signers, client: policy.client, issuer: policy.issuer, keys: 'remote' },
    keys,
    async verify(assertion) {
      const { header, payload } = readPaddedCompact(assertion)
      checkHeader(header, policy)
      checkExpiry(header, policy, 'required')
      // The text as it came: the signature covers the padding too.
      await verifySignature(assertion, header, ['ES256'], (wanted) => keys.select(wanted))
      checkExpiry(payload, policy, 'optional')
      return payload
    },
  }
}

/** All before a key is asked for. The key server serves the keys of every load balancer in the region, anybody's. */
function checkHeader(header: Json, { signers, client, issuer }: AlbPolicy): void {
  if (Object.hasOwn(header, 'crit') || header['b64'] === false) throw refusal('token_malformed')
  if (header['alg'] !== 'ES256') throw refusal('algorithm_refused')
  const { signer } = header
  if (typeof signer !== 'string' || !signers.includes(signer))
    throw refusal('issuer_mismatch', { expected: signers })
  if (header['client'] !== client) throw refusal('audience_mismatch', { expected: [client] })
  if (issuer !== undefined && header['iss'] !== issuer)
    throw refusal('issuer_mismatch', { expected: [issuer] })
}

function checkExpiry(part: Json, { clockToleranceSeconds }: AlbPolicy, need: 'required' | 'optional'): void {
  const exp = Object.hasOwn(part, 'exp') ? part['exp'] : undefined
  if (exp === undefined && need === 'optional') return
  if (exp === undefined) throw refusal('claim_missing', { claims: ['exp'] })
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw refusal('claim_invalid', { claims: ['exp'] })
  if (exp <= Math.floor(wallClockMs() / 1000) - clockToleranceSeconds) throw refusal('token_expired')
}
