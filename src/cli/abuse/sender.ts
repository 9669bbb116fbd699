import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { CommandFailure, EXIT } from '../failure.js'
import type { Body } from './body.js'
import { fieldsIn, type ToldFields } from './fields.js'
import { isLoopback, type Target } from './target.js'

/** The bounds of a run, whatever it was asked for. */
export interface Bounds {
  readonly requests: number
  readonly seconds: number
  readonly atOnce: number
  /** How long one request may be without an answer, whatever else comes meanwhile, in **milliseconds**. */
  readonly waitMs: number
  /** How long the rest of an answer may take, once its head is there, in **milliseconds**. */
  readonly restMs: number
}

export const BOUNDS: Bounds = { requests: 5000, seconds: 120, atOnce: 50, waitMs: 10_000, restMs: 500 }

const MOST_BODY_BYTES = 1_000_000

/** One answer, and between which two moments it was decided, in **milliseconds**. */
export interface Answer {
  /** `undefined`: there was none. */
  readonly status: number | undefined
  /** Why there was none. */
  readonly problem: string | undefined
  readonly sentMs: number
  readonly answeredMs: number
  /** Which of the targets answered. */
  readonly target: number
  readonly retryAfter: string | undefined
  readonly fields: ToldFields
}

/** What every request of a run is. */
export interface Asked {
  readonly targets: readonly Target[]
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body | undefined
}

export interface Sender {
  /** So many requests, to the targets in turn, so many at a time as there may be. Fewer where a bound is met. */
  send(count: number, extra?: () => Readonly<Record<string, string>>): Promise<readonly Answer[]>
  /** Waits; `false`, at once, where the run would then be over its time. */
  pause(milliseconds: number): Promise<boolean>
  /** How many more requests there may be. */
  readonly left: number
  /** Rejects when the time of the run is over; what is under way is broken off then. */
  readonly timeIsOver: Promise<never>
  close(): void
}

/** Sends through connections of its own: no proxy of the environment, no redirect, no address that was not looked at. */
export function senderTo({ targets, method, headers, body }: Asked, bounds: Bounds = BOUNDS): Sender {
  const agents = [
    new HttpAgent({ keepAlive: true, maxSockets: bounds.atOnce }),
    new HttpsAgent({ keepAlive: true, maxSockets: bounds.atOnce }),
  ] as const
  const startedMs = performance.now()
  const end = new AbortController()
  // As many as there are requests under way, which are bounded.
  setMaxListeners(0, end.signal)
  const isOver = (inMs = 0): boolean =>
    end.signal.aborted || performance.now() - startedMs + inMs > bounds.seconds * 1000
  let left = bounds.requests
  let turn = 0

  let timer: NodeJS.Timeout | undefined
  const timeIsOver = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(tookTooLong(bounds.seconds))
      close()
    }, bounds.seconds * 1000)
  })
  // Whoever waits for it hears of it; nobody has to.
  timeIsOver.catch(() => undefined)

  function close(): void {
    clearTimeout(timer)
    end.abort()
    for (const agent of agents) agent.destroy()
  }

  function sendOne(extra: Readonly<Record<string, string>>): Promise<Answer> {
    const target = turn % targets.length
    turn += 1
    left -= 1
    const { url, addresses } = targets[target] as Target
    const isSecure = url.protocol === 'https:'
    const lookup: LookupFunction = (_host, { all }, answer) => {
      const [first = { address: '127.0.0.1', family: 4 }] = addresses
      if (all === true) answer(null, [...addresses])
      else answer(null, first.address, first.family)
    }
    const sentMs = performance.now()
    return new Promise((resolve) => {
      const options = {
        method,
        // What is given takes precedence: a junk address must not replace the caller's.
        headers: { 'user-agent': 'express-bulwark abuse', ...body?.headers, ...extra, ...headers },
        lookup,
        signal: end.signal,
      }
      const asked = isSecure
        ? requestHttps(url, { ...options, agent: agents[1] })
        : requestHttp(url, { ...options, agent: agents[0] })
      // Of the whole head: a time-out of the socket begins anew with each byte, and with each 103.
      const patience = setTimeout(() => {
        asked.destroy(new Error(`nothing within ${bounds.waitMs / 1000} s`))
      }, bounds.waitMs)
      const settle = (response?: IncomingMessage, problem?: string): void => {
        clearTimeout(patience)
        const answeredMs = performance.now()
        const { statusCode: status, headers: received = {} } = response ?? {}
        const retryAfter = received['retry-after']
        resolve({ status, problem, sentMs, answeredMs, target, retryAfter, fields: fieldsIn(received) })
      }
      asked.on('response', (response) => {
        const isHere = isLoopback(response.socket.remoteAddress ?? '')
        settle(isHere ? response : undefined, isHere ? undefined : 'it is not this machine that answered')
        if (isHere) readOut(response, bounds.restMs)
        else asked.destroy()
      })
      asked.on('error', (cause) => {
        settle(undefined, problemOf(cause))
      })
      asked.on('close', () => {
        settle(undefined, 'the connection was closed')
      })
      asked.end(body?.bytes)
    })
  }

  return {
    get left() {
      return left
    },
    timeIsOver,
    async send(count, extra = () => ({})) {
      const answers: Answer[] = []
      let begun = 0
      const work = async (): Promise<void> => {
        while (begun < count && left > 0 && !isOver()) {
          begun += 1
          answers.push(await sendOne(extra()))
        }
      }
      await Promise.all(Array.from({ length: Math.min(count, bounds.atOnce) }, work))
      return answers
    },
    async pause(milliseconds) {
      if (isOver(milliseconds)) return false
      return wait(Math.max(0, milliseconds), true, { signal: end.signal }).catch(() => false)
    },
    close,
  }
}

/** An answer has said all when its head is there: a rest that is long, or never ends, is broken off. */
function readOut(response: IncomingMessage, restMs: number): void {
  const patience = setTimeout(() => response.destroy(), restMs)
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MOST_BODY_BYTES) response.destroy()
  })
  response.on('error', () => undefined)
  response.on('close', () => {
    clearTimeout(patience)
  })
}

function problemOf({ code, message }: NodeJS.ErrnoException): string {
  return code ?? message
}

function tookTooLong(seconds: number): CommandFailure {
  return new CommandFailure(
    EXIT.findings,
    `The run was ended after ${seconds} seconds: the limit is not proven.`,
    'Start the service with a smaller limit, and answers that come at once.',
  )
}
