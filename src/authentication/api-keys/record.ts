import { wallClockMs } from '../../core/clock.js'
import { integer, type OptionRule } from '../../core/options.js'
import { isTokenText, neutralise } from '../../core/text.js'
import { isKeyId } from './key-text.js'

/** One secret of a key, as it is kept. */
export interface ApiKeySecret {
  /** `sha256:` or `hmac-sha256:` and 43 characters of base64url: the digest of the whole key. */
  readonly digest: string
  /** **Seconds** since the epoch. */
  readonly createdAt: number
  /** **Seconds** since the epoch: from then on this secret is refused. */
  readonly expiresAt?: number
}

/** What is kept of a key: never the key itself. Plain JSON. */
export interface ApiKeyRecord {
  /** 12 letters and digits: the part of the key that may be shown. */
  readonly id: string
  /** For people: what the key is for. */
  readonly name?: string
  /** Becomes `principal.subject`. @default `clientId`, or the id */
  readonly subject?: string
  readonly clientId?: string
  /** Becomes the claim `tenant`. */
  readonly tenant?: string
  /** Becomes the claim `rate_tier`. */
  readonly rateTier?: string
  readonly scopes: readonly string[]
  /** **Seconds** since the epoch. */
  readonly createdAt: number
  /** **Seconds** since the epoch: from then on the key is refused. */
  readonly expiresAt?: number
  readonly disabled?: boolean
  /** Those that work, and those that ended last. */
  readonly secrets: readonly ApiKeySecret[]
}

export const MAX_SECRETS = 5
/** Times that are written in milliseconds by mistake are beyond it. */
const LATEST_SECONDS = 253_402_300_799

const time = integer(0, LATEST_SECONDS, 'seconds since the epoch')
/** A scope as RFC 6749 section 3.3 has it. */
const scope: OptionRule = {
  says: 'a scope of 1 to 200 printable characters without space, quote or backslash',
  holds: (value) => isTokenText(value, 200),
}
const label: OptionRule = {
  says: 'text of 1 to 200 characters without control characters',
  holds: (value) =>
    typeof value === 'string' && value !== '' && value.length <= 200 && neutralise(value) === value,
}
const scopes: OptionRule = {
  says: `an array of at most 100 items, each ${scope.says}`,
  holds: (value) => Array.isArray(value) && value.length <= 100 && value.every((each) => scope.holds(each)),
}

/** What `create` is told of a key, and the command too: the rules are those of the record. */
export const FACT_RULES = {
  name: label,
  subject: label,
  clientId: label,
  tenant: label,
  rateTier: label,
  scopes,
  expiresAt: time,
} satisfies Readonly<Record<string, OptionRule>>

const required = (rule: OptionRule): OptionRule => ({ ...rule, required: true })

const RECORD_RULES: Readonly<Record<keyof ApiKeyRecord, OptionRule>> = {
  ...FACT_RULES,
  id: required({ says: '', holds: isKeyId }),
  scopes: required(scopes),
  createdAt: required(time),
  disabled: { says: '', holds: (value) => typeof value === 'boolean' },
  secrets: required({
    says: '',
    holds: (value) =>
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= MAX_SECRETS &&
      value.every((each) => keeps(each, SECRET_RULES)),
  }),
}
const SECRET_RULES: Readonly<Record<keyof ApiKeySecret, OptionRule>> = {
  digest: required({
    says: '',
    holds: (value) => typeof value === 'string' && /^(?:hmac-)?sha256:[\w-]{43}$/.test(value),
  }),
  createdAt: required(time),
  expiresAt: time,
}

const good = new WeakSet<object>()

/**
 * The record in what a store gave, as a frozen copy; `undefined` unless it is one in every point. A member that is not
 * known may be a restriction that a newer version wrote: such a record is none.
 */
export function readRecord(value: unknown): ApiKeyRecord | undefined {
  if (typeof value === 'object' && value !== null && good.has(value)) return value as ApiKeyRecord
  const copy = copyOf(value)
  if (copy === undefined || !keeps(copy, RECORD_RULES)) return undefined
  const record = copy as unknown as ApiKeyRecord
  good.add(record)
  return record
}

/** A deep, frozen copy by way of JSON, so that no getter, proxy or later change has a say. */
function copyOf(value: unknown): object | undefined {
  try {
    const copy: unknown = JSON.parse(JSON.stringify(value))
    return typeof copy === 'object' && copy !== null ? freeze(copy) : undefined
  } catch {
    return undefined
  }
}

function freeze(value: object): object {
  for (const each of Object.values(value) as unknown[]) {
    if (typeof each === 'object' && each !== null) freeze(each)
  }
  return Object.freeze(value)
}

/** Own members only, none that no rule names, each as its rule has it. */
function keeps(value: unknown, rules: Readonly<Record<string, OptionRule>>): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const members = new Map<string, unknown>(Object.entries(value))
  if ([...members.keys()].some((name) => !Object.hasOwn(rules, name))) return false
  return Object.entries(rules).every(([name, rule]) =>
    members.has(name) ? rule.holds(members.get(name)) : rule.required !== true,
  )
}

/** At the very second that is named it is over. */
export function isOver(expiresAt: number | undefined): boolean {
  return expiresAt !== undefined && wallClockMs() >= expiresAt * 1000
}

export function nowSeconds(): number {
  return Math.floor(wallClockMs() / 1000)
}
