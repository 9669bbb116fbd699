import { createHash, timingSafeEqual } from 'node:crypto'
import { MIN_DISTINCT, isDrawn, isPlaceholder, secretTextShown } from '../../../core/secret-text.js'
import { disarm } from '../../../core/thenable.js'
import { PROVEN, type Proof } from './proof.js'

type Values = string | readonly string[] | (() => string | readonly string[])

const MIN_LENGTH = 32
const MAX_LENGTH = 1024
const MAX_VALUES = 10
const SAYS = `a secret of ${MIN_LENGTH} to ${MAX_LENGTH} visible ASCII characters that were drawn, not thought up (openssl rand -base64 32), a list of at most ${MAX_VALUES}, or a function that returns them`

/**
 * Proof by a secret that the hop writes into a header. Every live secret is compared, in a time that does not depend on
 * what was sent. Another text in that header is `'refused'`: no caller but a hop has a reason to write one.
 */
export function secretProof(where: string, header: string, values: Values): Proof {
  const fixed = typeof values === 'function' ? undefined : digestsOf(values)
  if (typeof values !== 'function' && fixed === undefined) {
    throw new TypeError(`${where}: provenBy.secret.values must be ${SAYS}, got ${shown(values)}`)
  }
  return {
    kind: 'shared secret',
    detail: `in ${header}`,
    isWeak: false,
    headers: [header],
    prove({ lines }) {
      const live = fixed ?? liveDigests(where, values)
      // Two lines, or two spellings: a caller spoilt what the hop wrote, and is not to look like the hop itself.
      lines.checkOnce(header)
      const [given] = lines.all(header)
      if (given === undefined) return undefined
      const digest = digestOf(given)
      let isOneOfThem = false
      for (const secret of live) isOneOfThem = timingSafeEqual(secret, digest) || isOneOfThem
      return isOneOfThem ? PROVEN : 'refused'
    },
  }
}

function liveDigests(where: string, values: Values): readonly Buffer[] {
  const answer: unknown = typeof values === 'function' ? values() : values
  const digests = disarm(answer) ? undefined : digestsOf(answer)
  if (digests !== undefined) return digests
  throw new TypeError(`${where}: provenBy.secret.values() must return ${SAYS}, got ${shown(answer)}`)
}

/** By its length alone: it may be the secret with a slip in it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const entries: readonly unknown[] = value
    return `a list of ${entries.length}${entries.length > MAX_VALUES ? '' : `: ${entries.map(shown).join(', ')}`}`
  }
  if (typeof value !== 'string') return value === undefined ? 'nothing' : `a value of type ${typeof value}`
  const length = secretTextShown(value)
  const isOfFew = value.length >= MIN_LENGTH && !isPlaceholder(value) && new Set(value).size < MIN_DISTINCT
  return isOfFew ? `${length}, fewer than ${MIN_DISTINCT} of them different` : length
}

/** `undefined` where one of them is no secret. */
function digestsOf(values: unknown): readonly Buffer[] | undefined {
  const list: readonly unknown[] = Array.isArray(values) ? values : [values]
  if (list.length === 0 || list.length > MAX_VALUES || !list.every(isSecret)) return undefined
  return list.map(digestOf)
}

function isSecret(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= MIN_LENGTH &&
    value.length <= MAX_LENGTH &&
    /^[\x21-\x7e]+$/.test(value) &&
    isDrawn(value)
  )
}

function digestOf(value: string): Buffer {
  return createHash('sha256').update(value, 'latin1').digest()
}
