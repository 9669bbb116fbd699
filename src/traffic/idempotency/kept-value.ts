import type { Attempt, Found, KeptAnswer } from './answers.js'
import { frees } from './statuses.js'

// An answer of the largest `maxBodyBytes` in Base64, and its headers.
const MAX_LENGTH = 2_097_152
const MAX_HEADERS = 64
const VERSION = 1

/** The same text each time: a lease is compared with what is kept, as it stands. */
export function encodeLease({ fingerprint, owner }: Attempt): string {
  return JSON.stringify({ v: VERSION, state: 'under-way', fingerprint, owner })
}

export function encodeAnswer({ fingerprint }: Attempt, answer: KeptAnswer | undefined): string {
  const head = { v: VERSION, state: 'answered', fingerprint }
  if (answer === undefined) return JSON.stringify(head)
  const { status, headers, body } = answer
  return JSON.stringify({ ...head, status, headers, body: Buffer.from(body).toString('base64') })
}

/** What `encodeLease` or `encodeAnswer` wrote; `undefined` for anything else, whoever wrote it. */
export function decode(text: unknown): Exclude<Found, { readonly state: 'begun' }> | undefined {
  const value = parsed(text)
  if (value === undefined || value['v'] !== VERSION) return undefined
  const { state, fingerprint } = value
  if (typeof fingerprint !== 'string' || !/^[\w-]{43}$/.test(fingerprint)) return undefined
  if (state === 'under-way') return hasOnly(value, 4) ? { state, fingerprint } : undefined
  if (state !== 'answered') return undefined
  if (hasOnly(value, 3)) return { state, fingerprint, answer: undefined }
  const answer = hasOnly(value, 6) ? answerIn(value) : undefined
  return answer === undefined ? undefined : { state, fingerprint, answer }
}

function parsed(text: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function hasOnly(value: object, fields: number): boolean {
  return Object.keys(value).length === fields
}

function answerIn({ status, headers, body }: Readonly<Record<string, unknown>>): KeptAnswer | undefined {
  if (!Number.isInteger(status) || (status as number) < 200 || frees(status as number)) return undefined
  if (!Array.isArray(headers) || headers.length > MAX_HEADERS || !headers.every(isHeader)) return undefined
  const bytes = typeof body === 'string' ? Buffer.from(body, 'base64') : undefined
  if (bytes === undefined || bytes.toString('base64') !== body) return undefined
  return { status: status as number, headers: headers as KeptAnswer['headers'], body: bytes }
}

function isHeader(header: unknown): boolean {
  if (!Array.isArray(header) || header.length !== 2) return false
  const [name, values] = header as readonly unknown[]
  if (typeof name !== 'string' || !/^[a-z0-9-]{1,64}$/.test(name)) return false
  return Array.isArray(values) && values.length > 0 && values.every(isValue)
}

function isValue(value: unknown): boolean {
  return typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
}
