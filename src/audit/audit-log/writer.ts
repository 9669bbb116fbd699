import { destination, pino } from 'pino'
import type { Health } from '../../core/lifecycle.js'
import { isThenable } from '../../core/thenable.js'
import type { AuditRecord, Level } from './records.js'

/** A logger as pino and most others have it. */
export interface AuditLogger {
  info(record: object, message: string): void
  warn(record: object, message: string): void
  error(record: object, message: string): void
}

/** Hands records to a logger. What the logger throws is counted and reaches no request. */
export class Writer {
  readonly #logger: Readonly<Record<Level, (record: object, message: string) => unknown>>
  #written = 0
  #failed = 0
  #lastFailed = false
  #isReaderGone = false

  constructor(logger: AuditLogger | undefined) {
    this.#logger = logger ?? this.#standardOutput()
  }

  write(level: Level, record: AuditRecord, message: string): void {
    if (this.#isReaderGone) {
      this.#noteFailure()
      return
    }
    this.#lastFailed = false
    const failedBefore = this.#failed
    try {
      const returned = this.#logger[level](record, message)
      // What a promise hides until later must not end the process then.
      if (isThenable(returned)) void Promise.resolve(returned).then(this.#noteWritten, this.#noteFailure)
      else if (this.#failed === failedBefore) this.#noteWritten()
    } catch {
      this.#noteFailure()
    }
  }

  health(): Health {
    const detail = `${this.#written} records written, ${this.#failed} failed`
    return { name: 'auditLog', status: this.#lastFailed ? 'degraded' : 'ok', detail }
  }

  /**
   * pino on standard output, synchronously: its default is a buffer, of which a process that is killed, or one that
   * does not handle SIGTERM, loses most.
   */
  #standardOutput(): AuditLogger {
    const out = destination({ fd: 1, sync: true })
    out.on('error', (error: NodeJS.ErrnoException) => {
      // From now on pino drops all records without a word.
      if (error.code === 'EPIPE') this.#isReaderGone = true
      this.#noteFailure()
    })
    return pino({}, out)
  }

  readonly #noteWritten = (): void => {
    this.#written += 1
  }

  readonly #noteFailure = (): void => {
    this.#failed += 1
    this.#lastFailed = true
  }
}
