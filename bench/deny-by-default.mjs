// What denyByDefault adds to a request: the same applications with it and without it, side by side in one run.
// node deny-by-default.mjs [RS256 | ES256] [rounds] [requests]
import { spawnSync } from 'node:child_process'
import express from 'express'
import { library } from './library.mjs'
import { assertServes, measure } from './measure.mjs'
import { bulwarkSteps, created } from './stacks.mjs'
import { startIssuer } from './work.mjs'

const [algorithm = 'RS256', rounds = '200', requests = '100', only] = process.argv.slice(2)
const CALLERS = 50
const OTHERS = 200

const CASES = {
  'the whole chain': mountChain,
  'a public route alone': mountPublic,
  // Every layer is looked at with every request.
  [`a public route behind ${OTHERS} routes`]: mountLast,
  'a public route three routers deep': mountDeep,
}

if (only === undefined) inFreshProcesses()
else await compare(only)

/** One process for each comparison: what one leaves in the heap and in the compiler is not the next one's burden. */
function inFreshProcesses() {
  console.log(`${algorithm}, ${requests} requests x ${rounds} rounds, node ${process.version}`)
  console.log(line('CPU microseconds per request', 'without', 'with', 'added', 'ratio'))
  for (const name of Object.keys(CASES)) {
    const words = [import.meta.filename, algorithm, rounds, requests, name]
    const { status } = spawnSync(process.execPath, words, { stdio: 'inherit' })
    if (status !== 0) process.exitCode = 1
  }
}

async function compare(name) {
  const issuer = await startIssuer(algorithm)
  const apps = {
    without: applicationOf(CASES[name], issuer, false),
    with: applicationOf(CASES[name], issuer, true),
  }
  const tokens = Array.from({ length: CALLERS }, (_, index) => issuer.mint(`user-${index}`))
  await assertServes(apps, tokens[0])
  const cpu = await measure(apps, () => tokens, { rounds: Number(rounds), requests: Number(requests) })
  issuer.stop()
  const figures = [cpu.without, cpu.with, cpu.with - cpu.without].map((figure) => figure.toFixed(1))
  console.log(line(name, ...figures, (cpu.with / cpu.without).toFixed(2)))
}

function applicationOf(mount, issuer, isGuarded) {
  const app = express()
  app.disable('x-powered-by')
  if (isGuarded) library.denyByDefault(app)
  mount(app, issuer)
  app.use(library.secureErrors())
  return app
}

function mountChain(app, issuer) {
  const { auditLog, secureHeaders, authenticate, rateLimit, ...route } = bulwarkSteps(issuer)
  app.use(auditLog, secureHeaders, authenticate, rateLimit)
  app.post('/orders', route.requireScopes, route.json, route.validateBody, created)
}

function mountPublic(router) {
  router.post('/orders', library.publicRoute('bench'), created)
}

function mountLast(app) {
  for (let index = 0; index < OTHERS; index += 1)
    app.get(`/other-${index}`, library.publicRoute('bench'), created)
  mountPublic(app)
}

function mountDeep(app) {
  const routers = [express.Router(), express.Router(), express.Router()]
  app.use(routers[0])
  routers[0].use(routers[1])
  routers[1].use(routers[2])
  mountPublic(routers[2])
}

function line(name, ...figures) {
  return `${name.padEnd(36)}${figures.map((figure) => figure.padStart(9)).join('')}`
}
