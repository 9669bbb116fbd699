// The authorization server of the example, in a process of its own: started, stopped and given new keys over IPC.
import {
  makeSigningKey,
  requestToken,
  startAuthorizationServer,
} from '../../examples/orders-service/authorization-server.js'

const { audience, clients } = JSON.parse(process.argv[2])

let keys = [makeSigningKey()]
let port = 0
let server

const commands = {
  async start() {
    server = await startAuthorizationServer({ audience, clients, port, keys })
    port = Number(new URL(server.issuer).port)
    return server.issuer
  },
  async stop() {
    await server.close()
  },
  /** A new key signs from now on; the old ones stay published. */
  async rotate() {
    keys = [makeSigningKey(), ...keys]
    server.setKeys(keys)
  },
  /** Only the key that signs stays published. */
  async retireOldKeys() {
    keys = keys.slice(0, 1)
    server.setKeys(keys)
  },
  token: (id) => requestToken({ issuer: server.issuer, client: clients.find((client) => client.id === id) }),
}

process.on('message', async ({ number, command, argument }) => {
  try {
    process.send({ number, result: await commands[command](argument) })
  } catch (error) {
    process.send({ number, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())
