import type { OptionRule } from './options.js'

/**
 * Whether a server may be asked at this address: https, or plain http to this very machine; never with a user's name or
 * password in it.
 */
export function isSecureUrl(text: unknown): boolean {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** An address that may be asked, or told to others. */
export const secureUrl: OptionRule = {
  says: 'an https URL (http only for a loopback host), without user name or password',
  holds: isSecureUrl,
}

/** As `secureUrl`, of something that other addresses are made of or compared with. */
export const plainSecureUrl: OptionRule = {
  says: 'an https URL (http only for a loopback host), without user name, password, query or fragment',
  holds: (value) => isSecureUrl(value) && !/[?#]/.test(value as string),
}

/** The JSON in a response of at most `maxBytes`. Throws for more, and for what is no JSON. */
export async function readJson(response: Response, url: string, maxBytes: number): Promise<unknown> {
  const text = await readBounded(response, url, maxBytes)
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
    throw new Error(`${url} answered no JSON`)
  }
}

/** The text of a response of at most `maxBytes`. Throws for more; `url` is what the error calls the server. */
export async function readBounded(response: Response, url: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).byteLength
    // Leaving the loop cancels the body, and with it the download.
    if (length > maxBytes) throw new Error(`${url} answered more than ${maxBytes} bytes`)
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks).toString('utf8')
}
