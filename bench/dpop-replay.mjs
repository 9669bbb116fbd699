// Whether the memory of used DPoP proofs keeps its bound while distinct proofs never stop coming.
// node dpop-replay.mjs [proofs] [keys]; keys: how many callers made them, the more the worse
import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pathToFileURL } from 'node:url'

// The defaults of authenticate({ dpop }).
const MAX_PROOFS = 200_000
const KEEP_SECONDS = 71
const BOUND_MIB = 64

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const [proofs = '1000000', keys = '1000000'] = process.argv.slice(2)
const total = Number(proofs)
const { BENCH_LIBRARY = new URL('../dist/esm/index.js', import.meta.url).pathname } = process.env
const { MemoryReplays } = await import(
  new URL('./authentication/binding/replay/memory-replays.js', pathToFileURL(BENCH_LIBRARY)).href
)

await heldBy({ maxProofs: total, maxProofsPerKey: total })
const byDefault = await heldBy({ maxProofs: MAX_PROOFS, maxProofsPerKey: MAX_PROOFS / 40 })
const kept = byDefault.mib <= BOUND_MIB
console.log(
  `${kept ? 'kept  ' : 'MISSED'} ${byDefault.mib.toFixed(1)} MiB held at most, bound ${BOUND_MIB} MiB`,
)
process.exitCode = kept ? 0 : 1

async function heldBy(bounds) {
  const memory = new MemoryReplays()
  const emptyMib = heapMib()
  let refused = 0
  const startedMs = performance.now()
  for (let index = 0; index < total; index += 1) {
    try {
      memory.use(proofUse(index), { keepSeconds: KEEP_SECONDS, ...bounds })
    } catch {
      refused += 1
    }
  }
  const microseconds = ((performance.now() - startedMs) / total) * 1000
  const mib = heapMib() - emptyMib
  console.log(
    `at most ${bounds.maxProofs} proofs: ${memory.size} held, ${refused} refused, ${mib.toFixed(1)} MiB, ` +
      `${Math.round((mib * 1024 * 1024) / memory.size)} bytes each, ${microseconds.toFixed(1)} microseconds each`,
  )
  return { mib }
}

/** As the middleware makes it: the thumbprint's text is a new one with every request. */
function proofUse(index) {
  const key = createHash('sha256')
    .update(`key ${index % Number(keys)}`)
    .digest('base64url')
  return { name: createHash('sha256').update(`${key}.${index}`).digest('base64url'), key, request: {} }
}

function heapMib() {
  collectGarbage()
  return process.memoryUsage().heapUsed / 1024 / 1024
}
