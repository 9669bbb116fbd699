import type { ServerResponse } from 'node:http'
import { isThenable } from '../../core/thenable.js'
import { headOf, likenessOf, putHead, type AnswerHolder, type Head } from '../late-answer.js'
import type { KeptAnswer } from './answers.js'
import { keptFields } from './kept-fields.js'
import { frees, mayHaveBody } from './statuses.js'

export interface CaptureRules {
  /** Lower-case names of the fields that are kept. */
  readonly headers: ReadonlySet<string>
  readonly maxBodyBytes: number
  /**
   * Is told once, when the handler has ended its answer and before that end is sent; `answer` is `undefined` where it is
   * too large. It never throws or rejects.
   */
  settle(status: number, answer: KeptAnswer | undefined): void | Promise<void>
  /** Is told where the handler failed before it ended its answer. It may go on all the same, and `settle` be told then. */
  release(): void
}

type Method = (...given: unknown[]) => unknown
type Way = (typeof WAYS)[number]
type Callback = (error?: Error | null) => void

interface Said {
  readonly chunk: unknown
  readonly encoding: BufferEncoding | undefined
  readonly callback: Callback | undefined
}

const WAYS = ['writeHead', 'flushHeaders', 'write', 'end'] as const
const NOTHING = new Uint8Array(0)
const MAX_HEADER_LENGTH = 16_384

/**
 * Holds an answer back until it is whole and settled, and sends it then as it would have gone out by itself. When it
 * grows larger than is kept, only its end is held: what there is goes out, and the rest as it comes.
 *
 * The methods stay replaced: another library may have put its own over them.
 */
export function captureAnswer(res: ServerResponse, rules: CaptureRules): AnswerCapture {
  return new AnswerCapture(res, rules)
}

class AnswerCapture implements AnswerHolder {
  readonly #res: ServerResponse
  readonly #rules: CaptureRules
  readonly #originals: Readonly<Record<Way, Method>>
  /** The head as it was before the handler said anything. */
  readonly #before: Head
  /** Where the head was made that is held. */
  #draft: ServerResponse | undefined
  /** The fields as they were when the head was made. */
  #fields: KeptAnswer['headers'] | undefined
  #phase: 'holding' | 'flowing' | 'settling' | 'open' = 'holding'
  #isEnded = false
  #chunks: Uint8Array[] = []
  #length = 0
  /** What to say when the answer may go, in order. */
  #waiting: (readonly [Way, unknown[]])[] = []
  /** Takes what is said in the place of the response. */
  #late: ServerResponse | undefined

  constructor(res: ServerResponse, rules: CaptureRules) {
    this.#res = res
    this.#rules = rules
    this.#before = headOf(res)
    const methods = methodsOf(res)
    const { writeHead, flushHeaders, write, end } = methods
    this.#originals = { writeHead, flushHeaders, write, end }
    for (const way of WAYS) methods[way] = (...given) => this.#say(way, given)
    // Node's other name for it.
    Object.assign(res, { writeHeader: methods.writeHead })
    // A handler that answered twice, or an error after the answer, must find it ended though it has not gone out.
    const prototype = Object.getPrototypeOf(res) as object
    Object.defineProperty(res, 'writableEnded', {
      configurable: true,
      get: () => this.#isEnded || Reflect.get(prototype, 'writableEnded', res) === true,
    })
  }

  get isHolding(): boolean {
    return this.#phase === 'holding'
  }

  get holdsHead(): boolean {
    return this.isHolding && this.#draft !== undefined
  }

  /** The handler failed. What it ended before counts all the same. */
  giveUp(): void {
    if (!this.#isEnded) this.#rules.release()
  }

  handOver(late: ServerResponse): void {
    if (!this.isHolding) return
    this.#releaseChunks()
    // Before a head is made, middlewares may have set fields that are not the handler's.
    if (this.#dropHead()) putHead(this.#res, this.#before)
    this.#late = late
    for (const [way, given] of this.#waiting.splice(0)) this.#say(way, given)
  }

  letGo(): void {
    const { writeHead } = this.#originals
    if (this.#late !== undefined) Object.assign(this.#res, this.#originals, { writeHeader: writeHead })
  }

  #say(way: Way, given: unknown[]): unknown {
    if (this.#late !== undefined) {
      const answer = methodsOf(this.#late)[way](...given)
      return answer === this.#late ? this.#res : answer
    }
    if (this.#phase === 'open') return this.#original(way, given)
    if (way === 'end') return this.#end(given)
    if (this.#phase === 'flowing') return this.#original(way, given)
    if (way === 'write') return this.#write(given)
    if (way === 'writeHead') return this.#writeHead(given)
    this.#fixHead()
    return undefined
  }

  #write(given: unknown[]): unknown {
    const { chunk, encoding, callback } = saidIn(given)
    if (this.#isEnded) return tooLate(callback)
    const bytes = bytesOf(chunk, encoding)
    // Node.js says what is wrong with it.
    if (bytes === undefined) return this.#original('write', given)
    this.#fixHead()
    if (this.#length + bytes.byteLength > this.#rules.maxBodyBytes) {
      this.#releaseChunks()
      this.#wait('write', given)
      return this.#flow()
    }
    this.#chunks.push(bytes)
    this.#length += bytes.byteLength
    if (callback !== undefined) process.nextTick(callback)
    return true
  }

  #end(given: unknown[]): unknown {
    const { chunk, encoding, callback } = saidIn(given)
    if (this.#isEnded) {
      if (callback !== undefined) this.#res.once('finish', callback)
      return this.#res
    }
    const bytes = isEmpty(chunk) ? NOTHING : bytesOf(chunk, encoding)
    if (bytes === undefined) return this.#original('end', given)
    this.#fixHead(bytes.byteLength)
    this.#isEnded = true
    const answer = this.isHolding ? this.#answerWith(bytes) : undefined
    this.#releaseChunks()
    this.#wait('end', given)
    this.#settle(answer)
    return this.#res
  }

  /**
   * Makes the head, and holds it: what is under this, as `compression`, hears of it when the answer may go, and nothing
   * where it may not. Whoever is over it finds that it was made.
   */
  #writeHead(given: unknown[]): unknown {
    const res = this.#res
    // It went out before this came.
    if (this.#draft === undefined && res.headersSent) return this.#original('writeHead', given)
    const draft = this.#draft ?? likenessOf(res)
    // Throws where Node.js would, also for a second head.
    methodsOf(draft).writeHead(...given)
    this.#draft = draft
    this.#fields = keptFields(this.#rules.headers, res, given)
    res.statusCode = draft.statusCode
    res.statusMessage = draft.statusMessage
    markHead(res, headMark(draft))
    this.#wait('writeHead', given)
    return res
  }

  /** The response is as if no head had been made. Whether one had. */
  #dropHead(): boolean {
    if (this.#draft === undefined) return false
    this.#draft = undefined
    markHead(this.#res, null)
    return true
  }

  /**
   * The head as it is now, as Node.js does at the first word of a body: it is made, and does not go out yet. A body that
   * is said at once has a length.
   */
  #fixHead(wholeLength?: number): void {
    const res = this.#res
    if (res.headersSent) return
    const isFramed = ['content-length', 'transfer-encoding', 'trailer'].some((name) => res.hasHeader(name))
    if (wholeLength !== undefined && mayHaveBody(res.statusCode) && !isFramed)
      res.setHeader('Content-Length', wholeLength)
    res.writeHead(res.statusCode)
  }

  #answerWith(last: Uint8Array): KeptAnswer | undefined {
    const { statusCode: status } = this.#res
    const length = this.#length + last.byteLength
    if (length > this.#rules.maxBodyBytes) return undefined
    const headers = this.#fields ?? keptFields(this.#rules.headers, this.#res, [])
    if (JSON.stringify(headers).length > MAX_HEADER_LENGTH) return undefined
    return { status, headers, body: mayHaveBody(status) ? joined([...this.#chunks, last], length) : NOTHING }
  }

  #releaseChunks(): void {
    for (const chunk of this.#chunks) this.#wait('write', [chunk])
    this.#chunks = []
  }

  #wait(way: Way, given: unknown[]): void {
    this.#waiting.push([way, given])
  }

  /** More than is kept. Whether there is room for more. */
  #flow(): boolean {
    this.#phase = 'flowing'
    // Its status has gone out: what failed failed, whoever is still there to read it.
    this.#res.once('close', () => {
      if (frees(this.#res.statusCode)) this.giveUp()
    })
    return this.#send() === true
  }

  #settle(answer: KeptAnswer | undefined): void {
    this.#phase = 'settling'
    const settled = this.#rules.settle(this.#res.statusCode, answer)
    if (!isThenable(settled)) {
      this.#open()
      return
    }
    settled.then(this.#open.bind(this)).catch(() => {
      this.#res.destroy()
    })
  }

  #open(): void {
    this.#phase = 'open'
    this.#send()
  }

  /** What the last thing said was answered with. */
  #send(): unknown {
    this.#dropHead()
    try {
      return this.#waiting
        .splice(0)
        .map(([way, given]) => this.#original(way, given))
        .at(-1)
    } catch (cause) {
      // Nobody would end it any more.
      this.#res.destroy()
      throw cause
    }
  }

  #original(way: Way, given: unknown[]): unknown {
    return this.#originals[way].apply(this.#res, given)
  }
}

function methodsOf(res: ServerResponse): Record<Way, Method> {
  return res as unknown as Record<Way, Method>
}

/** What Node.js, and others, tell by that a head was made: `headersSent` is whether it is there. */
type Marked = ServerResponse & { _header: string | null }

function headMark(res: ServerResponse): string | null {
  return (res as Marked)._header
}

function markHead(res: ServerResponse, mark: string | null): void {
  ;(res as Marked)._header = mark
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
