import type { ServerResponse } from 'node:http'
import { isThenable } from '../../core/thenable.js'
import type { KeptAnswer } from './answers.js'

export interface CaptureRules {
  /** Lower-case names of the fields that are kept. */
  readonly headers: ReadonlySet<string>
  readonly maxBodyBytes: number
  /** Is told once, before anything is sent; `answer` is `undefined` where it is too large. It never throws or rejects. */
  settle(status: number, answer: KeptAnswer | undefined): void | Promise<void>
}

type Method = (...given: unknown[]) => unknown
type Way = 'write' | 'end' | 'writeHead' | 'flushHeaders'
type Callback = (error?: Error | null) => void

interface Said {
  readonly chunk: unknown
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
}

const NOTHING = new Uint8Array(0)
const MAX_HEADER_LENGTH = 16_384

/**
 * Holds an answer back until it is whole and settled, and sends it then as it would have gone out by itself. When it
 * grows larger than is kept, nothing is held any more: what there is goes out, and the rest as it comes.
 *
 * The methods stay replaced: another library may have put its own over them.
 */
export function captureAnswer(res: ServerResponse, rules: CaptureRules): void {
  new AnswerCapture(res, rules)
}

class AnswerCapture {
  readonly #res: ServerResponse
  readonly #rules: CaptureRules
  readonly #originals: Readonly<Record<Way, Method>>
  /** The fields as they were when the head was made. */
  #fields: KeptAnswer['headers'] | undefined
  #phase: 'holding' | 'settling' | 'open' = 'holding'
  #isEnded = false
  #chunks: Uint8Array[] = []
  #length = 0
  /** What to say when the answer may go, in order. */
  #waiting: (() => unknown)[] = []

  constructor(res: ServerResponse, rules: CaptureRules) {
    this.#res = res
    this.#rules = rules
    const methods = res as unknown as Record<Way, Method>
    const { write, end, writeHead, flushHeaders } = methods
    this.#originals = { write, end, writeHead, flushHeaders }
    methods.write = (...given) => this.#write(given)
    methods.end = (...given) => this.#end(given)
    methods.writeHead = (...given) => this.#writeHead(given)
    methods.flushHeaders = () => {
      if (this.#phase === 'open') this.#original('flushHeaders', [])
      else this.#fixHead()
    }
    // A handler that answered twice, or an error after the answer, must find it ended though it has not gone out.
    const prototype = Object.getPrototypeOf(res) as object
    Object.defineProperty(res, 'writableEnded', {
      configurable: true,
      get: () => this.#isEnded || Reflect.get(prototype, 'writableEnded', res) === true,
    })
  }

  #write(given: unknown[]): unknown {
    if (this.#phase === 'open') return this.#original('write', given)
    const { chunk, encoding, callback } = saidIn(given)
    if (this.#isEnded) return tooLate(callback)
    if (this.#phase === 'settling') return this.#wait('write', given)
    const bytes = bytesOf(chunk, encoding)
    // Node.js says what is wrong with it.
    if (bytes === undefined) return this.#original('write', given)
    this.#fixHead()
    if (this.#length + bytes.byteLength > this.#rules.maxBodyBytes) {
      this.#releaseChunks()
      this.#wait('write', given)
      return this.#settle(undefined) === true
    }
    this.#chunks.push(bytes)
    this.#length += bytes.byteLength
    if (callback !== undefined) process.nextTick(callback)
    return true
  }

  #end(given: unknown[]): unknown {
    if (this.#phase === 'open') return this.#original('end', given)
    const { chunk, encoding, callback } = saidIn(given)
    if (this.#isEnded) {
      if (callback !== undefined) this.#res.once('finish', callback)
      return this.#res
    }
    const bytes = isEmpty(chunk) ? NOTHING : bytesOf(chunk, encoding)
    if (bytes === undefined) return this.#original('end', given)
    if (this.#phase === 'settling') {
      this.#isEnded = true
      this.#wait('end', given)
      return this.#res
    }
    this.#fixHead(bytes.byteLength)
    this.#isEnded = true
    const answer = this.#answerWith(bytes)
    this.#releaseChunks()
    this.#wait('end', given)
    this.#settle(answer)
    return this.#res
  }

  #writeHead(given: unknown[]): unknown {
    // Now: what is under this, as `compression`, changes the head next, for a body that this never sees.
    if (!this.#res.headersSent) this.#fields = this.#keptFields(given)
    return this.#original('writeHead', given)
  }

  /** What is given to `writeHead` need not be among the fields of the response. */
  #keptFields(given: readonly unknown[]): KeptAnswer['headers'] {
    const over = new Map<string, string[]>()
    for (const [name, value] of fieldsIn(given.find((value, at) => at > 0 && typeof value === 'object'))) {
      const lower = name.toLowerCase()
      over.set(lower, [...(over.get(lower) ?? []), ...linesOf(value)])
    }
    return [...this.#rules.headers].flatMap((name): KeptAnswer['headers'] => {
      const values = over.get(name) ?? linesOf(this.#res.getHeader(name))
      return values.length === 0 ? [] : [[name, values]]
    })
  }

  /**
   * The head as it is now, as Node.js does at the first word of a body: it is made, and does not go out yet. A body that
   * is said at once has a length.
   */
  #fixHead(wholeLength?: number): void {
    const res = this.#res
    if (res.headersSent) return
    const mayHaveBody = res.statusCode !== 204 && res.statusCode !== 304
    const isFramed = ['content-length', 'transfer-encoding', 'trailer'].some((name) => res.hasHeader(name))
    if (wholeLength !== undefined && mayHaveBody && !isFramed) res.setHeader('Content-Length', wholeLength)
    res.writeHead(res.statusCode)
  }

  #answerWith(last: Uint8Array): KeptAnswer | undefined {
    const length = this.#length + last.byteLength
    if (length > this.#rules.maxBodyBytes) return undefined
    const kept = this.#fields ?? this.#keptFields([])
    if (JSON.stringify(kept).length > MAX_HEADER_LENGTH) return undefined
    return { status: this.#res.statusCode, headers: kept, body: joined([...this.#chunks, last], length) }
  }

  #releaseChunks(): void {
    for (const chunk of this.#chunks) this.#wait('write', [chunk])
    this.#chunks = []
  }

  #wait(way: 'write' | 'end', given: unknown[]): false {
    this.#waiting.push(() => this.#original(way, given))
    return false
  }

  /** What the last thing said was answered with, where nothing had to be waited for. */
  #settle(answer: KeptAnswer | undefined): unknown {
    this.#phase = 'settling'
    const settled = this.#rules.settle(this.#res.statusCode, answer)
    if (!isThenable(settled)) return this.#open()
    settled.then(this.#openLater.bind(this)).catch(() => {
      this.#res.destroy()
    })
    return undefined
  }

  #openLater(): void {
    const hasRoom = this.#open() === true
    // Who was told to wait hears of the room from us, unless Node.js is going to say so.
    if (hasRoom && !this.#isEnded) this.#res.emit('drain')
  }

  #open(): unknown {
    this.#phase = 'open'
    return this.#waiting
      .splice(0)
      .map((say) => say())
      .at(-1)
  }

  #original(way: Way, given: unknown[]): unknown {
    return this.#originals[way].apply(this.#res, given)
  }
}

function saidIn(given: readonly unknown[]): Said {
  const [chunk, encoding] = given
  const callback = given.find((value) => typeof value === 'function') as Callback | undefined
  return {
    chunk: typeof chunk === 'function' ? undefined : chunk,
    encoding: typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined,
    callback,
  }
}

function isEmpty(chunk: unknown): boolean {
  return chunk === undefined || chunk === null || chunk === ''
}

/** A copy: who wrote it may use its memory again as soon as it is told that it was written. */
function bytesOf(chunk: unknown, encoding: BufferEncoding | undefined): Uint8Array | undefined {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  return chunk instanceof Uint8Array ? Uint8Array.from(chunk) : undefined
}

/** In memory of its own: a small slice of a pool would keep the whole pool. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** As Node.js answers after the end. */
function tooLate(callback: Callback | undefined): false {
  if (callback !== undefined) process.nextTick(callback, new Error('write after end'))
  return false
}

/** The forms that `writeHead` takes: an object, a flat list, a list of pairs. */
function fieldsIn(given: unknown): readonly (readonly [string, unknown])[] {
  if (typeof given !== 'object' || given === null) return []
  if (!Array.isArray(given)) return Object.entries(given)
  const list = given as readonly unknown[]
  if (list.every((item) => Array.isArray(item)))
    return (list as readonly (readonly unknown[])[]).map(([name, value]) => [String(name), value])
  return list.flatMap((name, at) => (at % 2 === 0 ? [[String(name), list[at + 1]] as const] : []))
}

function linesOf(value: unknown): string[] {
  if (value === undefined || value === null) return []
  return [value as string | number | readonly string[]].flat().map(String)
}
