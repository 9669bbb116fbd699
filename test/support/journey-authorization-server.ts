import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Issued } from '../authentication/pki.js'
import { ask, type Answer } from './journey-caller.js'

/** By what a client asks for its token. */
export interface Asking {
  /** Shown on the connection: a token for a client that is registered so is bound to it (RFC 8705). */
  readonly credential?: Issued
  /** A DPoP proof for the token endpoint: the token is bound to its key (RFC 9449). */
  readonly proof?: (tokenEndpoint: string) => string
}

/** A real authorization server (oidc-provider), asked as its clients ask: over HTTP and TLS. */
export interface JourneyAuthorizationServer {
  readonly issuer: string
  /** An access token by the client credentials grant. */
  token(client: string, asking?: Asking): Promise<string>
  /** RFC 7009: the server itself takes it back. */
  revoke(client: string, token: string): Promise<void>
  close(): Promise<void>
}

export interface JourneySettings {
  readonly audience: string
  readonly scope: string
  /** As registered (RFC 7591); all have the same secret. */
  readonly clients: readonly Readonly<Record<string, unknown>>[]
  readonly secret: string
  /** Ids of those whose tokens are opaque. */
  readonly opaqueClients: readonly string[]
  /** What its TLS has, and which authority's clients it believes. */
  readonly tls: Issued & { readonly ca: string }
  /** Who issued the certificate in `tls`. */
  readonly authority: string
}

export async function journeyAuthorizationServer({
  secret,
  authority,
  ...settings
}: JourneySettings): Promise<JourneyAuthorizationServer> {
  const script = fileURLToPath(new URL('journey-authorization-server-process.js', import.meta.url))
  const clients = settings.clients.map((client) => ({ client_secret: secret, ...client }))
  const given = JSON.stringify({ ...settings, clients })
  // What oidc-provider has to say about the version of Node.js is no part of a test's output.
  const child = fork(script, [given], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const [{ issuer, tlsPort }] = (await once(child, 'message')) as [{ issuer: string; tlsPort: number }]

  /** The second address only for those who show a certificate, as `mtls_endpoint_aliases` has it (RFC 8705 section 5). */
  function post(
    client: string,
    path: string,
    form: string,
    { credential, proof }: Asking = {},
  ): Promise<Answer> {
    const origin = credential === undefined ? issuer : `https://localhost:${tlsPort}`
    const { port, host } = new URL(origin)
    return ask({
      port: Number(port),
      ...(credential === undefined ? {} : { tls: { ca: authority, servername: 'localhost', ...credential } }),
      path,
      body: form,
      headers: {
        host,
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}`,
        ...(proof === undefined ? {} : { dpop: proof(origin + path) }),
      },
    })
  }

  return {
    issuer,
    token: async (client, asking) => {
      const form = 'grant_type=client_credentials&scope=orders:read'
      const { status, body } = await post(client, '/token', form, asking)
      if (status !== 200) throw new Error(`no token for ${client}: ${status} ${JSON.stringify(body)}`)
      return String(body['access_token'])
    },
    revoke: async (client, token) => {
      const { status } = await post(client, '/token/revocation', `token=${token}`)
      if (status !== 200) throw new Error(`not revoked: ${status}`)
    },
    close: async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}
