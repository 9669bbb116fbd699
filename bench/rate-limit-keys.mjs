// Whether the memory of a limiter keeps its bound, and its cost stays flat, while distinct callers never stop coming; and
// whether whoever was refused before them stays refused.
// node rate-limit-keys.mjs [keys]
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { internal } from './library.mjs'
import { median } from './middleware.mjs'

const BATCH = 1000
const BOUND_MIB = 64
const MOST = 1.5
const LIMIT = 5
const rule = { algorithm: 'sliding', limit: LIMIT, windowMs: 3_600_000 }

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const { MemoryLimiter } = await internal('stores/memory/limiter.js')

const [count = '1000000'] = process.argv.slice(2)
const batches = Number(count) / BATCH
const warm = new MemoryLimiter()
for (let batch = 0; batch < 50; batch += 1) charge(warm, batch)
warm.clear()

const limiter = new MemoryLimiter()
const emptyMib = heapMib()
for (let taken = 0; taken < LIMIT; taken += 1) take(limiter, 'attacker')
const spent = []
let mostMib = 0
for (let batch = 0; batch < batches; batch += 1) {
  spent.push(charge(limiter, batch))
  if ((batch + 1) % Math.ceil(batches / 10) !== 0) continue
  const heldMib = heapMib() - emptyMib
  mostMib = Math.max(mostMib, heldMib)
  const recent = median(spent.slice(-Math.ceil(batches / 10)))
  const keys = String((batch + 1) * BATCH).padStart(8)
  console.log(
    `${keys} keys, ${limiter.size} counted apart, ${heldMib.toFixed(1)} MiB, ${recent.toFixed(2)} µs each`,
  )
}

const tenth = Math.ceil(batches / 10)
const ratio = median(spent.slice(-tenth)) / median(spent.slice(0, tenth))
tell(mostMib <= BOUND_MIB, `${mostMib.toFixed(1)} MiB held at most, bound ${BOUND_MIB} MiB`)
tell(ratio <= MOST, `the last tenth costs ${ratio.toFixed(2)} of the first, at most ${MOST}`)
tell(!take(limiter, 'attacker').allowed, 'who was refused before a million others is refused after them')

function charge(counts, batch) {
  const before = process.cpuUsage()
  for (let index = 0; index < BATCH; index += 1) take(counts, `2001:db8:${batch}:${index}::/64`)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / BATCH
}

function take(counts, key) {
  return counts.take([{ name: 'keys', rule, key, cost: 1 }])
}

function heapMib() {
  collectGarbage()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

function tell(isKept, what) {
  console.log(`${isKept ? 'kept  ' : 'MISSED'} ${what}`)
  if (!isKept) process.exitCode = 1
}
