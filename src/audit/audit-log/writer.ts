import { destination, pino } from 'pino'
import type { Health } from '../../core/lifecycle.js'
import type { AuditRecord, Level } from './records.js'

/** A logger as pino and most others have it. */
export interface AuditLogger {
  info(record: object, message: string): void
  warn(record: object, message: string): void
  error(record: object, message: string): void
}

/** Hands records to a logger. What the logger throws is counted and reaches no request. */
export class Writer {
  readonly #logger: AuditLogger
  #written = 0
  #failed = 0
  #lastFailed = false

  constructor(logger: AuditLogger | undefined) {
    this.#logger = logger ?? this.#standardOutput()
  }

  write(level: Level, record: AuditRecord, message: string): void {
    try {
      this.#lastFailed = false
      this.#logger[level](record, message)
      this.#written += 1
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
    out.on('error', () => {
      this.#noteFailure()
    })
    return pino({}, out)
  }

  #noteFailure(): void {
    this.#failed += 1
    this.#lastFailed = true
  }
}
