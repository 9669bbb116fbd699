import type { ServerResponse } from 'node:http'
import type { SecurityProblem } from '../../core/problem.js'
import type { Passage } from './passage.js'

/** Every way out of a response, short of its socket. */
const WAYS_OUT = [
  'writeHead',
  'write',
  'end',
  'flushHeaders',
  'writeEarlyHints',
  'writeContinue',
  'writeProcessing',
] as const

type WayOut = (typeof WAYS_OUT)[number]
type Method = (...given: unknown[]) => unknown

/** They say nothing of the answer, and are no answer. */
const INFORMATIONAL: ReadonlySet<WayOut> = new Set(['writeEarlyHints', 'writeContinue', 'writeProcessing'])

// What other layers said of the answer, whoever gives it. A handler's own headers may hold what it wanted to tell.
const KEPT_HEADERS = new Set([
  'content-security-policy',
  'cross-origin-resource-policy',
  'referrer-policy',
  'strict-transport-security',
  'x-content-type-options',
  'x-frame-options',
  'ratelimit',
  'ratelimit-policy',
  'access-control-allow-credentials',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'vary',
])
const PREFLIGHT_HEADERS = new Set([
  ...KEPT_HEADERS,
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-private-network',
  'access-control-max-age',
])

// Shared by all responses, so that holding one makes no functions.
const holds = new WeakMap<ServerResponse, ResponseHold>()
const REPLACEMENTS = WAYS_OUT.map(
  (name) =>
    function held(this: ServerResponse, ...given: unknown[]): unknown {
      // Asked of anything but the response itself, it says nothing.
      return holds.get(this)?.say(name, given)
    },
)

/**
 * Holds back a response until something was decided. What is said before that is not sent, then or later: the headers
 * are cleared, the chunks dropped, and the refusal goes out in their place.
 *
 * The methods are replaced on this one response, and put back with the first answer that may go out.
 */
export class ResponseHold {
  readonly #passage: Passage
  readonly #originals: readonly (Method | undefined)[]
  readonly #requestIdOf: (passage: Passage) => string
  #isRefused = false
  #isSending = false

  constructor(passage: Passage, requestIdOf: (passage: Passage) => string) {
    this.#passage = passage
    this.#requestIdOf = requestIdOf
    const methods = methodsOf(passage.res)
    this.#originals = WAYS_OUT.map((name) => methods[name])
    holds.set(passage.res, this)
    WAYS_OUT.forEach((name, index) => {
      if (this.#originals[index] !== undefined) methods[name] = REPLACEMENTS[index]
    })
  }

  /** Puts the methods back. Whatever was put over a replacement stays, and finds it letting everything through. */
  lift(): void {
    const methods = methodsOf(this.#passage.res)
    WAYS_OUT.forEach((name, index) => {
      if (methods[name] === REPLACEMENTS[index]) methods[name] = this.#originals[index]
    })
  }

  say(name: WayOut, given: readonly unknown[]): unknown {
    if (this.#isSending) return this.#original(name, given)
    if (this.#isRefused) return this.#dropped(name, given)
    if (this.#passage.mayBeAnswered) {
      this.lift()
      return this.#original(name, given)
    }
    if (INFORMATIONAL.has(name)) return undefined
    this.#refuse()
    return this.#dropped(name, given)
  }

  #original(name: WayOut, given: readonly unknown[]): unknown {
    return this.#originals[WAYS_OUT.indexOf(name)]?.apply(this.#passage.res, given as unknown[])
  }

  #refuse(): void {
    const { res } = this.#passage
    if (isPreflightAnswer(this.#passage)) {
      clearHeaders(res, PREFLIGHT_HEADERS)
      this.#send(204)
      return
    }
    const problem = this.#passage.refuse(
      'answer_undecided',
      'a handler outside any route answered before anybody was authenticated: mount authentication before it',
    )
    clearHeaders(res, KEPT_HEADERS)
    this.#send(problem.status, writeProblem(res, problem, this.#requestIdOf(this.#passage)))
  }

  #send(status: number, body?: string): void {
    const { req, res } = this.#passage
    this.#isRefused = true
    this.#isSending = true
    try {
      res.statusCode = status
      res.statusMessage = ''
      this.#original('end', [req.method === 'HEAD' ? undefined : body])
    } finally {
      this.#isSending = false
    }
  }

  /** As the real one would answer, so that a stream that is piped in runs dry and nothing waits for it. */
  #dropped(name: WayOut, given: readonly unknown[]): unknown {
    const callback = given.find((value) => typeof value === 'function') as (() => void) | undefined
    if (callback !== undefined) queueMicrotask(callback)
    if (name === 'write') return true
    return name === 'end' || name === 'writeHead' ? this.#passage.res : undefined
  }
}

function methodsOf(res: ServerResponse): Record<WayOut, Method | undefined> {
  return res as unknown as Record<WayOut, Method | undefined>
}

function writeProblem(res: ServerResponse, problem: SecurityProblem, requestId: string): string {
  const body = JSON.stringify({ ...problem.toJSON(), requestId })
  for (const [name, value] of Object.entries(problem.headers)) res.setHeader(name, value)
  res.setHeader('Content-Type', 'application/problem+json; charset=utf-8')
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('Content-Length', Buffer.byteLength(body))
  return body
}

/**
 * A CORS handler answers preflights before anybody is authenticated, for they carry no credential (Fetch section 3.3):
 * its headers may go out. They say what a browser may ask, and are all that does.
 */
function isPreflightAnswer({ req, res }: Passage): boolean {
  if (req.method !== 'OPTIONS' || req.headers.origin === undefined) return false
  return (
    req.headers['access-control-request-method'] !== undefined &&
    res.statusCode < 300 &&
    res.hasHeader('access-control-allow-methods')
  )
}

function clearHeaders(res: ServerResponse, kept: ReadonlySet<string>): void {
  for (const name of res.getHeaderNames()) {
    if (!kept.has(name.toLowerCase())) res.removeHeader(name)
  }
}
