import type { Entry } from './catalogue/entry.js'
import { EVIDENCE } from './catalogue/evidence.js'
import { ROUTES } from './catalogue/routes.js'
import { SET_UP } from './catalogue/set-up.js'
import type { Finding } from './model.js'

/** Every finding of the posture, the doctor and the checklist. Those of a baseline are its rules. */
export const CATALOGUE = { ...ROUTES, ...SET_UP, ...EVIDENCE }

export type FindingCode = keyof typeof CATALOGUE

/** What one finding says besides its code, and where it says something else than the catalogue. */
export interface About {
  readonly where?: string | undefined
  readonly file?: string | undefined
  readonly line?: number | undefined
  /** @default what the catalogue says */
  readonly severity?: Finding['severity'] | undefined
  /** @default what the catalogue says */
  readonly consequence?: string | undefined
  /** @default what the catalogue says */
  readonly remedy?: string | undefined
}

export function found(code: FindingCode, message: string, about: About = {}): Finding {
  const { severity, consequence, remedy }: Entry = CATALOGUE[code]
  const { where, file, line } = about
  return {
    code,
    severity: about.severity ?? severity,
    message,
    consequence: about.consequence ?? consequence,
    remedy: about.remedy ?? remedy,
    page: pageOf(code),
    where,
    file,
    line,
  }
}

/** `undefined` for what somebody else has found. */
export function entryOf(code: string): Entry | undefined {
  return Object.hasOwn(CATALOGUE, code) ? CATALOGUE[code as FindingCode] : undefined
}

/** Relative to the repository. A code that is not known may come with a fault of a row. */
export function pageOf(code: string): string {
  return `docs/${Object.hasOwn(EVIDENCE, code) ? 'checklist' : 'doctor'}.md#${code}`
}
