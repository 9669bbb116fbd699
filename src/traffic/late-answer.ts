import { ServerResponse, type OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'

/**
 * Holds the answer of a handler back, and lets go of the response where another answer is given in its place. Who does
 * the one (`idempotency`) and who does the other (`requestTimeout`) know of each other what stands here.
 */
export interface AnswerHolder {
  /** Whether a head is held: then `headersSent` does not mean that anything has gone out. */
  readonly holdsHead: boolean
  /** What the handler has said, and from now on says, goes to `late`. */
  handOver(late: ServerResponse): void
  /** After that: leaves the response to whoever answers. */
  letGo(): void
}

interface State {
  readonly holders: AnswerHolder[]
  isAnsweredFor: boolean
}

// On the response itself: an ESM and a CommonJS copy of this library may both look for it.
const STATE = Symbol.for('express-bulwark.late-answer.v1')

type Known = ServerResponse & { [STATE]?: State }

/** Says who holds an answer back. */
export function holdAnswer(res: ServerResponse, holder: AnswerHolder): void {
  stateOf(res).holders.push(holder)
}

/** Those who hold an answer back; the one that its handler speaks to is the last. */
export function holdersOf(res: ServerResponse): readonly AnswerHolder[] {
  return (res as Known)[STATE]?.holders ?? []
}

/** Says that another answer is given in the place of the handler's. */
export function markAnsweredFor(res: ServerResponse): void {
  stateOf(res).isAnsweredFor = true
}

/** Whether another answer was given in the place of the handler's, or will be: an error handler may take its time. */
export function isAnsweredFor(res: ServerResponse): boolean {
  return (res as Known)[STATE]?.isAnsweredFor === true
}

function stateOf(res: Known): State {
  const known = res[STATE]
  if (known !== undefined) return known
  const state: State = { holders: [], isAnsweredFor: false }
  Object.defineProperty(res, STATE, { value: state })
  return state
}

/** Whether anything of an answer has gone out, or will whatever happens. */
export function hasBegun(res: ServerResponse): boolean {
  return res.headersSent && !holdersOf(res).some(({ holdsHead }) => holdsHead)
}

/** What an answer says before its body. */
export interface Head {
  readonly statusCode: number
  readonly statusMessage: string
  readonly fields: Readonly<OutgoingHttpHeaders>
}

export function headOf(res: ServerResponse): Head {
  return { statusCode: res.statusCode, statusMessage: res.statusMessage, fields: res.getHeaders() }
}

/** Gives an answer this head and nothing else. */
export function putHead(res: ServerResponse, { statusCode, statusMessage, fields }: Head): void {
  res.statusCode = statusCode
  res.statusMessage = statusMessage
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) res.setHeader(name, value)
  }
}

/** An answer of its own that has the head of another one so far: Node.js takes and refuses what it would there. */
export function likenessOf(res: ServerResponse): ServerResponse {
  const likeness = new ServerResponse(res.req)
  putHead(likeness, headOf(res))
  return likeness
}

/** Where a handler goes on with its answer, and nothing is sent. */
export function lateAnswerTo(res: ServerResponse): ServerResponse {
  const late = likenessOf(res)
  const nowhere = new Writable({
    // Never full, so that nobody waits for room.
    highWaterMark: Number.MAX_SAFE_INTEGER,
    write(_chunk, _encoding, done) {
      done()
    },
  })
  late.assignSocket(nowhere as unknown as Socket)
  // Of words after the end, which nobody listens for here.
  late.on('error', () => undefined)
  return late
}
