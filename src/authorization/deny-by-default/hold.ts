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

/**
 * Holds back a response until something was decided. What is said before that is not sent, then or later: the headers
 * are cleared, the chunks dropped, and the refusal goes out in their place.
 *
 * The methods are replaced on this one response, and put back with the first answer that may go out.
 */
export function holdResponse(passage: Passage, requestIdOf: () => string): () => void {
  const { res } = passage
  const methods = res as unknown as Record<WayOut, Method | undefined>
  const originals = new Map<WayOut, Method>()
  const held = new Map<WayOut, Method>()
  let isRefused = false
  let isSending = false

  for (const name of WAYS_OUT) {
    const original = methods[name]
    if (typeof original !== 'function') continue
    originals.set(name, original)
    const replacement: Method = (...given) => {
      if (!isRefused && passage.mayBeAnswered) {
        lift()
        return original.apply(res, given)
      }
      if (isSending) return original.apply(res, given)
      if (isRefused) return dropped(name, given)
      if (name.startsWith('write') && name !== 'writeHead' && name !== 'write') return undefined
      refuse()
      return dropped(name, given)
    }
    held.set(name, replacement)
    Object.defineProperty(res, name, {
      value: replacement,
      configurable: true,
      writable: true,
      enumerable: false,
    })
  }
  return lift

  /** Whatever was put over a replacement stays, and finds it letting everything through. */
  function lift(): void {
    for (const [name, replacement] of held) {
      if (methods[name] === replacement) Reflect.deleteProperty(res, name)
    }
  }

  function refuse(): void {
    if (isPreflightAnswer(passage)) {
      isRefused = true
      clearHeaders(res, PREFLIGHT_HEADERS)
      send(204, undefined)
      return
    }
    const problem = passage.refuse(
      'answer_undecided',
      'a handler outside any route answered before anybody was authenticated: mount authentication before it',
    )
    isRefused = true
    clearHeaders(res, KEPT_HEADERS)
    send(problem.status, problem)
  }

  function send(status: number, problem: SecurityProblem | undefined): void {
    res.statusCode = status
    res.statusMessage = ''
    isSending = true
    try {
      end(problem === undefined ? undefined : writeProblem(res, problem, requestIdOf()))
    } finally {
      isSending = false
    }
  }

  function end(body: string | undefined): void {
    originals.get('end')?.call(res, passage.req.method === 'HEAD' ? undefined : body)
  }

  /** As the real one would answer, so that a stream that is piped in runs dry and nothing waits for it. */
  function dropped(name: WayOut, given: readonly unknown[]): unknown {
    const callback = given.find((value) => typeof value === 'function') as (() => void) | undefined
    if (callback !== undefined) queueMicrotask(callback)
    if (name === 'write') return true
    return name === 'end' || name === 'writeHead' ? res : undefined
  }
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
