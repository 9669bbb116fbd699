import { request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { text } from 'node:stream/consumers'

export interface Question {
  readonly port: number
  /** Over TLS: whom to trust, and what to show. */
  readonly tls?: {
    readonly ca: string
    readonly servername: string
    readonly cert?: string
    readonly key?: string
  }
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** With a body it is a POST. */
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly challenge: string
  readonly body: Readonly<Record<string, unknown>>
}

/** One request on a connection of its own: a session that another caller began is never taken over. */
export function ask({ port, tls, path = '/', headers = {}, body }: Question): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options: RequestOptions = {
    ...{ host: '127.0.0.1', port, path, method, agent: false },
    headers: { ...length, ...headers },
  }
  return new Promise((resolve, reject) => {
    const call = tls === undefined ? plainRequest(options) : tlsRequest({ ...options, ...tls })
    call.on('response', (response) => {
      text(response).then((answer) => {
        resolve({
          status: response.statusCode ?? 0,
          challenge: response.headers['www-authenticate'] ?? '',
          body: answer.startsWith('{') ? (JSON.parse(answer) as Record<string, unknown>) : {},
        })
      }, reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}
