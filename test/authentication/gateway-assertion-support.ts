import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openContext } from '../../src/core/context.js'
import type { HopAnswer, HopProof } from '../../src/core/hop-proof.js'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'

/** A request as it arrives from a gateway, without a connection; a header with several values came in as many lines. */
export function arriving(
  headers: Readonly<Record<string, string | readonly string[]>>,
  method = 'GET',
  url = '/orders/1?x=1',
): IncomingMessage {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one] as const),
  )
  return {
    method,
    url,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')]),
    ),
    rawHeaders: lines.flat(),
    socket: { remoteAddress: '127.0.0.1' },
  } as unknown as IncomingMessage
}

/** What a proof says of a request with this header. */
export async function prove(proof: HopProof, req: IncomingMessage): Promise<HopAnswer> {
  return proof.prove(req, openContext(req))
}

/** The reasons of the refusals that were told while `work` was done. */
export async function reasonsOf(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  const events: OperationalEvent[] = []
  const stop = onEvent((event) => events.push(event))
  try {
    await work()
  } finally {
    stop()
  }
  return events.filter(({ event }) => event === 'assertion_refused').map(({ facts }) => facts['reason'])
}

export interface KeyServer {
  readonly url: string
  /** What was asked for, in order. */
  readonly asked: string[]
  close(): Promise<void>
}

/** Answers each path with a status and a body. */
export async function keyServer(
  answer: (path: string) => readonly [number, string, Record<string, string>?],
): Promise<KeyServer> {
  const asked: string[] = []
  const server: Server = createServer((req, res) => {
    const path = req.url ?? ''
    asked.push(path)
    const [status, body, headers] = answer(path)
    res.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}
