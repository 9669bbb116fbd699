import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider, errors } from 'oidc-provider'

const TOKEN_LIFETIME_SECONDS = 600

/**
 * Starts a real authorization server on a loopback port: oidc-provider, reduced to the client credentials grant (RFC
 * 6749 section 4.4) and JWT access tokens (RFC 9068), each for one of several services (RFC 8707).
 *
 * It stands in for the one that your organisation runs. Its keys live as long as the process.
 *
 * @param {object} options
 * @param {Readonly<Record<string, string>>} options.services the scopes of each, by its audience
 * @param {readonly { id: string, secret: string, scope: string, issuedAgoSeconds?: number }[]} options.clients who may
 *   have which scopes; `issuedAgoSeconds` makes tokens that old, for showing what becomes of those that are over
 */
export async function startAuthorizationServer({ services, clients }) {
  let answer
  const server = createServer((req, res) => answer(req, res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${server.address().port}`
  answer = new Provider(issuer, configuration({ services, clients })).callback()

  return {
    issuer,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function configuration({ services, clients }) {
  return {
    jwks: { keys: [signingKey()] },
    adapter: NothingStored,
    scopes: Object.values(services).join(' ').split(' '),
    responseTypes: [],
    ttl: { ClientCredentials: TOKEN_LIFETIME_SECONDS },
    clientDefaults: {
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      id_token_signed_response_alg: 'ES256',
    },
    clients: clients.map(({ id, secret, scope }) => ({ client_id: id, client_secret: secret, scope })),
    formats: {
      customizers: {
        jwt: (_ctx, { clientId }, { payload }) => {
          const { issuedAgoSeconds = 0 } = clients.find(({ id }) => id === clientId)
          payload.iat -= issuedAgoSeconds
          payload.exp -= issuedAgoSeconds
        },
      },
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, audience) => {
          const scope = services[audience]
          if (scope === undefined) throw new errors.InvalidTarget()
          return { audience, scope, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }
        },
      },
    },
  }
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }
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
