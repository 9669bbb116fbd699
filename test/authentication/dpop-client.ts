import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import request from 'supertest'
import type { AuthenticateOptions } from '../../src/authentication/authenticate.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { dpopProofs, type DpopOptions, type DpopProofs } from '../../src/authentication/binding/dpop.js'
import { memoryStore } from '../../src/stores/memory.js'
import { nowSeconds, segment, service, signer, trusting, type Service } from './harness.js'

export const ORIGIN = 'https://orders.example'
export const issuer = signer()

type Json = Readonly<Record<string, unknown>>

/** A client that holds a P-256 key and signs proofs with it, also ones that no library would. */
export interface Holder {
  readonly jwk: Json
  readonly privateJwk: Json
  readonly jkt: string
  readonly privateKey: KeyObject
  /** An access token of `issuer` that is bound to the key. */
  token(claims?: Json): string
  /** A proof for `GET /` with this token. A claim or header parameter that is `undefined` is left out. */
  proof(token: string, claims?: Json, header?: Json): string
  sign(header: Json | string, payload: Json | string): string
}

export function holder(): Holder {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk: Json = publicKey.export({ format: 'jwk' })
  const { crv, kty, x, y } = jwk
  const jkt = sha256(JSON.stringify({ crv, kty, x, y }))
  const signSegments: Holder['sign'] = (header, payload) => {
    const input = `${segment(header)}.${segment(payload)}`
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
  return {
    jwk,
    privateJwk: privateKey.export({ format: 'jwk' }),
    jkt,
    privateKey,
    token: (claims) => issuer.token({ cnf: { jkt }, ...claims }),
    proof: (token, claims, header) =>
      signSegments({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header }, proofClaims(token, claims)),
    sign: signSegments,
  }
}

export function proofClaims(token: string, claims: Json = {}): Json {
  return {
    jti: randomUUID(),
    htm: 'GET',
    htu: `${ORIGIN}/`,
    iat: nowSeconds(),
    ath: sha256(token),
    ...claims,
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** An application that takes bound tokens of `issuer`, with a memory of its own. */
export function boundService(
  dpop: Partial<DpopOptions> = {},
  options: Partial<AuthenticateOptions> = {},
  answer?: (req: IncomingMessage) => unknown,
): Service {
  return service(authenticateBound(dpop, options), answer)
}

export function authenticateBound(
  dpop: Partial<DpopOptions> = {},
  options: Partial<AuthenticateOptions> = {},
): ReturnType<typeof authenticate> {
  return authenticate({
    ...trusting(issuer),
    ...options,
    dpop: { publicOrigin: ORIGIN, store: memoryStore(), ...dpop },
  })
}

export function present(to: Service, token: string, proof: string): request.Test {
  return request(to.app).get('/').set('Authorization', `DPoP ${token}`).set('DPoP', proof)
}

/** Sends a token with a proof and says what came of it: the status and the reason that was recorded. */
export async function outcomeOf(
  to: Service,
  token: string,
  proof: string,
): Promise<readonly [number, string | undefined]> {
  const { status } = await present(to, token, proof)
  return [status, to.lastReason()]
}

export function proofsOf(options: Partial<DpopOptions> = {}): DpopProofs {
  return dpopProofs('dpop', { publicOrigin: ORIGIN, store: memoryStore(), ...options })
}

/** A request as the check of a proof sees it. */
export function carrying(proof: string, parts: Json = {}): IncomingMessage {
  const fields = { method: 'GET', originalUrl: '/', url: '/', headers: { dpop: proof } }
  return { ...fields, rawHeaders: ['DPoP', proof], ...parts } as unknown as IncomingMessage
}

/** What came of checking a proof, without HTTP: `accepted`, or the refusal's reason with what its evidence says. */
export async function checked(
  proofs: DpopProofs,
  req: IncomingMessage,
  token: string,
  jkt: string,
): Promise<string> {
  try {
    await proofs.verify(req, token, jkt)
    return 'accepted'
  } catch (cause) {
    const { reason = String(cause), evidence = {} } = cause as { reason?: string; evidence?: Json }
    // The rest of a mismatch of URLs is for people; its own test looks at it.
    const shown = evidence['mismatch'] === 'url' ? ['url'] : Object.values(evidence)
    return [reason, ...shown].join(' ')
  }
}
