import type { Socket } from 'node:net'
import { afterAll, describe, expect, it } from '@jest/globals'
import { planOf } from '../../src/cli/abuse/plan.js'
import { prove } from '../../src/cli/abuse/prove.js'
import { BOUNDS } from '../../src/cli/abuse/sender.js'
import { abuseWorld } from './abuse-support.js'

const { folder, abuse, served, spoken, close } = abuseWorld()
afterAll(close)

/** Says something now, and again and again. */
const forEver = (socket: Socket, text: string): void => {
  const timer = setInterval(() => socket.write(text), 20)
  socket.on('close', () => {
    clearInterval(timer)
  })
}
const QUICK = { ...BOUNDS, seconds: 3, waitMs: 200, restMs: 100 }
const proven = async (url: string, bounds = QUICK) => prove(await planOf(url, {}, folder), bounds)

describe('abuse of a service that never comes to an end', () => {
  it.each<[string, (socket: Socket) => void]>([
    [
      'headers that come by the byte',
      (socket) => {
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nX-A: ')
          forEver(socket, 'a')
        })
      },
    ],
    [
      'a 103 again and again',
      (socket) => {
        socket.once('data', () => {
          forEver(socket, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
        })
      },
    ],
    ['silence', () => undefined],
  ])('%s: the service does not answer', async (_what, talk) => {
    const startedMs = performance.now()
    await expect(proven(await spoken(talk))).rejects.toMatchObject({
      exitCode: 2,
      message: 'The service does not answer: nothing within 0.2 s.',
    })
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })

  it('streams of events behind a limit are broken off, and the limit is proven', async () => {
    let count = 0
    let open = 0
    const url = await served((_req, res) => {
      count += 1
      open += 1
      res.setHeader('RateLimit-Policy', '"a";q=60;w=60')
      res.setHeader('RateLimit', `"a";r=${Math.max(0, 60 - count)};t=60`)
      res.writeHead(count > 60 ? 429 : 200, { 'content-type': 'text/event-stream', 'retry-after': '60' })
      res.write(': x\n\n')
      const timer = setInterval(() => res.write(': x\n\n'), 20)
      res.on('close', () => {
        open -= 1
        clearInterval(timer)
      })
    })
    // A machine that is busy answers late; it is the end that is looked at here.
    const { findings } = await proven(url, { ...BOUNDS, restMs: 100 })
    expect(findings.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(findings[0]).toMatchObject({ outcome: 'kept', says: expect.stringContaining('60 let through') })
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(open).toBe(0)
  })

  it('the run ends when its time is over, and says so', async () => {
    let count = 0
    // The first are answered, the others each a little before they would be given up.
    const url = await served((_req, res) => {
      count += 1
      res.setHeader('RateLimit-Policy', '"a";q=900;w=600')
      res.setHeader('RateLimit', `"a";r=${900 - count};t=600`)
      setTimeout(() => res.end(), count < 4 ? 0 : 150)
    })
    const startedMs = performance.now()
    await expect(proven(url, { ...QUICK, seconds: 1 })).rejects.toMatchObject({
      exitCode: 1,
      message: 'The run was ended after 1 seconds: the limit is not proven.',
    })
    expect(performance.now() - startedMs).toBeLessThan(5000)
  })

  it('a port that speaks no TLS: it says why', async () => {
    const url = await served((_req, res) => res.end())
    const { code, stderr } = await abuse(url.replace('http:', 'https:'))
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /The service does not answer: \w+\.\n +What listens there may speak http: and no https:/,
    )
  })
})
