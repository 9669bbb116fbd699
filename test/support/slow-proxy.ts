import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface SlowProxy {
  readonly port: number
  /** How long everything that comes from the server is held back, in **milliseconds**. */
  delayMs: number
  close(): Promise<void>
}

/** Passes a TCP connection on, and what comes back only after a while: a network or a server that has become slow. */
export async function slowProxy(targetPort: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => other.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }
  const server = createServer((near) => {
    const far = connect(targetPort, '127.0.0.1')
    keep(near, far)
    keep(far, near)
    near.pipe(far)
    far.on('data', (chunk) => {
      setTimeout(() => near.writable && near.write(chunk), proxy.delayMs)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const proxy: SlowProxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        for (const socket of sockets) socket.destroy()
      }),
  }
  return proxy
}
