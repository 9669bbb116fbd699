import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import { blockMs, type Blocks, type Culprit } from './blocks.js'

interface Sheet {
  readonly name: string
  failures: number
  windowEndsMs: number
  /** How many blocks there were. */
  level: number
  blockedUntilMs: number
  /** When they are forgotten. */
  levelEndsMs: number
}

/** Most callers whose failures are kept. */
const MAX_SHEETS = 100_000
/** Old sheets that are looked at for each new one: two at a time come out where one goes in. */
const LOOKED_AT = 4

/**
 * Blocks in the memory of this process, without a timer, for as long as somebody holds their name. When it is full of
 * sheets that still mean something, nobody's is forgotten: new callers are not blocked then, and the limit alone holds for
 * them.
 */
export class MemoryBlocks implements Blocks {
  readonly #maxSheets: number
  readonly #sheets = new Map<string, Sheet>()
  /** How many hold a name. */
  readonly #holders = new Map<string, number>()
  #isFull = false

  constructor(maxSheets = MAX_SHEETS) {
    this.#maxSheets = maxSheets
  }

  get size(): number {
    return this.#sheets.size
  }

  hold(names: readonly string[]): () => void {
    for (const name of names) this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      for (const name of names) this.#letGo(name)
    }
  }

  remainingMs(culprits: readonly Culprit[]): readonly number[] {
    const now = monotonicMs()
    return culprits.map((culprit) => (this.#sheets.get(idOf(culprit))?.blockedUntilMs ?? 0) - now)
  }

  noteFailure(culprits: readonly Culprit[]): void {
    const now = monotonicMs()
    for (const culprit of culprits) {
      // What ends after the last of its name was closed is not kept for the next one.
      if (!this.#holders.has(culprit.name)) continue
      const sheet = this.#sheetOf(culprit, now)
      if (sheet !== undefined) note(sheet, culprit, now)
    }
  }

  #letGo(name: string): void {
    const others = (this.#holders.get(name) ?? 1) - 1
    if (others > 0) {
      this.#holders.set(name, others)
      return
    }
    this.#holders.delete(name)
    for (const [id, sheet] of this.#sheets) if (sheet.name === name) this.#sheets.delete(id)
  }

  #sheetOf(culprit: Culprit, now: number): Sheet | undefined {
    const id = idOf(culprit)
    const known = this.#sheets.get(id)
    if (known !== undefined && hasMeaning(known, now)) return known
    this.#tidy(now)
    if (known === undefined && this.size >= this.#maxSheets) {
      if (!this.#isFull) publishEvent('error', 'limiter_overflow', { rule: 'penalise', keys: this.size })
      this.#isFull = true
      return undefined
    }
    this.#isFull = false
    const { name } = culprit
    const sheet = { name, failures: 0, windowEndsMs: 0, level: 0, blockedUntilMs: 0, levelEndsMs: 0 }
    this.#sheets.set(id, sheet)
    return sheet
  }

  /** A few of the oldest: those that mean nothing go, the others go to the end of the line. */
  #tidy(now: number): void {
    for (const [id, sheet] of [...firstOf(this.#sheets, LOOKED_AT)]) {
      this.#sheets.delete(id)
      if (hasMeaning(sheet, now)) this.#sheets.set(id, sheet)
    }
  }
}

function hasMeaning({ windowEndsMs, levelEndsMs }: Sheet, now: number): boolean {
  return windowEndsMs > now || levelEndsMs > now
}

function note(sheet: Sheet, { limit, windowMs, block }: Culprit, now: number): void {
  if (sheet.windowEndsMs <= now) {
    sheet.failures = 0
    sheet.windowEndsMs = now + windowMs
  }
  sheet.failures += 1
  if (sheet.failures < limit) return
  sheet.failures = 0
  sheet.level = sheet.levelEndsMs <= now ? 1 : sheet.level + 1
  sheet.blockedUntilMs = now + blockMs(block, sheet.level)
  // Who had no block for as long as the longest begins anew.
  sheet.levelEndsMs = sheet.blockedUntilMs + block.maxMs
}

function idOf({ name, key }: Culprit): string {
  return JSON.stringify([name, key])
}

function* firstOf<T>(items: Iterable<T>, count: number): Iterable<T> {
  let left = count
  for (const item of items) {
    if (left === 0) return
    left -= 1
    yield item
  }
}
