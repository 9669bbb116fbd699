import type { ServerResponse } from 'node:http'
import type { SecurityProblem } from '../../core/problem.js'
import type { Passage } from './passage.js'

/** Every way out of a response, short of its socket. */
const WAYS_OUT = [
  'writeHead',
  // Node's other name for it.
  'writeHeader',
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

// One for each response, however many guarded applications it passes through; the functions are shared by all.
const holds = new WeakMap<ServerResponse, ResponseHold>()
const REPLACEMENTS = WAYS_OUT.map(
  (name) =>
    function held(this: ServerResponse, ...given: unknown[]): unknown {
      // Asked of anything but the response itself, it says nothing.
      return holds.get(this)?.say(name, given)
    },
)

/** Holds the response of a passage back, and answers how to let go of it where the passage ends without an answer. */
export function holdResponse(passage: Passage, requestIdOf: (passage: Passage) => string): () => void {
  const { res } = passage
  const hold = holds.get(res) ?? new ResponseHold(res, requestIdOf)
  holds.set(res, hold)
  hold.add(passage)
  return () => {
    hold.remove(passage)
  }
}

/**
 * Holds back a response until something was decided. What is said before that is not sent, then or later: the headers
 * are cleared, the chunks dropped, and the refusal goes out in their place.
 *
 * The methods stay replaced: another library may have put its own over them, and would be cut off with them.
 */
class ResponseHold {
  readonly #res: ServerResponse
  readonly #originals: readonly (Method | undefined)[]
  readonly #requestIdOf: (passage: Passage) => string
  /** Those that have not let an answer out yet. */
  readonly #passages = new Set<Passage>()
  #isRefused = false

  constructor(res: ServerResponse, requestIdOf: (passage: Passage) => string) {
    this.#res = res
    this.#requestIdOf = requestIdOf
    const methods = methodsOf(res)
    this.#originals = WAYS_OUT.map((name) => methods[name])
    WAYS_OUT.forEach((name, index) => {
      if (this.#originals[index] !== undefined) methods[name] = REPLACEMENTS[index]
    })
  }

  add(passage: Passage): void {
    this.#passages.add(passage)
  }

  remove(passage: Passage): void {
    this.#passages.delete(passage)
  }

  say(name: WayOut, given: readonly unknown[]): unknown {
    if (this.#isRefused) return this.#dropped(name, given)
    const closed = this.#passages.size === 0 ? undefined : [...this.#passages].find(isClosed)
    if (closed === undefined) {
      // An answer that may begin may go on; a hint is no answer.
      if (!INFORMATIONAL.has(name)) this.#passages.clear()
      return this.#original(name, given)
    }
    if (INFORMATIONAL.has(name)) return undefined
    // Express would fall over an answer that was given in its place.
    if (!closed.isLeftToExpress) this.#refuse(closed)
    return this.#dropped(name, given)
  }

  #original(name: WayOut, given: readonly unknown[]): unknown {
    return this.#originals[WAYS_OUT.indexOf(name)]?.apply(this.#res, given as unknown[])
  }

  #refuse(passage: Passage): void {
    this.#isRefused = true
    // Something got round the replacements: half an answer must not pass for a whole one.
    if (this.#res.headersSent) {
      this.#res.destroy()
      return
    }
    if (isPreflightAnswer(passage)) {
      clearHeaders(this.#res, PREFLIGHT_HEADERS)
      this.#send(204)
      return
    }
    const problem = passage.refuse(
      'answer_undecided',
      'a handler outside any route answered before anybody was authenticated: mount authentication before it',
      passage.handler,
    )
    clearHeaders(this.#res, KEPT_HEADERS)
    const body = writeProblem(this.#res, problem, this.#requestIdOf(passage))
    this.#send(problem.status, passage.req.method === 'HEAD' ? undefined : body)
  }

  /** The head by itself: `end` would ask whatever was put over `writeHead`, which may add what was cleared. */
  #send(status: number, body?: string): void {
    this.#res.statusMessage = ''
    this.#original('writeHead', [status])
    this.#original('end', [body])
  }

  /** As Node.js answers after the end: nothing waits for room that never comes, and a callback learns that it failed. */
  #dropped(name: WayOut, given: readonly unknown[]): unknown {
    const callback = given.find((value) => typeof value === 'function') as
      ((error: Error) => void) | undefined
    if (callback !== undefined) setImmediate(callback, new Error('this answer was refused'))
    if (name === 'write') return false
    return name === 'flushHeaders' ? undefined : this.#res
  }
}

function isClosed(passage: Passage): boolean {
  return !passage.mayBeAnswered
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
