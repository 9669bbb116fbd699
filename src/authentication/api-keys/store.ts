import type { Health } from '../../core/lifecycle.js'
import type { ApiKeyRecord } from './record.js'

/**
 * Where the records of API keys are kept. What it gives is checked in every point before it counts; what it throws, and
 * an answer that takes too long, is 503 to the caller.
 */
export interface ApiKeyStore {
  /** The record with this id: 12 letters and digits, never anything else. */
  find(id: string): unknown
  /**
   * Reads what is kept under `id`, calls `change` with it (`undefined` where there is nothing) and keeps what that
   * gives, or removes what it had for `undefined`: as one step, whoever else is writing. It may call `change` again
   * where somebody else was faster, and must let through what it throws. Left out where nothing can be written.
   */
  update?(id: string, change: (current: unknown) => ApiKeyRecord | undefined): void | Promise<void>
  warmUp?(): Promise<void>
  health?(): Health
  close?(): Promise<void>
}
