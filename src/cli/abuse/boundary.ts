import { failed, isLetThrough, isRefused, kept, notJudged, type Finding, type Limit } from './findings.js'
import type { Answer, Sender } from './sender.js'

/** Windows up to this, in **seconds**, are waited for. */
const SHORT = 10

const NO_ROOM = 'the run met its bounds'

export async function boundaryOf(sender: Sender, limit: Limit): Promise<Finding> {
  const { windowSeconds, limit: points, burst = 0, cost } = limit
  const most = Math.floor((points + burst) / cost)
  const promise = `at most ${most} in any ${windowSeconds} s`
  if (windowSeconds > SHORT) return notJudged(promise, `only windows of up to ${SHORT} s are waited for`)
  const runs = await proveBoundary(sender, windowSeconds, Math.floor(Math.max(points, burst) / cost))
  if (typeof runs === 'string') return notJudged(promise, runs)
  return judgeBoundary(promise, runs, windowSeconds, most)
}

/**
 * Two bursts around the end of a window: of one that begins with the first request, and of one that the clock begins.
 * A text says why there are none.
 */
async function proveBoundary(
  sender: Sender,
  windowSeconds: number,
  limit: number,
): Promise<readonly (readonly Answer[])[] | string> {
  const windowMs = windowSeconds * 1000
  const nearMs = Math.min(150, windowMs / 8)
  if (sender.left < 4 * (limit + 10)) return NO_ROOM
  // A sliding window may need a little more than its length until nothing is left in it.
  const emptyMs = windowMs * 1.05 + 50

  if (!(await sender.pause(emptyMs))) return NO_ROOM
  const opening = await sender.send(1)
  if (opening.some(isRefused)) return 'the caller is refused for longer than the window'
  const openedMs = opening[0]?.answeredMs ?? performance.now()
  if (!(await sender.pause(openedMs + windowMs - nearMs - performance.now()))) return NO_ROOM
  const lateInFirst = await sender.send(limit)
  if (!(await sender.pause(openedMs + windowMs + 10 - performance.now()))) return NO_ROOM
  const earlyInSecond = await sender.send(limit + 10)

  // Both windows are then over, whichever they are.
  const untilTurnMs = windowMs - (Date.now() % windowMs)
  const waitMs = untilTurnMs > emptyMs + nearMs ? untilTurnMs : untilTurnMs + 2 * windowMs
  if (!(await sender.pause(waitMs - nearMs))) return NO_ROOM
  const beforeTurn = await sender.send(limit)
  if (!(await sender.pause(windowMs - (Date.now() % windowMs) + 10))) return NO_ROOM
  const afterTurn = await sender.send(limit + 10)
  return [
    [...opening, ...lateInFirst, ...earlyInSecond],
    [...beforeTurn, ...afterTurn],
  ]
}

function judgeBoundary(
  promise: string,
  runs: readonly (readonly Answer[])[],
  windowSeconds: number,
  most: number,
): Finding {
  const peak = Math.max(
    ...runs.map((answers) => mostWithin(answers.filter(isLetThrough), windowSeconds * 1000)),
  )
  const says = `at most ${peak} let through in one window, around its end`
  return peak <= most ? kept(promise, says) : failed(promise, `${says}: a window that is fixed`)
}

/** Most that were certainly decided within one window: sent after it began, answered before it ended. */
export function mostWithin(answers: readonly Answer[], windowMs: number): number {
  const within = answers.map(
    ({ sentMs: beginMs }) =>
      answers.filter(({ sentMs, answeredMs }) => sentMs >= beginMs && answeredMs <= beginMs + windowMs)
        .length,
  )
  return Math.max(0, ...within)
}
