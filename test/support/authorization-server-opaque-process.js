// An authorization server (oidc-provider) of opaque tokens that tells what they are (RFC 7662), in a process of its own.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const { audience, clients } = JSON.parse(process.argv[2])
const SCOPES = 'orders:read orders:write'

const resourceServer = { audience, scope: SCOPES, accessTokenFormat: 'opaque' }
let provider
let server

const commands = {
  async start() {
    server = createServer((req, res) => provider.callback()(req, res))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const issuer = `http://127.0.0.1:${server.address().port}`
    provider = new Provider(issuer, {
      scopes: SCOPES.split(' '),
      clients,
      clientDefaults: { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] },
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        introspection: { enabled: true },
        revocation: { enabled: true },
        dPoP: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => audience,
          getResourceServerInfo: () => resourceServer,
        },
      },
    })
    return issuer
  },
  /** A token of one of its models, as its grants would make it. */
  async mint(text) {
    const { model, clientId, audience: aud = audience, ...facts } = JSON.parse(text)
    const client = await provider.Client.find(clientId)
    const token = new provider[model]({ client, scope: SCOPES, ...facts })
    token.setAudience(aud)
    return token.save()
  },
  async revoke(value) {
    for (const model of ['AccessToken', 'ClientCredentials'])
      await (await provider[model].find(value))?.destroy()
  },
}

process.on('message', async ({ number, command, argument }) => {
  try {
    process.send({ number, result: await commands[command](argument) })
  } catch (error) {
    process.send({ number, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())
