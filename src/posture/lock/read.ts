import { neutralise } from '../../core/text.js'
import { PROOFS } from '../render/words.js'
import { LOCK_VERSION, MAX_TEXT, type Lock } from './format.js'

/** A lock file larger than this, in UTF-16 units, is refused unread. */
export const MAX_LOCK_LENGTH = 64 * 1024 * 1024

const MAX_ROWS = 100_000
const MAX_GUARDS = 500
const MAX_ITEMS = 1001
// Of a hundred issuers each has some.
const MAX_FACTS = 5000

type Check = (value: unknown, at: string, fail: Fail) => void
type Fail = (at: string, says: string) => never

/**
 * Reads the text of a posture.lock, which anybody who can open a pull request may have written.
 *
 * Throws a `TypeError` that names the file and the place: for text that is too long, no JSON, of another version, or
 * of another shape. An unknown member is refused too: what is not read must not look as if it were.
 */
export function readLock(text: string, called = 'posture.lock'): Lock {
  const fail: Fail = (at, says) => {
    throw new TypeError(`${called}: ${at === '' ? 'the file' : neutralise(at, 120)} ${says}`)
  }
  if (text.length > MAX_LOCK_LENGTH) fail('', `is longer than ${MAX_LOCK_LENGTH / 1024 / 1024} MiB`)
  const value = parsed(text, fail)
  if (isObject(value) && value['lockVersion'] !== LOCK_VERSION) {
    fail('lockVersion', `must be ${LOCK_VERSION}: write the file again with this version of express-bulwark`)
  }
  lock(value, '', fail)
  return value as Lock
}

function parsed(text: string, fail: Fail): unknown {
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch {
    // The parser's message repeats parts of the text.
    return fail('', 'is not JSON; a merge may have left its marks in it')
  }
}

const text: Check = (value, at, fail) => {
  if (typeof value !== 'string' || value.length > MAX_TEXT)
    fail(at, `must be a text of at most ${MAX_TEXT} characters`)
}
const flag: Check = (value, at, fail) => {
  if (typeof value !== 'boolean') fail(at, 'must be true or false')
}
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value, at, fail) => {
    if (!values.includes(value)) fail(at, `must be one of ${values.join(', ')}`)
  }
const listOf =
  (item: Check, most: number): Check =>
  (value, at, fail) => {
    if (!Array.isArray(value) || value.length > most)
      return fail(at, `must be a list of at most ${most} items`)
    value.forEach((entry, index) => {
      item(entry, `${at}[${index}]`, fail)
    })
  }
const scalar: Check = (value, at, fail) => {
  if (typeof value === 'string') text(value, at, fail)
  else if (value !== null && typeof value !== 'number' && typeof value !== 'boolean')
    fail(at, 'must be a text, a number, true, false or null')
}
const facts: Check = (value, at, fail) => {
  if (!isObject(value) || Object.keys(value).length > MAX_FACTS) return fail(at, 'must be an object')
  for (const [name, fact] of Object.entries(value)) {
    text(name, at, fail)
    if (Array.isArray(fact)) listOf(scalar, MAX_ITEMS)(fact, `${at}.${name}`, fail)
    else scalar(fact, `${at}.${name}`, fail)
  }
}
const record =
  (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check =>
  (value, at, fail) => {
    if (!isObject(value)) return fail(at, 'must be an object')
    const checks = { ...required, ...optional }
    for (const name of Object.keys(value))
      if (!Object.hasOwn(checks, name)) fail(`${at}.${name}`, 'is not known')
    for (const [name, check] of Object.entries(checks)) {
      const there = Object.hasOwn(value, name)
      if (there) check(value[name], at === '' ? name : `${at}.${name}`, fail)
      else if (Object.hasOwn(required, name)) fail(at === '' ? name : `${at}.${name}`, 'is missing')
    }
  }

const guard = record({ kind: text, name: text, mode: oneOf('enforce', 'report'), facts })
const row = record(
  {
    kind: oneOf('route', 'handler', 'application'),
    method: text,
    path: text,
    proof: oneOf(...PROOFS),
    refusedByDefault: flag,
    guards: listOf(guard, MAX_GUARDS),
    faults: listOf(text, MAX_GUARDS),
  },
  { handler: text, reason: text },
)
const lock = record({
  lockVersion: oneOf(LOCK_VERSION),
  application: text,
  denyByDefault: oneOf('off', 'on', 'strict'),
  services: listOf(guard, MAX_GUARDS),
  rows: listOf(row, MAX_ROWS),
})

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
