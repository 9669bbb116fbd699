import { once } from 'node:events'
import { createServer } from 'node:http'
import { localIssuer } from 'express-bulwark/testing'
import { createService } from './policies.js'

const AUDIENCE = 'https://payments.example'

/** Who calls, and what their tokens say. */
const callers = {
  ada: { scope: 'payments:read payments:create', tenant: 'north', department: 'finance', level: 3 },
  ben: { scope: 'payments:read payments:create', tenant: 'north', department: 'finance', level: 2 },
  cyd: { scope: 'payments:read payments:approve', tenant: 'north', roles: ['auditor'] },
  dan: { scope: 'payments:create payments:approve', tenant: 'north', roles: ['admin'] },
  eve: { scope: 'payments:read payments:approve', tenant: 'south' },
  job: { sub: 'settlement-job', client_id: 'settlement-job' },
}

const requests = [
  'GET /payments',
  'POST /payments',
  'GET /reports',
  'POST /refunds',
  'GET /payments/1',
  'GET /tenants/north/payments',
  'POST /payments/1/approval',
  'POST /settlements',
  'DELETE /payments/1',
  'DELETE /payments/2',
]

const issuer = await localIssuer({ audience: AUDIENCE })
const silent = { info() {}, warn() {}, error() {} }
const service = createService({ issuer: issuer.issuer, audience: AUDIENCE, logger: silent })
const server = createServer(service.app).listen(0, '127.0.0.1')
await once(server, 'listening')
try {
  console.log(await table())
} finally {
  server.closeAllConnections()
  server.close()
  await service.lifecycle.close()
  await issuer.stop()
}

/** What everybody gets, as a Markdown table. */
async function table() {
  const rows = [['', ...Object.keys(callers), 'nobody']]
  for (const request of requests) {
    const row = [`\`${request}\``]
    for (const [sub, claims] of Object.entries(callers)) {
      row.push(await statusOf(request, await issuer.token({ sub, ...claims })))
    }
    rows.push([...row, await statusOf(request)])
  }
  const widths = rows[0].map((_cell, column) => Math.max(3, ...rows.map((row) => row[column].length)))
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`)
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`)
  return lines.join('\n')
}

async function statusOf(request, token) {
  const [method, path] = request.split(' ')
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { port } = server.address()
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })
  await response.text()
  return String(response.status)
}
