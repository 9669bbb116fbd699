import type { IncomingMessage } from 'node:http'
import { addressKey } from '../../core/address.js'
import { PROBLEMS, REFUSALS, type ProblemFace, type RefusalReason } from '../../core/catalogue.js'
import { wallClockMs } from '../../core/clock.js'
import type { RequestContext } from '../../core/context.js'
import type { Decision } from '../../core/decision.js'
import { neutralise } from '../../core/text.js'
import { coalescedRecord, levelOf, type AuditRecord, type Level } from './records.js'

type Write = (level: Level, record: AuditRecord, message: string) => void

/** What has been counted since the last record of its kind. */
interface Fold {
  readonly base: AuditRecord
  readonly level: Level
  readonly reason: string
  count: number
  firstMs: number
  lastMs: number
}

/** Most callers, each with each of its addresses, whose refusals are counted apart. */
const MAX_CALLERS = 1000

/**
 * Keeps a caller who is refused a thousand times from writing a thousand records: the first refusal under a rule is
 * written at once, those of the next seconds are counted and written as one record with their number. Nothing is left
 * out of the count. Only what limits keep from the handler (429 and 503 of the traffic layer, but no time-out): every
 * other refusal is a record.
 *
 * One timer for all, and only while something is counted.
 */
export class Coalescer {
  readonly #windowMs: number
  readonly #maxCallers: number
  readonly #write: Write
  readonly #folds = new Map<string, Fold>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(seconds: number, write: Write, maxCallers = MAX_CALLERS) {
    this.#windowMs = seconds * 1000
    this.#write = write
    this.#maxCallers = maxCallers
  }

  /** Whether this refusal was only counted. Where it was not, it is to be written as it is. */
  folds(decision: Decision, context: RequestContext, req: IncomingMessage): boolean {
    if (this.#windowMs === 0 || this.#isClosed || !isOfLimits(decision)) return false
    const { guard, rule, mode, reason, evidence } = decision
    const kind = [guard, rule, mode, reason, evidence?.['policies'] ?? null]
    const own = JSON.stringify([...kind, ...whoIs(context)])
    // Too many callers at once to tell them apart: from here on they are one.
    const isCrowd = !this.#folds.has(own) && this.#folds.size >= this.#maxCallers
    const id = isCrowd ? JSON.stringify(kind) : own
    const fold = this.#folds.get(id)
    const nowMs = wallClockMs()
    if (fold === undefined) {
      const base = coalescedRecord(decision, context, req, isCrowd)
      this.#folds.set(id, {
        base,
        level: levelOf(decision),
        reason: decision.reason,
        count: 0,
        firstMs: 0,
        lastMs: 0,
      })
      this.#start()
      return false
    }
    if (fold.count === 0) fold.firstMs = nowMs
    fold.count += 1
    fold.lastMs = nowMs
    return true
  }

  /** Writes what was counted; nothing is counted any more. */
  close(): void {
    this.#isClosed = true
    for (const fold of this.#folds.values()) this.#tell(fold)
    this.#folds.clear()
    this.#stop()
  }

  #start(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => {
      this.#turn()
    }, this.#windowMs)
    this.#timer.unref()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Who goes on stays, so that the next seconds are one record again; who stopped is forgotten. */
  #turn(): void {
    for (const [id, fold] of this.#folds) {
      if (fold.count === 0) this.#folds.delete(id)
      this.#tell(fold)
    }
    if (this.#folds.size === 0) this.#stop()
  }

  #tell(fold: Fold): void {
    const { base, level, reason, count, firstMs, lastMs } = fold
    if (count === 0) return
    fold.count = 0
    const event = {
      ...(base['event'] as object),
      count,
      start: new Date(firstMs).toISOString(),
      end: new Date(lastMs).toISOString(),
    }
    this.#write(level, { ...base, event }, reason)
  }
}

function isOfLimits({ layer, reason }: Decision): boolean {
  // The handler was at it, and may have done its work: what it was is never only a number.
  if (layer !== 'traffic' || reason === 'time_exceeded') return false
  const { status } = PROBLEMS[REFUSALS[reason as RefusalReason]] as ProblemFace
  return status === 429 || status === 503
}

/** A stolen credential shows in the addresses it comes from: each is named. */
function whoIs({ principal, client }: RequestContext): readonly (string | null)[] {
  return [principal?.key ?? null, addressKey(client.address) ?? neutralise(String(client.address))]
}
