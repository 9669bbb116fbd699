import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ID_LENGTH = 12
/** 190 bits. */
const SECRET_LENGTH = 32
/** 62 to the sixth is more than 2 to the 32nd. */
const CHECK_LENGTH = 6

/** Without an underscore, so that a key has one reading: it is what stands between prefix, id and secret. */
const PREFIX = /^[a-z][a-z0-9]{1,15}$/
const ID = /^[0-9A-Za-z]{12}$/
const KEY = /^([a-z][a-z0-9]{1,15})_([0-9A-Za-z]{12})_[0-9A-Za-z]{38}$/

export function isPrefix(value: unknown): value is string {
  return typeof value === 'string' && PREFIX.test(value)
}

export function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value)
}

export function newKeyId(): string {
  return randomText(ID_LENGTH)
}

/** A key as its holder sees it: `<prefix>_<id>_<secret><check digits>`. */
export function newKeyText(prefix: string, id: string): string {
  const text = `${prefix}_${id}_${randomText(SECRET_LENGTH)}`
  return text + checkDigits(text)
}

/**
 * The id in a key of this prefix, or `undefined` for whatever else: another shape, or digits that do not check. Nothing
 * has to be looked up to refuse a key that was mistyped or cut short, nor to recognise one that leaked.
 */
export function readKeyId(prefix: string, key: string): string | undefined {
  const [, foundPrefix, id] = KEY.exec(key) ?? []
  if (foundPrefix !== prefix) return undefined
  return checkDigits(key.slice(0, -CHECK_LENGTH)) === key.slice(-CHECK_LENGTH) ? id : undefined
}

/** CRC-32 (as in zip) in base62, most significant digit first: what ends GitHub's tokens too. */
export function checkDigits(text: string): string {
  let rest = crc32(text)
  let digits = ''
  while (digits.length < CHECK_LENGTH) {
    digits = (BASE62[rest % 62] as string) + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** `randomInt` draws again where a remainder would favour the first letters. */
function randomText(length: number): string {
  let text = ''
  while (text.length < length) text += BASE62[randomInt(62)] as string
  return text
}
