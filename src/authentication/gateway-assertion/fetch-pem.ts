import { readBounded } from '../../core/remote-json.js'

/** A public key on P-256 in PEM has less than 200 characters. */
const MAX_BYTES = 4096

const PUBLIC_KEY = /^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/

/**
 * Reads a public key in PEM form: GET, no redirect, at most 4 KiB, until `signal` ends it. `undefined` where the server
 * says that there is none (403, 404).
 *
 * Throws for any other answer.
 */
export async function fetchPem(url: string, signal: AbortSignal): Promise<string | undefined> {
  const response = await fetch(url, { redirect: 'manual', signal })
  if (response.status !== 200) {
    await response.body?.cancel()
    if (response.status === 404 || response.status === 403) return undefined
    throw new Error(`the key server answered ${response.status}`)
  }
  const text = await readBounded(response, 'the key server', MAX_BYTES)
  if (!PUBLIC_KEY.test(text)) throw new Error('the key server answered no public key')
  return text
}
