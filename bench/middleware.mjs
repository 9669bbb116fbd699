// A limiter's middleware by itself, on Express's own request and response objects that were made beforehand: what
// surrounds it would hide it.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

/** Requests as an Express application hands them on, from these addresses in turn. */
export function requestsTo(app, addresses, count, first = 0) {
  return Array.from({ length: count }, (_, index) => {
    const socket = new Socket()
    const remoteAddress = addresses[(first + index) % addresses.length]
    Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
    const req = Object.setPrototypeOf(new IncomingMessage(socket), app.request)
    Object.assign(req, { method: 'GET', url: '/orders', originalUrl: '/orders', headers: { host: 'a.test' } })
    const res = Object.setPrototypeOf(new ServerResponse(req), app.response)
    Object.assign(req, { app, res })
    Object.assign(res, { app, req })
    return { req, res }
  })
}

/** Microseconds of CPU per request, all threads counted. A limiter that refuses or fails is not doing the work. */
export async function cpuOf(middleware, requests) {
  let passed = 0
  const { promise, resolve, reject } = deferred()
  const next = (cause) => {
    if (cause !== undefined) reject(cause)
    passed += 1
    if (passed === requests.length) resolve()
  }
  const before = process.cpuUsage()
  for (const { req, res } of requests) middleware(req, res, next)
  await promise
  const { user, system } = process.cpuUsage(before)
  return (user + system) / requests.length
}

export function lowestEighth(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 3]
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}

export function line(name, ...figures) {
  return `${name.padEnd(44)}${figures.map((figure) => String(figure).padStart(10)).join('')}`
}

export function verdict(name, ratio, most) {
  const kept = ratio <= most
  if (!kept) process.exitCode = 1
  console.log(`${kept ? 'kept  ' : 'MISSED'} ${name}: ${ratio.toFixed(2)}, at most ${most.toFixed(2)}`)
}

function deferred() {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}
