import type { IncomingMessage } from 'node:http'
import { SecurityProblem } from '../../core/problem.js'
import { canonicalName } from './known-headers.js'

/** What gateways write where they have nothing to say: nothing, Apache's word, an empty byte sequence, a placeholder. */
const NOTHING = /^(?:|\(null\)|::|NONE|\{.*\})$/

interface Lines {
  readonly values: string[]
  /** Whether each line was written with this very name: `x_user_id` is a variant of it. */
  isExact: boolean
}

/** Header lines of one request, by canonical name, as they came. */
export class HeaderLines {
  readonly #lines = new Map<string, Lines>()

  /**
   * Notes the lines that `isNoted` names and takes those away from the request that `isTaken` names, from
   * `headers`, `headersDistinct` and `rawHeaders` alike.
   */
  static take(
    req: IncomingMessage,
    isTaken: (canonical: string) => boolean,
    isNoted: (canonical: string) => boolean,
  ): HeaderLines {
    const noted = new HeaderLines()
    // Node.js makes both from the raw lines when they are first asked for, with the number of lines there were.
    const { headers, headersDistinct, rawHeaders } = req
    let kept = 0
    for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
      const [name, value] = [rawHeaders[index] as string, rawHeaders[index + 1] as string]
      const canonical = canonicalName(name)
      const taken = isTaken(canonical)
      if (taken || isNoted(canonical)) noted.#add(name.toLowerCase(), canonical, value)
      if (taken) continue
      rawHeaders[kept] = name
      rawHeaders[kept + 1] = value
      kept += 2
    }
    rawHeaders.length = kept
    forget(headers, isTaken)
    forget(headersDistinct, isTaken)
    return noted
  }

  #add(name: string, canonical: string, value: string): void {
    const lines = this.#lines.get(canonical)
    const isExact = name === canonical
    if (lines === undefined) {
      this.#lines.set(canonical, { values: [value], isExact })
      return
    }
    lines.values.push(value)
    lines.isExact &&= isExact
  }

  /** Throws (400) where a header that must stand once stands twice, or in a spelling that could be taken for it. */
  checkOnce(header: string, several = false): void {
    const lines = this.#lines.get(header)
    if (lines === undefined || (lines.isExact && (several || lines.values.length === 1))) return
    throw new SecurityProblem('forwarded_header_repeated', {
      evidence: { header, lines: lines.values.length },
    })
  }

  /** The values of a header, as they came. */
  all(header: string): readonly string[] {
    return this.#lines.get(header)?.values ?? []
  }

  /** The value of a header that stands once; `undefined` where it says nothing. */
  only(header: string): string | undefined {
    this.checkOnce(header)
    const value = this.all(header)[0]
    return value === undefined || NOTHING.test(value) ? undefined : value
  }
}

/**
 * Throws (400) where Node.js may have cut headers off: it keeps 1000, or `server.maxHeadersCount`, and says nothing of
 * the rest, among which the hop's may be.
 */
export function checkComplete({ socket }: Pick<IncomingMessage, 'socket'>, length: number): void {
  const { maxHeadersCount } = (socket as { server?: { maxHeadersCount?: unknown } }).server ?? {}
  const most = typeof maxHeadersCount === 'number' ? maxHeadersCount : 1000
  if (most <= 0 || length < 2 * most) return
  throw new SecurityProblem('forwarded_header_malformed', {
    evidence: { problem: 'so many headers that some may be missing', lines: length / 2 },
  })
}

/** Writes a header as one line, of which there is none yet. */
export function writeHeader(req: IncomingMessage, name: string, value: string): void {
  req.headers[name] = value
  req.headersDistinct[name] = [value]
  req.rawHeaders.push(name, value)
}

/** The header names that `Connection` lists: a proxy on the way may have removed those (RFC 9110 section 7.6.1). */
export function namesInConnection({ headers }: IncomingMessage): readonly string[] {
  const { connection } = headers
  return connection === undefined ? [] : connection.split(',').map((name) => canonicalName(name.trim()))
}

function forget(headers: NodeJS.Dict<unknown>, isTaken: (canonical: string) => boolean): void {
  for (const name of Object.keys(headers)) {
    // Node.js made the object, of names that came from outside: only own members are here.
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- others hold on to this very object
    if (isTaken(canonicalName(name))) delete headers[name]
  }
}
