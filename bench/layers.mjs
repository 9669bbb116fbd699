// What each middleware of the chain adds: the chain grows by one step at a time, all lengths measured side by side.
// node layers.mjs [RS256 | ES256] [rounds] [requests]
import express from 'express'
import { assertServes, measure } from './measure.mjs'
import { bulwarkSteps, created } from './stacks.mjs'
import { startIssuer } from './work.mjs'

const [algorithm = 'RS256', rounds = '200', requests = '100'] = process.argv.slice(2)
const CALLERS = 50
// The body parser is in bare Express too; every chain has it in its place.
const PARSER = 'json'

const issuer = await startIssuer(algorithm)
const names = Object.keys(bulwarkSteps(issuer)).filter((name) => name !== PARSER)
const apps = { bare: chainOf([]) }
for (let length = 1; length <= names.length; length += 1) {
  apps[names[length - 1]] = chainOf(names.slice(0, length))
}

const tokens = Array.from({ length: CALLERS }, (_, index) => issuer.mint(`user-${index}`))
await assertServes(apps, tokens[0])
const cpu = await measure(apps, () => tokens, { rounds: Number(rounds), requests: Number(requests) })
issuer.stop()

let before = cpu.bare
for (const [name, all] of Object.entries(cpu)) {
  console.log(`${name.padEnd(20)}${all.toFixed(1).padStart(8)}${(all - before).toFixed(1).padStart(8)}`)
  before = all
}

function chainOf(mounted) {
  const steps = bulwarkSteps(issuer)
  const isMounted = (name) => name === PARSER || mounted.includes(name)
  const app = express()
  app.disable('x-powered-by')
  for (const name of ['auditLog', 'secureHeaders', 'authenticate', 'rateLimit'].filter(isMounted))
    app.use(steps[name])
  app.post(
    '/orders',
    ...['requireScopes', PARSER, 'validateBody'].filter(isMounted).map((name) => steps[name]),
    created,
  )
  return app
}
