// An authorization server (oidc-provider) for a whole journey, in a process of its own: everything is asked of it as a
// client would, over HTTP. Tokens are JWTs or opaque, as the client is registered; free, or bound by what the client shows.
// Its token endpoint stands at a second address, where TLS asks for a certificate (RFC 8705 section 5).
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Provider } from 'oidc-provider'

const { audience, scope, clients, opaqueClients, tls } = JSON.parse(process.argv[2])

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }

let provider
const answer = (req, res) => provider.callback()(req, res)
const plain = createServer(answer).listen(0, '127.0.0.1')
const secured = createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, answer)
secured.listen(0, '127.0.0.1')
await Promise.all([once(plain, 'listening'), once(secured, 'listening')])
const issuer = `http://127.0.0.1:${plain.address().port}`

/** Only what its own TLS verified: RFC 8705 section 7.4 leaves the trust in authorities to the server. */
function certificateOf({ socket }) {
  return socket.authorized ? socket.getPeerX509Certificate() : undefined
}

provider = new Provider(issuer, {
  jwks: { keys: [key] },
  scopes: scope.split(' '),
  responseTypes: [],
  clients,
  clientDefaults: {
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    id_token_signed_response_alg: 'ES256',
  },
  ttl: { ClientCredentials: 600 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: ({ req }) => certificateOf(req)?.toString(),
      certificateAuthorized: ({ req }) => certificateOf(req) !== undefined,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: (_ctx, _resource, client) => ({
        audience,
        scope,
        ...(opaqueClients.includes(client.clientId)
          ? { accessTokenFormat: 'opaque' }
          : { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      }),
    },
  },
})

process.on('disconnect', () => process.exit())
process.send({ issuer, tlsPort: secured.address().port })
