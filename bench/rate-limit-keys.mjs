// Whether the memory of a limiter keeps its bound, and its cost stays flat, while distinct callers never stop coming; and
// whether whoever was refused before them stays refused.
// First callers come and go: the clock moves with them, tables turn, and each new key is an insertion. Then the clock
// stands, the table is full, the count that further keys share is used up, and each new key is a refusal.
// node rate-limit-keys.mjs [keys]
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { internal } from './library.mjs'

const BATCH = 1000
const BOUND_MIB = 64
const MOST = 1.5
const LIMIT = 5
const WINDOW_MS = 3_600_000
// Two generations of this many are held: fewer than the 100000 that a table has room for.
const BATCHES_A_WINDOW = 40
const rule = { algorithm: 'sliding', limit: LIMIT, windowMs: WINDOW_MS }

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const { MemoryLimiter } = await internal('stores/memory/limiter.js')

let nowMs = 1_000_000
performance.now = () => nowMs

const [count = '1000000'] = process.argv.slice(2)
const batches = Number(count) / BATCH
const tenth = Math.ceil(batches / 10)

const emptyMib = heapMib()
const coming = new MemoryLimiter()
const pass = () => {
  nowMs += WINDOW_MS / BATCHES_A_WINDOW
}
// Until its tables have grown and turned: a table that grows for the first time is dearer.
for (let batch = 0; batch < 3 * BATCHES_A_WINDOW; batch += 1, pass()) charge(coming, 'warm', batch)
const attackedMs = []
const insertions = flood(coming, 'inserted', () => {
  pass()
  if (take(coming, 'attacker')) attackedMs.push(nowMs)
})
tell(insertions.allowed === Number(count), `${insertions.allowed} of ${count} new keys were insertions`)
judge(insertions, 'insertions')
tell(
  attackedMs.every((ms, at) => at < LIMIT || ms - attackedMs[at - LIMIT] > WINDOW_MS),
  `who asks all the time passes ${LIMIT} times in a window, ${attackedMs.length} times in all`,
)
coming.clear()

const full = new MemoryLimiter()
for (let taken = 0; taken < LIMIT; taken += 1) take(full, 'attacker')
for (let batch = 0; batch < 101; batch += 1) charge(full, 'full', batch)
const refusals = flood(full, 'refused')
tell(refusals.allowed === 0, `${Number(count) - refusals.allowed} of ${count} new keys were refusals`)
judge(refusals, 'refusals')
tell(!take(full, 'attacker'), `who was refused before ${count} others is refused after them`)

/** Charges distinct keys, a batch at a time. */
function flood(limiter, word, afterBatch = () => undefined) {
  const spent = []
  let [allowed, mostMib] = [0, 0]
  for (let batch = 0; batch < batches; batch += 1) {
    const { microseconds, passed } = charge(limiter, word, batch)
    spent.push(microseconds)
    allowed += passed
    afterBatch()
    if ((batch + 1) % tenth !== 0) continue
    const heldMib = heapMib() - emptyMib
    mostMib = Math.max(mostMib, heldMib)
    const keys = String((batch + 1) * BATCH).padStart(8)
    const each = mean(spent.slice(-tenth)).toFixed(2)
    console.log(`${keys} ${word}, ${limiter.size} counted apart, ${heldMib.toFixed(1)} MiB, ${each} µs each`)
  }
  return { spent, allowed, mostMib }
}

function judge({ spent, mostMib }, what) {
  // Not the median: what a turn or a growing table costs falls on a few batches.
  const ratio = mean(spent.slice(-tenth)) / mean(spent.slice(0, tenth))
  tell(mostMib <= BOUND_MIB, `${what}: ${mostMib.toFixed(1)} MiB held at most, bound ${BOUND_MIB} MiB`)
  tell(ratio <= MOST, `${what}: the last tenth costs ${ratio.toFixed(2)} of the first, at most ${MOST}`)
}

function charge(limiter, word, batch) {
  let passed = 0
  const before = process.cpuUsage()
  for (let index = 0; index < BATCH; index += 1)
    if (take(limiter, `2001:db8:${word}:${batch}:${index}::/64`)) passed += 1
  const { user, system } = process.cpuUsage(before)
  return { microseconds: (user + system) / BATCH, passed }
}

function take(limiter, key) {
  return limiter.take([{ name: 'keys', rule, key, cost: 1 }]).allowed
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function heapMib() {
  collectGarbage()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

function tell(isKept, what) {
  console.log(`${isKept ? 'kept  ' : 'MISSED'} ${what}`)
  if (!isKept) process.exitCode = 1
}
