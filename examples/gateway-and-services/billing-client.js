import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { problem } from 'express-bulwark'

const TIMEOUT_MS = 3000

/**
 * How the orders service calls the billing service: by mutual TLS with its own certificate, and with its own token.
 *
 * @param {object} options
 * @param {string} options.host
 * @param {number} options.port
 * @param {{ cert: string, key: string }} options.credential the orders service's own
 * @param {string} options.authority PEM of the internal authority: no public one speaks for a service of yours
 * @param {() => Promise<string>} options.token
 */
export function billingClient({ host, port, credential, authority, token }) {
  const agent = new Agent({
    ...credential,
    ca: authority,
    // Which service must answer, wherever the address leads. Never rejectUnauthorized: false.
    servername: 'billing.internal',
    minVersion: 'TLSv1.2',
    keepAlive: true,
    maxSockets: 16,
  })

  async function createInvoice(invoice) {
    const { status, body } = await post('/invoices', invoice, await token())
    if (status !== 201) throw new Error(`billing answered ${status}`)
    return JSON.parse(body)
  }

  function post(path, content, bearer) {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${bearer}` }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    return new Promise((resolve, reject) => {
      const call = request({ host, port, path, method: 'POST', headers, agent, signal }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode, body }), reject)
      })
      call.on('error', reject)
      call.end(JSON.stringify(content))
    })
  }

  return {
    createInvoice: (invoice) =>
      createInvoice(invoice).catch((cause) => {
        // The caller is told that it did not work; what the other service said to this one stands in the record.
        const detail = 'The order was not placed. Try again.'
        throw problem({ status: 503, code: 'billing_unavailable', detail, cause })
      }),
    close: () => agent.destroy(),
  }
}
