import { readJson } from '../../core/remote-json.js'

const MAX_BYTES = 1024 * 1024

/**
 * Reads a JSON document from a key server: GET, no redirect, at most 1 MiB, until `signal` ends it.
 *
 * Throws for anything but a 200 with JSON inside these bounds. The content type is not checked.
 */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    redirect: 'manual',
    signal,
    headers: { accept: 'application/json, application/jwk-set+json' },
  })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url} answered ${response.status}`)
  }
  return readJson(response, url, MAX_BYTES)
}
