import { randomBytes, randomUUID } from 'node:crypto'
import {
  broken,
  failed,
  isLetThrough,
  isRefused,
  kept,
  notJudged,
  refilled,
  secondsIn,
  type Finding,
  type Limit,
} from './findings.js'
import type { Answer, Sender } from './sender.js'

const MOST = 300
const FEWEST = 30

/** Once a caller is refused: whether it gets further as somebody it made up, or after many whom it made up. */
export async function proveJunk(sender: Sender, limit: Limit, before: readonly Answer[]): Promise<Finding> {
  const promise = 'invented callers change nothing'
  if (!before.some(isRefused)) return notJudged(promise, 'nobody was refused')
  const count = Math.min(MOST, Math.max(FEWEST, limit.expected))
  const junk = await sender.send(count, junkHeaders)
  const [after] = await sender.send(1)
  if (junk.length < count || after === undefined) return notJudged(promise, 'the run met its bounds')
  const own = [...before, after]
  if (limit.burst === undefined && (!limit.isFresh || broken(own, limit) !== undefined))
    return notJudged(promise, 'points may have come back in the meantime')
  const most = refilled(limit, secondsIn(own))
  const isAdmitted = admissionBy(before)
  const passed = junk.filter(isAdmitted).length
  if (passed > most)
    return failed(
      promise,
      `${passed} of ${count} with a random X-Forwarded-For and X-Api-Key were let through; where a proxy sets the ` +
        'address, give one with --header',
    )
  if (most === 0 && isAdmitted(after))
    return failed(promise, `after ${count} of them the caller was let through`)
  if (most === 0 && !isRefused(after))
    return notJudged(promise, `the caller was then answered ${after.status ?? 'nothing'}`)
  return kept(promise, `${count} with a random X-Forwarded-For and X-Api-Key: the caller stays refused`)
}

/**
 * An invented key that authentication refuses got nowhere, unless the caller itself was let through to the same answer: at a
 * login that is a guess.
 */
function admissionBy(before: readonly Answer[]): (answer: Answer) => boolean {
  const own = new Set(before.filter(isLetThrough).map(({ status }) => status))
  return (answer) =>
    isLetThrough(answer) && (own.has(answer.status) || ![400, 401, 403].includes(answer.status ?? 0))
}

/** What a caller may claim to be. A field that the run was given is not replaced by it. */
function junkHeaders(): Readonly<Record<string, string>> {
  const address = `203.0.${[...randomBytes(2)].join('.')}`
  return {
    'x-forwarded-for': address,
    forwarded: `for=${address}`,
    'x-real-ip': address,
    'true-client-ip': address,
    'cf-connecting-ip': address,
    'x-api-key': randomUUID(),
    'user-agent': randomUUID(),
  }
}
