import { KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { wallClockMs } from '../../core/clock.js'
import type { IntrospectionClient, KeyClient, Rotating, SecretClient } from './options.js'

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_SECONDS = 60

/** What makes a request this service's own: a header field, or fields of the form. */
export interface Credentials {
  readonly authorization?: string
  readonly form: Readonly<Record<string, string>>
}

/** Makes them anew for each request: secrets are rotated and assertions are used once. */
export type ClientAuthentication = () => Promise<Credentials>

export function clientAuthentication(client: IntrospectionClient, issuer: string): ClientAuthentication {
  if (client.authentication === 'private_key_jwt') return () => byAssertion(client, issuer)
  return () => bySecret(client)
}

async function bySecret({ id, secret, authentication = 'basic' }: SecretClient): Promise<Credentials> {
  const current = await currentOf(secret)
  if (typeof current !== 'string' || current === '')
    throw new Error('the secret of the introspection client is empty')
  if (authentication === 'post') return { form: { client_id: id, client_secret: current } }
  // RFC 6749 section 2.3.1: both are form-encoded first, so that a colon in the id is no separator.
  const pair = Buffer.from(`${formEncoded(id)}:${formEncoded(current)}`).toString('base64')
  return { authorization: `Basic ${pair}`, form: {} }
}

async function byAssertion(client: KeyClient, issuer: string): Promise<Credentials> {
  const { id, algorithm, keyId, assertionAudience = issuer } = client
  const key = await currentOf(client.privateKey)
  const kid = keyId ?? (key instanceof KeyObject ? undefined : key['kid'])
  const now = Math.floor(wallClockMs() / 1000)
  const assertion = await new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: algorithm, ...(typeof kid === 'string' ? { kid } : {}) })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(assertionAudience)
    .setIssuedAt(now)
    .setExpirationTime(now + ASSERTION_SECONDS)
    .sign(key)
  return { form: { client_id: id, client_assertion_type: ASSERTION, client_assertion: assertion } }
}

async function currentOf<T>(source: Rotating<T>): Promise<T> {
  return typeof source === 'function' ? (source as () => T | Promise<T>)() : source
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
