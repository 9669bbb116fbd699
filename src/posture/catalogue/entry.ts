import type { RuleName } from '../baseline/model.js'
import type { QuestionId } from '../checklist/model.js'
import type { Finding } from '../model.js'

/** Where a finding belongs: the question of the checklist, and the requirements that it goes against. */
export interface Place {
  readonly question: QuestionId
  readonly owasp: readonly string[]
  readonly asvs: readonly string[]
}

/** What stands in every finding of one code, whatever it is about. */
export interface Entry {
  readonly severity: Finding['severity']
  /**
   * What the checklist makes of it, where that is more. At start-up a service that cannot be seen through, or that keeps no
   * record, protects as well as another; an audit asks for just that, and "nobody can tell" answers it as badly as "no".
   */
  readonly inAudit?: Finding['severity']
  /** What happens because of it. */
  readonly consequence: string
  /** What to do. */
  readonly remedy: string
  readonly about: Place
  /** The rule of a baseline whose waiver covers it too. */
  readonly rule?: RuleName
}

/** Keeps the codes as they are written, so that a misspelled one does not compile. */
export function entries<Code extends string>(given: Readonly<Record<Code, Entry>>): typeof given {
  return given
}
