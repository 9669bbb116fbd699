// One limit in memory: this library's whole middleware beside express-rate-limit's, CPU time, in one process.
// node rate-limit.mjs [rounds] [requests]
import { loadavg } from 'node:os'
import express from 'express'
import { rateLimit as expressRateLimit } from 'express-rate-limit'
import { library } from './library.mjs'
import { cpuOf, line, lowestEighth, requestsTo, verdict } from './middleware.mjs'

const [rounds = '200', requests = '500'] = process.argv.slice(2)
const WARM_UP_ROUNDS = 40
const CALLERS = 50
const LIMIT = 1e9

const addresses = {
  IPv4: Array.from({ length: CALLERS }, (_, index) => `203.0.113.${index}`),
  IPv6: Array.from({ length: CALLERS }, (_, index) => `2001:db8:0:${index.toString(16)}::1`),
}

const own = (name, fields) =>
  library.rateLimit({ name, limit: LIMIT, windowSeconds: 60, by: 'address', fields })
const peer = (options) => expressRateLimit({ windowMs: 60_000, limit: LIMIT, ...options })

const limiters = {
  'this library (default: draft-10)': own('ours', 'draft-10'),
  'this library, X-RateLimit-*': own('ours-legacy', 'legacy'),
  'this library, no fields': own('ours-none', 'none'),
  'express-rate-limit (default: X-RateLimit-*)': peer({}),
  'express-rate-limit, draft-7': peer({ standardHeaders: 'draft-7', legacyHeaders: false }),
  'express-rate-limit, draft-8': peer({ standardHeaders: 'draft-8', legacyHeaders: false }),
}

const app = express()
const names = Object.keys(limiters)
const samples = new Map()
for (let round = 0; round < Number(rounds) + WARM_UP_ROUNDS; round += 1) {
  for (const family of Object.keys(addresses)) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length]
      const made = requestsTo(app, addresses[family], Number(requests))
      const spent = await cpuOf(limiters[name], made)
      if (round < WARM_UP_ROUNDS) continue
      const kept = samples.get(`${name} ${family}`) ?? []
      samples.set(`${name} ${family}`, [...kept, spent])
    }
  }
}

const load = loadavg().map((figure) => figure.toFixed(1))
console.log(`${requests} requests x ${rounds} rounds, node ${process.version}, load ${load.join(' ')}`)
console.log(line('CPU microseconds per request', ...Object.keys(addresses)))
const cpu = (name, family) => lowestEighth(samples.get(`${name} ${family}`))
for (const name of names)
  console.log(line(name, ...Object.keys(addresses).map((family) => cpu(name, family).toFixed(2))))

const [ours, , , theirs, , theirDraft] = names
verdict('defaults, IPv4', cpu(ours, 'IPv4') / cpu(theirs, 'IPv4'), 1)
verdict('defaults, IPv6', cpu(ours, 'IPv6') / cpu(theirs, 'IPv6'), 1)
verdict('draft-10 beside draft-8, IPv6', cpu(ours, 'IPv6') / cpu(theirDraft, 'IPv6'), 1 / 3)
