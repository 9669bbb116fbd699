import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider, errors } from 'oidc-provider'

const SCOPES = 'orders:read orders:write'
const TOKEN_LIFETIME_SECONDS = 3600

/**
 * Starts a real authorization server on a loopback port: oidc-provider, reduced to what services need that call
 * services, which is the client credentials grant (RFC 6749 section 4.4) and JWT access tokens (RFC 9068) for one
 * audience.
 *
 * It stands in for the one that your organisation runs. Its keys live as long as the process.
 *
 * @param {object} options
 * @param {string} options.audience the service that tokens are for
 * @param {readonly { id: string, secret: string, scope: string }[]} options.clients who may have which scopes
 * @param {number} [options.port] a free one by default
 * @param {readonly object[]} [options.keys] made by `makeSigningKey`; the first one signs, all are published
 */
export async function startAuthorizationServer({ audience, clients, port = 0, keys = [makeSigningKey()] }) {
  let answer
  const server = createServer((req, res) => answer(req, res))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${server.address().port}`

  // oidc-provider reads its keys once; other keys mean another provider behind the same address.
  const setKeys = (next) => {
    answer = new Provider(issuer, configuration({ audience, clients, keys: next })).callback()
  }
  setKeys(keys)

  return {
    issuer,
    setKeys,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export function makeSigningKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID().slice(0, 8), alg: 'ES256', use: 'sig' }
}

/** What a calling service does: asks for an access token with its own id and secret. */
export async function requestToken({ issuer, client }) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: client.scope }),
    signal: AbortSignal.timeout(5000),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(`no token for ${client.id}: ${response.status} ${answer.error}`)
  return answer.access_token
}

function configuration({ audience, clients, keys }) {
  return {
    jwks: { keys: [...keys] },
    adapter: NothingStored,
    scopes: SCOPES.split(' '),
    responseTypes: [],
    ttl: { ClientCredentials: TOKEN_LIFETIME_SECONDS },
    clientDefaults: {
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
    },
    clients: clients.map(({ id, secret, scope }) => ({ client_id: id, client_secret: secret, scope })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_ctx, resource) => {
          if (resource !== audience) throw new errors.InvalidTarget()
          return {
            audience,
            scope: SCOPES,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'ES256', kid: keys[0].kid } },
          }
        },
      },
    },
  }
}

/** Clients come from the configuration and tokens are signed, not looked up: there is nothing to keep. */
class NothingStored {
  async upsert() {}
  async find() {}
  async findByUid() {}
  async findByUserCode() {}
  async consume() {}
  async destroy() {}
  async revokeByGrantId() {}
}
