import { createHash, createHmac, type Hash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { ExpressParts } from '../../core/route.js'
import { SecurityProblem } from '../../core/problem.js'

const MAX_DEPTH = 64
const MAX_NODES = 100_000

type Parsed = IncomingMessage & ExpressParts & { readonly body?: unknown; readonly _body?: unknown }

/**
 * What a request asks for, as a digest: its method, its path and query as they came, and its parsed body. The order of
 * an object's fields makes no difference.
 *
 * Throws a `SecurityProblem`: 415 where a body came that nothing has parsed, 500 where that is JSON, or where a body is
 * not wholly in `req.body`; 413 where it is nested too deep or has too many values.
 */
export function fingerprintOf(req: IncomingMessage, secret: string | undefined): string {
  const { method, originalUrl, url } = req as Parsed
  const hash = digest(secret).update(JSON.stringify(['request', method, originalUrl ?? url]))
  const body = bodyOf(req)
  if (body === undefined) return hash.update('none').digest('base64url')
  if (typeof body === 'string') return hash.update('text').update(body).digest('base64url')
  if (body instanceof Uint8Array) return hash.update('bytes').update(body).digest('base64url')
  return hash.update('value').update(canonical(body)).digest('base64url')
}

/** What an answer is kept under. Whoever reads the store cannot tell whose it is, nor try keys where there is a secret. */
export function nameOf(parts: readonly (string | null)[], secret: string | undefined): string {
  return digest(secret)
    .update(JSON.stringify(['name', ...parts]))
    .digest('base64url')
}

function digest(secret: string | undefined): Hash | ReturnType<typeof createHmac> {
  return secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
}

function bodyOf(req: Parsed): unknown {
  const { body } = req
  // Something may have made a body of what came another way: it is a part of what is asked all the same.
  if (!hasBody(req)) return isNothing(body) ? undefined : body
  if (!isParsed(req)) throw unread(req)
  // Its files are somewhere else, and two uploads would look the same.
  if (/^\s*multipart\//i.test(req.headers['content-type'] ?? ''))
    throw misplaced('a multipart body is not wholly in req.body: leave idempotency() out of this route')
  return body
}

// As `express.json()` takes it where nothing else is said. One that is not well-formed no parser takes.
const JSON_TYPE = /^ *application\/json *(?:; *charset=[\w-]+ *)?$/i

/** Whoever sends what no parser takes is at fault, and makes no faults of the service at will. */
function unread({ headers }: Parsed): SecurityProblem {
  const problem = 'no parser read this body: mount express.json(), or what reads it, before idempotency()'
  if (JSON_TYPE.test(headers['content-type'] ?? '')) return misplaced(problem)
  return new SecurityProblem('media_type_unsupported', { evidence: { problem } })
}

function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && Number(length) !== 0
}

/** Express 4's parsers leave an empty object behind where they did not read the body. */
function isParsed(req: Parsed): boolean {
  const { body } = req
  return body !== undefined && (req._body === true || req.readableEnded || !isNothing(body))
}

function isNothing(body: unknown): boolean {
  if (body === undefined || body === null) return true
  return isPlain(body) && Object.keys(body).length === 0
}

function misplaced(problem: string): SecurityProblem {
  return new SecurityProblem('guard_order', { evidence: { problem } })
}

/** JSON with sorted names. What has no JSON is written in a way that no JSON is. */
function canonical(body: unknown): string {
  let nodes = 0
  return write(body, 1)

  function write(value: unknown, depth: number): string {
    nodes += 1
    if (nodes > MAX_NODES || depth > MAX_DEPTH)
      throw new SecurityProblem('body_too_deep', {
        evidence: {
          fault: depth > MAX_DEPTH ? 'too_deep' : 'too_many',
          maxDepth: MAX_DEPTH,
          maxNodes: MAX_NODES,
        },
      })
    // It escapes lone surrogates, which would all be one character in the digest.
    if (typeof value === 'string') return JSON.stringify(value)
    if (typeof value === 'bigint') return `${value}n`
    if (Object.is(value, -0)) return '-0'
    if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return String(value)
    if (Array.isArray(value)) return `[${Array.from(value, (item) => write(item, depth + 1)).join(',')}]`
    if (value instanceof Date) return `Date(${value.getTime()})`
    if (value instanceof Uint8Array) return `Bytes(${Buffer.from(value).toString('base64')})`
    if (!isPlain(value))
      throw misplaced('req.body holds what is no plain data: mount idempotency() before what makes it')
    const fields = Object.keys(value)
      .toSorted()
      .map((name) => `${JSON.stringify(name)}:${write(value[name], depth + 1)}`)
    return `{${fields.join(',')}}`
  }
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || (!Array.isArray(value) && Object.getPrototypeOf(prototype) === null)
}
