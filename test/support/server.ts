import { createServer, type RequestListener, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'

export interface RunningServer {
  readonly url: string
  readonly port: number
  readonly server: Server
  close(): Promise<void>
}

/** Serves an application on a free loopback port. */
export async function serve(app: RequestListener): Promise<RunningServer> {
  const server = createServer(app)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

/** Sends bytes as they are, which no HTTP client would, and returns all that came back until the connection ended. */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text)
    })
    let received = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      received += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(received)
    })
  })
}

/** The bytes of a request with these header lines, in this order; the connection is to be closed after the answer. */
export function rawRequest(
  method: string,
  path: string,
  headerLines: readonly string[] = [],
  body = '',
): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return [
    `${method} ${path} HTTP/1.1`,
    'Host: api.test',
    'Connection: close',
    ...headerLines,
    ...length,
    '',
    body,
  ].join('\r\n')
}
