import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { holdersOf, lateAnswerTo, markAnsweredFor } from '../late-answer.js'
import { whenHandedOver } from '../handed-over.js'

type Method = (...given: unknown[]) => unknown

/** What makes an answer go out. */
const WORDS = ['writeHead', 'flushHeaders', 'write', 'end'] as const
const HEAD = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const
const LOOKS = ['getHeader', 'getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'] as const
/** What is no answer, and nothing that may follow one. */
const HINTS = ['writeContinue', 'writeProcessing', 'writeEarlyHints'] as const

type Words = Readonly<Record<(typeof WORDS)[number], Method>>

/**
 * Lets `answer` give an answer in the place of the handler's. What the handler says after that has no effect: it did not
 * hear in time, and its `res.json()` would throw, which on Express 4 ends the process where the handler is an async
 * function. Where somebody holds the handler's answer back, it goes there, also what was held.
 */
export function answerInPlace(res: ServerResponse, answer: () => void): void {
  markAnsweredFor(res)
  const holders = holdersOf(res)
  if (holders.length === 0) {
    answer()
    onceEnded(res, () => {
      silence(res)
    })
    return
  }
  const late = lateAnswerTo(res)
  // With whatever was put over the answer behind its holder: that belongs to the handler.
  const words = wordsOf(res)
  for (const holder of holders) holder.handOver(late)
  for (const holder of holders.toReversed()) holder.letGo()
  const hasNewHead = headWatch(res)
  answer()
  const isAtOnce = res.writableEnded
  if (!isAtOnce) sendBack(res, words, hasNewHead)
  onceEnded(res, () => {
    // An error handler that takes its time may have been overtaken by the handler.
    if (isAtOnce || res.statusCode >= 400) divert(res, late, words)
    else silence(res)
  })
}

/** As soon as an answer is complete: an error handler may take its time. */
function onceEnded(res: ServerResponse, act: () => void): void {
  if (res.writableEnded) {
    act()
    return
  }
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    act()
  }
  whenHandedOver(res, end)
  res.once('finish', end)
}

function wordsOf(res: ServerResponse): Words {
  const { writeHead, flushHeaders, write, end } = res as unknown as Words
  return { writeHead, flushHeaders, write, end }
}

function headWatch(res: ServerResponse): () => boolean {
  const { statusCode } = res
  const fields = res.getHeaderNames().length
  return () => res.headersSent || res.statusCode !== statusCode || res.getHeaderNames().length !== fields
}

/** Until the error handler answers: words without a head of their own go on with what the handler has begun. */
function sendBack(res: ServerResponse, words: Words, hasNewHead: () => boolean): void {
  const current = wordsOf(res)
  for (const name of ['flushHeaders', 'write', 'end'] as const) {
    put(res, name, (...given) => Reflect.apply(hasNewHead() ? current[name] : words[name], res, given))
  }
}

function silence(res: ServerResponse): void {
  const heard =
    (answer: unknown): Method =>
    (...given) => {
      const callback = given.find((one) => typeof one === 'function')
      if (callback !== undefined) process.nextTick(callback)
      return answer
    }
  for (const name of [...HEAD, ...HINTS, ...WORDS, 'writeHeader']) put(res, name, heard(res))
  put(res, 'write', heard(true))
}

/**
 * Lets the handler go on with its answer elsewhere. To listeners of the response it shows what was sent, to everybody
 * else what the handler has said.
 */
function divert(res: ServerResponse, late: ServerResponse, words: Words): void {
  const methods = res as unknown as Record<string, Method | undefined>
  const others = late as unknown as Record<string, Method>
  const { statusCode, statusMessage, headersSent } = res
  const sent = { statusCode, statusMessage, headersSent }
  let isTelling = false

  for (const name of LOOKS) {
    const original = methods[name] as Method
    put(res, name, (...given) =>
      isTelling ? original.apply(res, given) : (others[name] as Method)(...given),
    )
  }
  for (const name of HEAD) {
    put(res, name, (...given) => {
      others[name]?.(...given)
      return res
    })
  }
  for (const name of HINTS) put(res, name, () => undefined)
  for (const name of WORDS) put(res, name, words[name])
  // Node's other name for it.
  put(res, 'writeHeader', words.writeHead)
  for (const name of ['statusCode', 'statusMessage', 'headersSent'] as const) {
    Object.defineProperty(res, name, {
      configurable: true,
      enumerable: true,
      get: () => (isTelling ? sent : late)[name],
      set: (value: unknown) => {
        Reflect.set(late, name, value)
      },
    })
  }
  const emit = res.emit.bind(res) as Method
  late.on('drain', () => emit('drain'))
  put(res, 'emit', (event, ...given) => {
    // The end of an answer that is not its own would cut a pipe off.
    if (isTelling && event === 'unpipe') return (given[0] as Readable).resume()
    const wasTelling = isTelling
    isTelling = true
    try {
      return emit(event, ...given)
    } finally {
      isTelling = wasTelling
    }
  })
}

function put(res: ServerResponse, name: string, value: Method): void {
  Object.defineProperty(res, name, { value, configurable: true, writable: true })
}
