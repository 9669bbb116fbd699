// Whether the memory of verified tokens keeps its bound while distinct valid tokens never stop coming.
// node memory.mjs [tokens] [ES256 | EdDSA | RS256] [claims]; claims: plain (as most issuers') or rich (roles in objects)
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { library } from './library.mjs'
import { AUDIENCE, startIssuer } from './work.mjs'

const BATCH = 1000
const REPORTS = 20
// The defaults of authenticate({ verifiedTokens }).
const MAX_ENTRIES = 10_000
const BOUND_MIB = 32

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const [count = '1000000', algorithm = 'ES256', shape = 'plain'] = process.argv.slice(2)
const total = Number(count)
const issuer = await startIssuer(algorithm)
const auth = library.authenticate({ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience: AUDIENCE })

let signingMs = 0
await verifyBatch(0)
await auth.close() // forgets the tokens of the warm-up
const emptyMib = heapMib()
let mostMib = 0
const startedMs = performance.now()

for (let done = 0; done < total; done += BATCH) {
  await verifyBatch(done)
  const verified = done + BATCH
  if (verified % (total / REPORTS) !== 0 && verified !== MAX_ENTRIES) continue
  const heldMib = heapMib() - emptyMib
  mostMib = Math.max(mostMib, heldMib)
  console.log(`${String(verified).padStart(8)} tokens verified, ${heldMib.toFixed(1).padStart(6)} MiB held`)
}

const seconds = (performance.now() - startedMs) / 1000
const kept = mostMib <= BOUND_MIB
console.log(
  `${algorithm}, ${shape} claims, tokens of ${token('user-0').length} characters: ${seconds.toFixed(0)} s, ` +
    `${(signingMs / 1000).toFixed(0)} s of them to sign`,
)
console.log(`${kept ? 'kept  ' : 'MISSED'} ${mostMib.toFixed(1)} MiB held at most, bound ${BOUND_MIB} MiB`)
await auth.close()
issuer.stop()
process.exitCode = kept ? 0 : 1

async function verifyBatch(first) {
  const began = performance.now()
  const tokens = Array.from({ length: BATCH }, (_, index) => token(`user-${first + index}`))
  signingMs += performance.now() - began
  await Promise.all(tokens.map((text) => auth.verifyRequest(requestWith(text))))
}

/** As much of a request as authentication looks at. */
function requestWith(text) {
  const authorization = `Bearer ${text}`
  return {
    method: 'GET',
    url: '/',
    headers: { authorization },
    rawHeaders: ['Authorization', authorization],
    socket: { remoteAddress: '127.0.0.1' },
  }
}

function token(subject) {
  return issuer.mint(subject, shape === 'rich' ? { resource_access: roles() } : {})
}

/** Keycloak's way to name roles: an object for each client. */
function roles() {
  const clients = Array.from({ length: 40 }, (_, index) => [`service-${index}`, { roles: ['reader'] }])
  return Object.fromEntries(clients)
}

function heapMib() {
  collectGarbage()
  return process.memoryUsage().heapUsed / 1024 / 1024
}
