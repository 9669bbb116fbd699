import { Agent as HttpAgent, request as requestHttp, type IncomingHttpHeaders } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { fieldsIn, type ToldFields } from './fields.js'
import { isLoopback, type Target } from './target.js'

// The bounds of a run, whatever it was asked for.
export const MOST_REQUESTS = 5000
export const MOST_SECONDS = 120
export const MOST_AT_ONCE = 50

const MOST_BODY_BYTES = 1_000_000
const LONGEST_WAIT_MS = 10_000

/** One answer, and between which two moments it was decided, in **milliseconds**. */
export interface Answer {
  /** `undefined`: there was none. */
  readonly status: number | undefined
  readonly sentMs: number
  readonly answeredMs: number
  /** Which of the targets answered. */
  readonly target: number
  readonly retryAfter: string | undefined
  readonly fields: ToldFields
}

export interface Sender {
  /** So many requests, to the targets in turn, at most `MOST_AT_ONCE` at a time. Fewer where a bound is met. */
  send(count: number, extra?: () => Readonly<Record<string, string>>): Promise<readonly Answer[]>
  /** Waits; `false`, at once, where the run would then be over its time. */
  pause(milliseconds: number): Promise<boolean>
  /** How many more requests there may be. */
  readonly left: number
  close(): void
}

/** Sends through connections of its own: no proxy of the environment, no redirect, no address that was not looked at. */
export function senderTo(
  targets: readonly Target[],
  method: string,
  headers: Readonly<Record<string, string>>,
): Sender {
  const agents = [
    new HttpAgent({ keepAlive: true, maxSockets: MOST_AT_ONCE }),
    new HttpsAgent({ keepAlive: true, maxSockets: MOST_AT_ONCE }),
  ] as const
  const startedMs = performance.now()
  const isOver = (inMs = 0): boolean => performance.now() - startedMs + inMs > MOST_SECONDS * 1000
  let left = MOST_REQUESTS
  let turn = 0

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
      const settle = (status?: number, received: IncomingHttpHeaders = {}): void => {
        const answeredMs = performance.now()
        const retryAfter = received['retry-after']
        resolve({ status, sentMs, answeredMs, target, retryAfter, fields: fieldsIn(received) })
      }
      const options = {
        method,
        // What is given takes precedence: a junk address must not replace the caller's.
        headers: { 'user-agent': 'express-bulwark abuse', ...extra, ...headers },
        lookup,
        timeout: LONGEST_WAIT_MS,
      }
      const asked = isSecure
        ? requestHttps(url, { ...options, agent: agents[1] })
        : requestHttp(url, { ...options, agent: agents[0] })
      asked.on('response', (response) => {
        if (isLoopback(response.socket.remoteAddress ?? '')) settle(response.statusCode, response.headers)
        else asked.destroy(new Error('not this machine'))
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MOST_BODY_BYTES) response.destroy()
        })
        response.on('error', () => {
          settle()
        })
      })
      asked.on('timeout', () => asked.destroy(new Error('no answer')))
      asked.on('error', () => {
        settle()
      })
      asked.end()
    })
  }

  return {
    get left() {
      return left
    },
    async send(count, extra = () => ({})) {
      const answers: Answer[] = []
      let begun = 0
      const work = async (): Promise<void> => {
        while (begun < count && left > 0 && !isOver()) {
          begun += 1
          answers.push(await sendOne(extra()))
        }
      }
      await Promise.all(Array.from({ length: Math.min(count, MOST_AT_ONCE) }, work))
      return answers
    },
    async pause(milliseconds) {
      if (isOver(milliseconds)) return false
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)))
      return true
    },
    close() {
      for (const agent of agents) agent.destroy()
    },
  }
}
