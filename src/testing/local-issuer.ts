import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SignJWT, exportJWK, generateKeyPair, type JWK } from 'jose'

export interface LocalIssuerOptions {
  /** Signature algorithm of the keys it makes. @default 'ES256' */
  readonly algorithm?: 'ES256' | 'RS256' | 'PS256' | 'EdDSA'
  /** The `aud` claim of tokens that name none. @default 'https://api.test' */
  readonly audience?: string
}

/** An authorization server for tests: metadata, keys and tokens, on a free loopback port. */
export interface LocalIssuer {
  /** Its `iss`, and its address. */
  readonly issuer: string
  /** Its public keys as they stand now. */
  readonly jwks: { readonly keys: readonly object[] }
  /** How many times each path was asked for. */
  readonly requests: ReadonlyMap<string, number>
  /** Signs an access token that is good for five minutes. A claim that is `undefined` is left out. */
  token(
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>
  /** Makes a new signing key. The old ones stay published unless `dropOld`. */
  rotate(options?: { readonly dropOld?: boolean }): Promise<void>
  /** Whether it answers 503 to everything, or, with `'hang'`, never. */
  outage(state: boolean | 'hang'): void
  stop(): Promise<void>
}

interface SigningKey {
  readonly kid: string
  readonly jwk: JWK
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
}

/**
 * Starts an authorization server of your own, for tests: `authenticate({ issuer: local.issuer, audience })` accepts its
 * tokens. Loopback only; its keys live in this process. **Never for anything but tests.**
 */
export async function localIssuer(options: LocalIssuerOptions = {}): Promise<LocalIssuer> {
  const { algorithm = 'ES256', audience = 'https://api.test' } = options
  const requests = new Map<string, number>()
  let keys: readonly SigningKey[] = [await makeKey(algorithm, 1)]
  let made = 1
  let outage: boolean | 'hang' = false

  const server = createServer(answer)
  const issuer = await listen(server)

  function answer(req: IncomingMessage, res: ServerResponse): void {
    const path = req.url ?? ''
    requests.set(path, (requests.get(path) ?? 0) + 1)
    if (outage === 'hang') return
    const document = outage ? undefined : documents()[path]
    res.statusCode = outage ? 503 : document === undefined ? 404 : 200
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify(document ?? {}))
  }

  function documents(): Readonly<Record<string, object>> {
    return {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/jwks` },
      '/jwks': published(),
    }
  }

  function published(): { readonly keys: readonly JWK[] } {
    return { keys: keys.map(({ jwk }) => jwk) }
  }

  async function token(
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const key = keys.at(-1) as SigningKey
    const now = Math.floor(Date.now() / 1000)
    const defaults = {
      iss: issuer,
      aud: audience,
      sub: 'user-1',
      client_id: 'client-1',
      iat: now,
      exp: now + 300,
    }
    return new SignJWT({ ...defaults, jti: crypto.randomUUID(), ...claims })
      .setProtectedHeader({ alg: algorithm, kid: key.kid, typ: 'at+jwt', ...header })
      .sign(key.privateKey)
  }

  return {
    issuer,
    requests,
    get jwks() {
      return published()
    },
    token,
    rotate: async ({ dropOld = false } = {}) => {
      made += 1
      const key = await makeKey(algorithm, made)
      keys = dropOld ? [key] : [...keys, key]
    },
    outage: (state) => {
      outage = state
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

async function makeKey(algorithm: string, number: number): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm)
  const kid = `key-${number}`
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
