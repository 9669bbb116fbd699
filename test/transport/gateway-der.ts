import { X509Certificate, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

/** What a certificate of a test is made of. All are called the same, as an attacker would have it. */
export interface Making {
  /** Whose key signs it. */
  readonly by: KeyObject
  /** Public key in it, as SubjectPublicKeyInfo. */
  readonly spki: Buffer
  readonly ca: boolean
  /** Extended key usages, as hexadecimal object identifiers. */
  readonly purposes?: readonly string[]
}

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly spki: Buffer
}

/** A public exponent as long as the modulus: verifying one signature takes tens of milliseconds. */
export const SLOW_KEY = rsaKey(Buffer.alloc(384, 0xab), Buffer.alloc(384, 0xa9))
export const FOR_SERVERS = '2b06010505070301'
export const FOR_CLIENTS = '2b06010505070302'
export const FOR_ANYTHING = '551d2500'

export function keyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, spki: publicKey.export({ type: 'spki', format: 'der' }) }
}

let serial = 0

/** A certificate of X by X, good from 2025 to 2049. */
export function certificate({ by, spki, ca, purposes = [] }: Making): X509Certificate {
  serial += 1
  const algorithm = sequence(oid('2a8648ce3d040302'))
  const time = (text: string): Buffer => tagged(0x17, Buffer.from(text))
  const basic = extension('551d13', sequence(...(ca ? [tagged(1, Buffer.from([255]))] : [])))
  const usage = purposes.length === 0 ? [] : [extension('551d25', sequence(...purposes.map(oid)))]
  const name = sequence(tagged(0x31, sequence(oid('550403'), tagged(12, Buffer.from('X')))))
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.from([1, serial >> 8, serial & 255])),
    algorithm,
    name,
    sequence(time('250101000000Z'), time('490101000000Z')),
    name,
    spki,
    tagged(0xa3, sequence(basic, ...usage)),
  )
  return new X509Certificate(sequence(content, algorithm, bits(sign('sha256', content, by))))
}

/** Whether OpenSSL reads the slow key at all: else the test with it would prove nothing. */
export function isReadable(spki: Buffer): boolean {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyType === 'rsa'
}

function rsaKey(modulus: Buffer, exponent: Buffer): Buffer {
  const algorithm = sequence(oid('2a864886f70d010101'), tagged(5))
  return sequence(algorithm, bits(sequence(integer(modulus), integer(exponent))))
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts)
}

function integer(bytes: Buffer): Buffer {
  return tagged(2, (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes)
}

function oid(hex: string): Buffer {
  return tagged(6, Buffer.from(hex, 'hex'))
}

function bits(content: Buffer): Buffer {
  return tagged(3, Buffer.from([0]), content)
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tagged(4, value))
}
