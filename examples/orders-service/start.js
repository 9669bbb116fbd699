import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { auditLines, refusal } from './audit-lines.js'
import { requestToken, startAuthorizationServer } from './authorization-server.js'
import { curlOf, requestsWith, send, tokenCommandOf } from './requests.js'
import { createService } from './service.js'
import { storeAt } from './store.js'

const AUDIENCE = 'https://orders.example'
const SHUTDOWN_MS = 10_000

const { values: options } = parseArgs({
  options: { demo: { type: 'boolean' }, json: { type: 'boolean' }, port: { type: 'string', default: '0' } },
})

if (options.demo) process.exitCode = (await demo()) ? 0 : 1
else await serve()

/** Serves until a signal comes, and shows how to call it. */
async function serve() {
  const running = await start(options.json ? undefined : auditLines(console.log), Number(options.port))
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void running.stop())

  console.log(`
The orders service           ${running.url}
Its authorization server     ${running.issuer}

Paste any of these commands into another terminal, in any order. The tokens are real and good for an hour. This is how
the shop gets one:
     ${running.tokenCommand}

`)
  for (const request of running.requests) {
    console.log(`${request.status}  ${request.title}\n     ${dimmedToken(curlOf(running.url, request))}\n`)
  }
  console.log('Audit records, as they are written. Ctrl-C ends the service.\n')
}

/** Sends every request itself. Answers whether each came out as promised. */
async function demo() {
  const refusals = []
  const keep = (record) => record.rule !== undefined && refusals.push(record)
  const running = await start({ info: keep, warn: keep, error: keep })
  let kept = 0
  try {
    for (const request of running.requests) {
      refusals.length = 0
      const answer = await send(running.url, request)
      const isKept = answer.status === request.status
      if (isKept) kept += 1
      console.log(
        `${isKept ? 'ok    ' : 'FAILED'}  expected ${request.status}, got ${answer.status}  ${request.title}`,
      )
      console.log(`        said:   ${summary(answer)}`)
      for (const record of refusals) console.log(`        audit:  ${refusal(record)}`)
    }
  } finally {
    await running.stop()
  }
  const total = running.requests.length
  console.log(`\n${kept} of ${total} outcomes as promised`)
  return kept === total
}

/** The authorization server, a token of each client, and the service, on loopback ports. */
async function start(logger, port = 0) {
  const clients = [
    client('shop', 'orders:read orders:write'),
    client('report', 'orders:read'),
    client('batch', 'orders:write'),
  ]
  const authorizationServer = await startAuthorizationServer({ audience: AUDIENCE, clients })
  const { issuer } = authorizationServer
  const [shop, report, batch] = await Promise.all(
    clients.map((each) => requestToken({ issuer, client: each })),
  )

  const { REDIS_URL, INSTANCES = '1' } = process.env
  const limits = await storeAt(REDIS_URL)
  const service = createService({
    issuer,
    audience: AUDIENCE,
    store: limits.store,
    instances: Number(INSTANCES),
    logger,
  })
  await service.lifecycle.warmUp()
  const server = createServer(service.app).listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${server.address().port}`,
    issuer,
    tokenCommand: tokenCommandOf(issuer, clients[0]),
    requests: requestsWith({ shop, report, batch }),
    // No new connections; what is under way may end; then nothing is left that holds the process.
    stop: async () => {
      const deadline = setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS)
      server.close()
      await once(server, 'close')
      clearTimeout(deadline)
      await service.lifecycle.close()
      await limits.close()
      await authorizationServer.close()
    },
  }
}

function client(id, scope) {
  return { id, scope, secret: randomBytes(32).toString('base64url') }
}

/** One line of what a body said. */
function summary({ headers, body }) {
  if (!/^application\/(problem\+)?json/.test(headers.get('content-type'))) return body.slice(0, 80)
  const { id, title, detail, code, errors } = JSON.parse(body)
  if (id !== undefined) return `order ${id} at ${headers.get('location')}`
  const places = errors?.map(({ pointer, code: fault }) => `${pointer || 'the body'} ${fault}`).join(', ')
  const retry = headers.get('retry-after')
  return [`${title} (${code}): ${detail}`, places, retry && `Retry-After: ${retry}`]
    .filter(Boolean)
    .join('  ')
}

/** On a terminal, a token is there to be copied, not to be read. */
function dimmedToken(command) {
  return process.stdout.isTTY ? command.replace(/eyJ[\w.-]+/, '\x1b[2m$&\x1b[22m') : command
}
