import { generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import express from 'express'
import request from 'supertest'
import { authenticate, type AuthenticateOptions } from '../../src/authentication/authenticate.js'
import { openContext } from '../../src/core/context.js'
import type { Decision } from '../../src/core/decision.js'
import type { Guard } from '../../src/core/guard.js'
import { secureErrors } from '../../src/errors/secure-errors.js'

export const ISSUER = 'https://id.test'
export const AUDIENCE = 'https://api.test'

type Json = Readonly<Record<string, unknown>>

/** A P-256 key that signs whatever it is told to, also what no library would. */
export interface Signer {
  readonly jwk: JsonWebKey & { readonly kid: string }
  readonly privateKey: KeyObject
  /** An access token that is good for five minutes. A claim or header parameter that is `undefined` is left out. */
  token(claims?: Json, header?: Json): string
  /** Signs these two segments: objects become JSON, text stays as it is. */
  sign(header: Json | string, payload: Json | string): string
}

export function signer(kid = 'key-1'): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signSegments: Signer['sign'] = (header, payload) => {
    const input = `${segment(header)}.${segment(payload)}`
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
    privateKey,
    sign: signSegments,
    token: (claims, header) =>
      signSegments({ alg: 'ES256', kid, typ: 'at+jwt', ...header }, accessClaims(claims)),
  }
}

/** The claims of an access token, with these changed. */
export function accessClaims(claims: Json = {}): Json {
  const now = nowSeconds()
  const standard = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'user-1',
    client_id: 'client-1',
    iat: now,
    exp: now + 300,
  }
  return { ...standard, jti: 'token-1', ...claims }
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

/** One segment of a compact token: base64url of JSON, or of text as it is. */
export function segment(content: Json | string): string {
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url')
}

/** A token whose signature nobody made. */
export function unsigned(header: Json, payload: Json, signature = 'AAAA'): string {
  return `${segment(header)}.${segment(payload)}.${signature}`
}

export interface Service {
  readonly app: RequestListener
  /** Every decision about every request, in order. */
  readonly decisions: Decision[]
  /** The reason of the last decision. */
  lastReason(): string | undefined
  /** How many requests reached the handler. */
  served(): number
}

/** An application behind these middlewares; the handler answers with what `answer` makes of the request. */
export function service(
  guards: Guard | readonly Guard[],
  answer: (req: IncomingMessage) => unknown = () => ({ ok: true }),
): Service {
  const decisions: Decision[] = []
  let served = 0
  const app = express()
  app.use((req, _res, next) => {
    openContext(req).observe((decision) => decisions.push(decision))
    next()
  })
  for (const guard of [guards].flat()) app.use(guard)
  app.use((req, res) => {
    served += 1
    res.json(answer(req) ?? null)
  })
  app.use(secureErrors())
  return { app, decisions, lastReason: () => decisions.at(-1)?.reason, served: () => served }
}

/** The options of a middleware that takes the tokens of this signer. */
export function trusting({ jwk }: Signer): Pick<AuthenticateOptions, 'issuer' | 'audience'> & {
  readonly jwks: { readonly keys: readonly object[] }
} {
  return { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } }
}

/** Makes applications behind `authenticate` that take the tokens of this signer, with these options changed. */
export function serviceTrusting(
  key: Signer,
): (options?: Partial<AuthenticateOptions>, answer?: (req: IncomingMessage) => unknown) => Service {
  return (options = {}, answer) => service(authenticate({ ...trusting(key), ...options }), answer)
}

export function send(to: Service, token: string): request.Test {
  return request(to.app).get('/').set('Authorization', `Bearer ${token}`)
}

/** Sends a token and says what came of it: the status and the reason that was recorded. */
export async function outcome(to: Service, token: string): Promise<readonly [number, string | undefined]> {
  const { status } = await send(to, token)
  return [status, to.lastReason()]
}

/** A request as `verifyRequest` sees it, without a connection. */
export function incoming(authorization?: string): IncomingMessage {
  const fields = authorization === undefined ? {} : { authorization }
  return {
    method: 'GET',
    url: '/',
    headers: fields,
    rawHeaders: Object.entries(fields).flat(),
    socket: { remoteAddress: '127.0.0.1' },
  } as unknown as IncomingMessage
}
