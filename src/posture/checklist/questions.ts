import type { QuestionId } from './model.js'

export interface Question {
  readonly id: QuestionId
  readonly question: string
  readonly owasp: readonly string[]
  readonly asvs: readonly string[]
}

/** "Checklist for audits and reviews", in the words of the guide. */
export const QUESTIONS: readonly Question[] = [
  {
    id: 'endpoints',
    question: 'Are all endpoints authenticated or explicitly marked public?',
    owasp: ['API2:2023', 'API5:2023', 'API9:2023'],
    asvs: ['6.3.4', '7.2.1', '8.2.1', '8.3.1'],
  },
  {
    id: 'tokens',
    question: 'Are tokens short-lived and rotated automatically?',
    owasp: ['API2:2023'],
    asvs: ['7.3.2', '8.3.2', '9.2.1'],
  },
  {
    id: 'validation',
    question: 'Is input validation schema-driven and enforced centrally?',
    owasp: ['API3:2023'],
    asvs: ['2.2.1', '2.2.2', '8.2.3', '15.3.3', '15.3.6'],
  },
  {
    id: 'limits',
    question: 'Are rate limits applied and tested under load?',
    owasp: ['API4:2023', 'API6:2023'],
    asvs: ['2.4.1', '6.3.1', '15.2.2'],
  },
  {
    id: 'logs',
    question: 'Do logs avoid secrets and include sufficient context for investigations?',
    owasp: ['API8:2023'],
    asvs: ['16.2.1', '16.2.5', '16.3.1', '16.3.2', '16.3.3', '16.3.4', '16.5.1'],
  },
]
