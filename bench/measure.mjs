// CPU time per request, in process, without sockets: the steadiest figure there is on a machine that others use too.
import inject from 'light-my-request'
import { order } from './work.mjs'

const payload = JSON.stringify(order)
const CONCURRENT = 20
const WARM_UP_ROUNDS = 30

export function send(app, token) {
  return inject(app, {
    method: 'POST',
    url: '/orders',
    remoteAddress: '127.0.0.1',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      host: 'orders.example',
    },
    payload,
  })
}

/** A stack that answers anything but 201 is not doing the work. */
export async function assertServes(apps, token) {
  for (const [name, app] of Object.entries(apps)) {
    const { statusCode, payload: answer } = await send(app, token)
    if (statusCode !== 201) throw new Error(`${name} answered ${statusCode}: ${answer}`)
  }
}

/**
 * Microseconds of CPU per request and stack, all threads counted.
 *
 * Stacks take turns in short rounds, each round beginning with another one, so that whatever disturbs the machine
 * disturbs all of them. The lowest eighth of the rounds is kept: noise only ever adds.
 */
export async function measure(apps, tokensOf, { rounds, requests }) {
  const entries = Object.entries(apps)
  const samples = new Map(entries.map(([name]) => [name, []]))
  for (let round = 0; round < rounds + WARM_UP_ROUNDS; round += 1) {
    const tokens = tokensOf(round)
    for (let turn = 0; turn < entries.length; turn += 1) {
      const [name, app] = entries[(round + turn) % entries.length]
      const spent = await cpuOf(app, tokens, requests)
      if (round >= WARM_UP_ROUNDS) samples.get(name).push(spent / requests)
    }
  }
  return Object.fromEntries([...samples].map(([name, values]) => [name, lowestEighth(values)]))
}

/** How many rounds of distinct tokens `measure` asks for. */
export function roundsInAll(rounds) {
  return rounds + WARM_UP_ROUNDS
}

async function cpuOf(app, tokens, requests) {
  const before = process.cpuUsage()
  for (let sent = 0; sent < requests; sent += CONCURRENT) {
    const batch = Array.from({ length: CONCURRENT }, (_, index) =>
      send(app, tokens[(sent + index) % tokens.length]),
    )
    await Promise.all(batch)
  }
  const { user, system } = process.cpuUsage(before)
  return user + system
}

function lowestEighth(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 3]
}
