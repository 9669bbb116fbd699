// Asked for again so much earlier, so that none ends on its way.
const EARLIER_MS = 30_000
const TIMEOUT_MS = 5000

/**
 * What a calling service does: gets access tokens by its own id and secret (RFC 6749 section 4.4), each for one service
 * (RFC 8707), and keeps each as long as it is good. However many requests need one, one asks.
 *
 * @param {object} options
 * @param {string} options.issuer the address of its token endpoint stands in its metadata; here it is always this one
 * @param {{ id: string, secret: string }} options.client
 */
export function tokenSource({ issuer, client }) {
  const kept = new Map()

  return async function tokenFor(audience, scope) {
    const name = `${audience} ${scope}`
    let held = kept.get(name)
    if (held === undefined || held.endsMs <= Date.now()) {
      held = { asked: requestToken({ issuer, client, audience, scope }), endsMs: Date.now() + TIMEOUT_MS }
      kept.set(name, held)
    }
    try {
      const { token, endsMs } = await held.asked
      held.endsMs = endsMs
      return token
    } catch (cause) {
      // One failure is not every later caller's.
      if (kept.get(name) === held) kept.delete(name)
      throw cause
    }
  }
}

async function requestToken({ issuer, client, audience, scope }) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope }),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(`no token for ${client.id}: ${response.status} ${answer.error}`)
  return { token: answer.access_token, endsMs: Date.now() + answer.expires_in * 1000 - EARLIER_MS }
}
