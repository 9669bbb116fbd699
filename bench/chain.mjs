// What the whole chain costs beside bare Express, the floor and the stacks that users assemble today.
// node chain.mjs [RS256 | ES256] [repeated | new] [--rounds=200] [--requests=100] [--check]
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { floorRemembering, floorSameRecord, floorVerifying, floorWithJose } from './floor.mjs'
import { assertServes, measure, roundsInAll } from './measure.mjs'
import { auth0Stack, bare, bulwarkChain, expressJwtStack } from './stacks.mjs'
import { startIssuer } from './work.mjs'

const CALLERS = 50
const REMEMBERING = ['floorRemembering', 'floorSameRecord']

/** Most that this library may add to bare Express, as a multiple of what another stack adds. */
const TARGETS = {
  repeated: [
    ['the floor that remembers tokens', 'floorRemembering', 1.25],
    ['that floor with a record that names as much', 'floorSameRecord', undefined],
    ['the Auth0 stack', 'auth0Stack', 0.3],
  ],
  new: [["jose's own verification plus the floor", 'floorWithJose', 1.15]],
}

const STACKS = {
  bare,
  floorRemembering,
  floorSameRecord,
  floorVerifying,
  floorWithJose,
  auth0Stack,
  expressJwtStack,
  bulwark: bulwarkChain,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '200' },
    requests: { type: 'string', default: '100' },
    check: { type: 'boolean', default: false },
  },
})
const algorithms = positionals.filter((word) => ['RS256', 'ES256'].includes(word))
const modes = positionals.filter((word) => Object.hasOwn(TARGETS, word))

process.exitCode = (await main()) ? 0 : 1

async function main() {
  if (algorithms.length === 1 && modes.length === 1) {
    const kept = await compare(algorithms[0], modes[0])
    return kept || !values.check
  }
  return inFreshProcesses()
}

/** One process for each comparison: what one leaves in the heap and in the compiler is not the next one's burden. */
function inFreshProcesses() {
  let kept = true
  for (const algorithm of algorithms.length > 0 ? algorithms : ['RS256', 'ES256']) {
    for (const mode of modes.length > 0 ? modes : Object.keys(TARGETS)) {
      const options = process.argv.slice(2).filter((word) => word.startsWith('--'))
      const child = spawnSync(
        process.execPath,
        [...process.execArgv, import.meta.filename, algorithm, mode, ...options],
        { stdio: 'inherit' },
      )
      if (child.status !== 0) kept = false
    }
  }
  return kept
}

async function compare(algorithm, mode) {
  const rounds = Number(values.rounds)
  const requests = Number(values.requests)
  const issuer = await startIssuer(algorithm)
  const apps = {}
  // A memory that never forgets would be measured by how much it holds.
  const names = Object.keys(STACKS).filter((name) => mode === 'repeated' || !REMEMBERING.includes(name))
  for (const name of names) apps[name] = await STACKS[name](issuer)
  await assertServes(apps, issuer.mint('user-0'))
  const cpu = await measure(apps, tokenSource(issuer, mode, rounds, requests), { rounds, requests })
  issuer.stop()
  console.log(
    `\n${algorithm}, ${mode} tokens, ${requests} requests x ${rounds} rounds, node ${process.version}`,
  )
  printTable(cpu)
  return printTargets(cpu, TARGETS[mode])
}

/** The tokens of each round: always the same few, or every one new to every stack. All are signed beforehand. */
function tokenSource(issuer, mode, rounds, requests) {
  const mint = (_, index) => issuer.mint(`user-${index % CALLERS}`)
  if (mode === 'repeated') {
    const tokens = Array.from({ length: CALLERS }, mint)
    return () => tokens
  }
  const tokens = Array.from({ length: roundsInAll(rounds) * requests }, mint)
  return (round) => tokens.slice(round * requests, (round + 1) * requests)
}

function printTable(cpu) {
  console.log(`${'CPU microseconds per request'.padEnd(30)}${'all'.padStart(8)}${'added'.padStart(8)}`)
  for (const [name, all] of Object.entries(cpu)) {
    const added = (all - cpu.bare).toFixed(1)
    console.log(`${name.padEnd(30)}${all.toFixed(1).padStart(8)}${added.padStart(8)}`)
  }
}

function printTargets(cpu, targets) {
  const verdicts = targets.map(([described, name, most]) => {
    const ratio = (cpu.bulwark - cpu.bare) / (cpu[name] - cpu.bare)
    if (most === undefined) {
      console.log(`       ${ratio.toFixed(2)} of ${described}`)
      return true
    }
    const kept = ratio <= most
    console.log(`${kept ? 'kept  ' : 'MISSED'} ${ratio.toFixed(2)} of ${described}, at most ${most}`)
    return kept
  })
  return verdicts.every(Boolean)
}
