import type { ChecklistAnswer } from '../posture/checklist.js'
import type { Finding, Posture } from '../posture/model.js'
import type { ExitCode } from './failure.js'

/** What the command asks of the process in which it lets the application load. */
export interface Request {
  readonly command: string
  /** As the caller wrote it. */
  readonly module: string
  readonly exportName: string | undefined
  readonly call: boolean
  readonly name: string | undefined
  readonly baseline: string | undefined
  /** File with results of load tests. */
  readonly evidence: string | undefined
}

/** What is found out there. */
export interface Examination {
  readonly posture: Posture
  /** Of the doctor. */
  readonly diagnoses: readonly Finding[]
  /** Of the baseline. */
  readonly breaches: readonly Finding[]
  readonly answers: readonly ChecklistAnswer[]
}

export type Reply =
  | { readonly examination: Examination }
  | {
      readonly failure: {
        readonly exitCode: ExitCode
        readonly message: string
        readonly hint: string | undefined
        readonly stack: string | undefined
      }
    }

/** The pipe on which the reply goes back: standard output is the application's to write to. */
export const REPLY_DESCRIPTOR = 3
