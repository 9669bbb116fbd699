import { NEW_ORDERS_PER_MINUTE } from './service.js'

const ORDER = { items: [{ sku: 'TEA-100', quantity: 2 }] }
const NOBODYS_ORDER = '00000000-0000-4000-8000-000000000000'
const LARGE = 20_000

/**
 * One request for each answer that a caller can get, with the status that is promised for it.
 *
 * @param {Readonly<Record<'shop' | 'report' | 'batch', string>>} tokens an access token of each client
 */
export function requestsWith(tokens) {
  return [
    { status: 201, title: 'the shop places an order', body: ORDER, token: tokens.shop },
    {
      status: 400,
      title: 'an order with three mistakes: the answer names the place of each',
      body: { items: [{ sku: 'tea', quantity: 0 }], discount: 100 },
      token: tokens.shop,
    },
    { status: 401, title: 'no token', body: ORDER },
    {
      status: 401,
      title: 'a token whose signature was changed: the caller is not told what is wrong, the audit record is',
      body: ORDER,
      token: forged(tokens.shop),
    },
    {
      status: 403,
      title: 'the report service, which may only read, places an order',
      body: ORDER,
      token: tokens.report,
    },
    {
      status: 404,
      title: 'an order that does not exist (as does one of somebody else)',
      path: `/orders/${NOBODYS_ORDER}`,
      token: tokens.report,
    },
    {
      status: 413,
      title: `a body of ${LARGE} bytes, where 10 kB are allowed`,
      large: LARGE,
      token: tokens.shop,
    },
    {
      status: 415,
      title: 'a body that is not JSON',
      body: 'two boxes of tea, please',
      type: 'text/plain',
      token: tokens.shop,
    },
    {
      status: 429,
      title: `the batch service places ${NEW_ORDERS_PER_MINUTE + 1} orders in a minute: the last is one too many`,
      body: ORDER,
      token: tokens.batch,
      times: NEW_ORDERS_PER_MINUTE + 1,
    },
  ].map((request) => ({ path: '/orders', type: 'application/json', times: 1, ...request }))
}

/** Sends a request as often as it says; answers with the last response. */
export async function send(url, { path, type, body, large, token, times }) {
  const content = large === undefined ? textOf(body) : 'x'.repeat(large)
  let last
  for (let sent = 0; sent < times; sent += 1) {
    const response = await fetch(url + path, {
      method: content === undefined ? 'GET' : 'POST',
      headers: {
        ...(content === undefined ? {} : { 'content-type': type }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: content,
      signal: AbortSignal.timeout(10_000),
    })
    last = { status: response.status, headers: response.headers, body: await response.text() }
  }
  return last
}

/** The same request for a shell. The token stands last, so that what is special about a command stands first. */
export function curlOf(url, { path, type, body, large, token, times }) {
  const content = large === undefined ? textOf(body) : undefined
  const curl = [
    times === 1 ? `curl -i -w '\\n' ${url}${path}` : `curl -si -w '\\n' ${url}${path}`,
    ...(content === undefined && large === undefined ? [] : [`-H ${quoted(`Content-Type: ${type}`)}`]),
    ...(content === undefined ? [] : [`-d ${quoted(content)}`]),
    ...(large === undefined ? [] : ['--data-binary @-']),
    ...(token === undefined ? [] : [`-H ${quoted(`Authorization: Bearer ${token}`)}`]),
  ].join(' ')
  if (large !== undefined) return `head -c ${large} /dev/zero | tr '\\0' x | ${curl}`
  if (times > 1) return `for n in $(seq ${times}); do ${curl}; done | grep -iE '^HTTP|^Retry-After|"code"'`
  return curl
}

/** The client credentials grant, for a shell. */
export function tokenCommandOf(issuer, { id, secret, scope }) {
  return `curl -u ${id}:${secret} -d grant_type=client_credentials -d ${quoted(`scope=${scope}`)} -w '\\n' ${issuer}/token`
}

function textOf(body) {
  return typeof body === 'object' ? JSON.stringify(body) : body
}

function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The first character of the signature: changing the last one may change no bit of it. */
function forged(token) {
  const at = token.lastIndexOf('.') + 1
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}
