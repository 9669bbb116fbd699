import { readJson } from '../../../core/remote-json.js'

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
  return readJson(response, url, maxBytes)
}

function faultOf(response: Response): string | undefined {
  if (response.redirected) return 'was left by a redirect'
  if (response.status !== 200) return `answered ${response.status}`
  const type = response.headers.get('content-type') ?? ''
  return /^application\/json(?:\s*;|$)/i.test(type) ? undefined : 'answered no application/json'
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
