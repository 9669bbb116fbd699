import type { GuardMetadata } from '../../core/metadata.js'
import type { PostureFault } from '../model.js'

/** A guard that surely runs before the row's handlers. */
export interface Passed {
  readonly about: GuardMetadata
  readonly mounted: 'before' | 'route'
}

/** What speaks for a row and against it. */
export class Evidence {
  readonly passed: Passed[] = []
  readonly doubts: string[] = []
  readonly #faults = new Map<string, PostureFault>()
  guarded: string | undefined
  optional: string | undefined
  /** The reason that a `publicRoute` gives. */
  publicReason: string | undefined

  /** One of each kind: a second guard with the same fault adds nothing. */
  fault(code: string, message: string): void {
    if (!this.#faults.has(code)) this.#faults.set(code, { code, message })
  }

  doubt(reason: string): void {
    if (!this.doubts.includes(reason)) this.doubts.push(reason)
  }

  get faults(): readonly PostureFault[] {
    return [...this.#faults.values()]
  }

  /** An authentication that surely runs, and after which nothing goes on that it refused. */
  accept(about: GuardMetadata, where: string): void {
    if (!isRelied(about)) this.doubt(`${labelOf(about)} is no authentication that this report knows`)
    else if (about.facts['required'] === true) this.guarded ??= `${labelOf(about)}, mounted ${where}`
    else this.optional ??= `${labelOf(about)} lets callers without a credential pass`
  }
}

export function swallowed(about: GuardMetadata): PostureFault {
  return {
    code: 'error_handler_before_handler',
    message: `an error handler stands between ${labelOf(about)} and the handler: it may send refused requests on`,
  }
}

export function paramBefore(about: GuardMetadata): PostureFault {
  return {
    code: 'param_before_authentication',
    message: `a param callback runs before ${labelOf(about)}, and may answer`,
  }
}

/** A wrapper need not call what it wraps, and may answer itself. */
export function doubtWrapped(about: GuardMetadata, evidence: Evidence): void {
  const message = `a function wraps ${labelOf(about)}: what it does with it cannot be seen`
  if (about.layer === 'authentication') evidence.doubt(message)
  evidence.fault('wrapped_guard', message)
}

/** Of this library's own, in enforce mode: one that somebody made for himself may let everybody in. */
function isRelied({ kind, mode }: GuardMetadata): boolean {
  return mode === 'enforce' && (kind === 'authenticate' || kind === 'principalFrom')
}

export function labelOf({ kind, name }: Pick<GuardMetadata, 'kind' | 'name'>): string {
  return name === kind ? `${kind}()` : `${kind} "${name}"`
}
