// What authentication alone adds to bare Express with repeated tokens, beside express-oauth2-jwt-bearer.
// node authentication.mjs [RS256 | ES256] [rounds] [requests] [--check]
import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { library } from './library.mjs'
import { assertServes, measure } from './measure.mjs'
import { created } from './stacks.mjs'
import { AUDIENCE, startIssuer } from './work.mjs'

const numbers = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const [algorithm = 'RS256', rounds = '200', requests = '100'] = numbers
const CALLERS = 50
const TARGETS = { microseconds: 15, ofAuth0: 0.12 }

const issuer = await startIssuer(algorithm)
const { issuer: name, jwksUri } = issuer
const one = { issuer: name, audience: AUDIENCE, jwksUri }
const revocation = library.revocation()
const apps = {
  bare: chainOf(),
  'this library': chainOf(library.authenticate(one)),
  'with verifiers': chainOf(
    library.authenticate({
      verifiers: [library.jwtVerifier([one, { ...one, issuer: 'https://other.example' }])],
      revocation,
    }),
  ),
  'express-oauth2-jwt-bearer': chainOf(
    auth({ issuer: name, jwksUri, audience: AUDIENCE, tokenSigningAlg: algorithm }),
  ),
}
const tokens = Array.from({ length: CALLERS }, (_, index) => issuer.mint(`user-${index}`))
await assertServes(apps, tokens[0])
const cpu = await measure(apps, () => tokens, { rounds: Number(rounds), requests: Number(requests) })
issuer.stop()

const added = (stack) => cpu[stack] - cpu.bare
for (const stack of Object.keys(apps)) {
  const ratio = stack === 'bare' ? '' : (added(stack) / added('express-oauth2-jwt-bearer')).toFixed(3)
  console.log(`${stack.padEnd(28)}${added(stack).toFixed(1).padStart(8)}${ratio.padStart(8)}`)
}
const isKept =
  added('this library') <= TARGETS.microseconds &&
  added('this library') / added('express-oauth2-jwt-bearer') <= TARGETS.ofAuth0
console.log(isKept ? 'kept' : 'missed', TARGETS)
if (process.argv.includes('--check') && !isKept) process.exitCode = 1

function chainOf(...authentication) {
  const app = express()
  app.disable('x-powered-by')
  app.post('/orders', ...authentication, express.json(), created)
  return app
}
