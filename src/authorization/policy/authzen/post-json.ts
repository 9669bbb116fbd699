interface Question {
  readonly fetch: typeof globalThis.fetch
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
  readonly maxBytes: number
}

/** Sends JSON, follows no redirect, and answers with the JSON of a 200. Throws for anything else. */
export async function postJson({ fetch, url, headers, body, signal, maxBytes }: Question): Promise<unknown> {
  const fields = new Headers(headers)
  fields.set('content-type', 'application/json')
  fields.set('accept', 'application/json')
  const response = await fetch(url, { method: 'POST', headers: fields, body, signal, redirect: 'error' })
  const fault = faultOf(response)
  if (fault !== undefined) {
    await response.body?.cancel()
    throw new Error(`${url} ${fault}`)
  }
  const answer = await readBounded(response, url, maxBytes)
  try {
    return JSON.parse(answer)
  } catch {
    // The parser's message quotes the text.
    throw new Error(`${url} answered no JSON`)
  }
}

function faultOf(response: Response): string | undefined {
  if (response.redirected) return 'was left by a redirect'
  if (response.status !== 200) return `answered ${response.status}`
  const type = response.headers.get('content-type') ?? ''
  return /^application\/json(?:\s*;|$)/i.test(type) ? undefined : 'answered no application/json'
}

async function readBounded(response: Response, url: string, maxBytes: number): Promise<string> {
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

/** Settles within the time, even where the work does not listen to its signal. */
export function withinMs<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = new Error(`no answer within ${timeoutMs} ms`)
      reject(late)
      controller.abort(late)
    }, timeoutMs)
    // What the work throws at once is a rejection too, and ends the timer.
    new Promise<T>((settle) => {
      settle(work(controller.signal))
    })
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
      })
  })
}

/** Whether a decision may be asked for at this address: https, or plain http to this very machine. */
export function isSecureUrl(text: unknown): boolean {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const { protocol, hostname, username, password, search, hash } = new URL(text)
  if (username !== '' || password !== '' || search !== '' || hash !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
