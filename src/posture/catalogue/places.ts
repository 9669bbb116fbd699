import type { QuestionId } from '../checklist/model.js'
import type { Place } from './entry.js'

/** `place('endpoints', 'API2 API5', '7.2.1')`: a question, risks of the OWASP API Top 10 (2023), requirements of ASVS 5.0.0. */
export function place(question: QuestionId, owasp: string, ...asvs: readonly string[]): Place {
  return { question, owasp: owasp.split(' ').map((risk) => `${risk}:2023`), asvs }
}

export const ACCESS = place('endpoints', 'API2 API5', '7.2.1', '8.2.1', '8.3.1')
export const INVENTORY = place('endpoints', 'API9', '6.3.4')
export const LIFETIME = place('tokens', 'API2', '7.3.2', '8.3.2')
export const BODIES = place('validation', 'API3', '2.2.1', '2.2.2', '15.3.3')
export const LIMITS = place('limits', 'API4', '2.4.1', '15.2.2')
export const RECORDS = place('logs', 'API8', '16.2.1', '16.3.1', '16.3.2', '16.3.3')
export const ERRORS = place('logs', 'API8', '13.4.2', '16.3.4', '16.5.1')
export const HEADERS = place('logs', 'API8', '13.4.6')
