import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, pipeline } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { secureErrors } from '../../src/errors/secure-errors.js'
import type { KeptAnswer } from '../../src/traffic/idempotency/answers.js'
import { captureAnswer } from '../../src/traffic/idempotency/capture.js'
import { rawRequest, sendRaw, serve, type RunningServer } from '../support/server.js'

const MAX = 1000
const REQUEST_ID = /"requestId":"[^"]*"/
const folder = mkdtempSync(join(tmpdir(), 'bulwark-capture-'))
const file = join(folder, 'a.txt')
writeFileSync(file, 'from a file')

type Way = (res: express.Response) => unknown
const big = 'x'.repeat(MAX + 1)

const WAYS: Readonly<Record<string, Way>> = {
  'res.json': (res) => res.status(201).location('/a').json({ a: 'ü' }),
  'res.send of bytes': (res) => res.send(Buffer.from([0, 255, 10])),
  'res.sendStatus': (res) => res.sendStatus(202),
  'res.sendFile': (res) => {
    res.sendFile(file)
  },
  'res.redirect': (res) => {
    res.redirect('/elsewhere')
  },
  'end alone': (res) => res.end(),
  'end with an encoding': (res) => res.end('00ff', 'hex'),
  '204 with a body': (res) => res.status(204).end('not sent'),
  'write and end': (res) => {
    res.write('a')
    res.write('62', 'hex')
    res.write(new Uint8Array([99]))
    res.end('d')
  },
  'a length of its own': (res) => {
    res.setHeader('Content-Length', 2)
    res.write('a')
    res.end('b')
  },
  'writeHead with an object': (res) => res.writeHead(201, 'Made', { Location: '/a', 'X-B': 'b' }).end('c'),
  'writeHead with a flat list': (res) => res.writeHead(201, ['Location', '/a', 'ETag', '"e"']).end('c'),
  'writeHead by its other name': (res) => {
    ;(res as unknown as { writeHeader: typeof res.writeHead }).writeHeader(201, { Location: '/a' })
    res.end('c')
  },
  'flushHeaders first': (res) => {
    res.flushHeaders()
    res.end('late')
  },
  'a pipe': (res) => Readable.from(['a', 'b', 'c']).pipe(res),
  'a pipeline': (res) => {
    pipeline(Readable.from(['a', 'b']), res, () => undefined)
  },
  'callbacks before the next word': (res) => {
    res.write('a', () => res.write('b', 'utf8', () => res.end('c')))
  },
  'memory that is used again': (res) => {
    const memory = Buffer.from('a')
    res.write(memory, () => {
      memory.write('b')
      res.end(memory)
    })
  },
  'more than is kept, at once': (res) => res.send(big),
  'more than is kept, in many words': (res) =>
    Readable.from(Array<string>(50).fill('y'.repeat(100))).pipe(res),
  'far more than a socket takes': (res) =>
    Readable.from(Array<Buffer>(40).fill(Buffer.alloc(50_000, 'z'))).pipe(res),
  'more than is kept, without asking whether there is room': (res) => {
    for (let index = 0; index < 30; index += 1) res.write('v'.repeat(100))
    res.end('w')
  },
  'two answers': (res) => {
    res.json({ first: true })
    res.json({ second: true })
  },
  'an error after the answer': (res) => {
    res.json({ first: true })
    throw new Error('too late')
  },
  'an error after a part of it': (res) => {
    res.write('a')
    throw new Error('no')
  },
  'an error before it': () => {
    throw new Error('no')
  },
  'words after the end': (res) => {
    res.on('error', () => undefined)
    res.end('a')
    res.write('b')
    res.end('c')
  },
  'a chunk that is none': (res) => res.write(5),
}

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Settled {
  status: number
  answer: KeptAnswer | undefined
  /** Whether anything had gone out by then. */
  sentBefore: number
}

describe.each<[string, number | undefined]>([
  ['at once', undefined],
  ['later', 5],
])('an answer that is settled %s', (_when, delayMs) => {
  let captured: RunningServer
  let plain: RunningServer
  let settled: Settled[] = []
  const headers = new Set(['location', 'etag', 'content-type'])

  const appWith = (isCaptured: boolean): express.Express => {
    const app = express()
    app.use('/:way', (req, res) => {
      if (isCaptured)
        captureAnswer(res, {
          headers,
          maxBodyBytes: MAX,
          settle: (status, answer) => {
            settled.push({ status, answer, sentBefore: res.socket?.bytesWritten ?? 0 })
            return delayMs === undefined ? undefined : new Promise((resolve) => setTimeout(resolve, delayMs))
          },
          release: () => undefined,
        })
      WAYS[decodeURIComponent(req.params.way)]?.(res)
    })
    app.use(secureErrors() as express.ErrorRequestHandler)
    return app
  }
  const ask = async ({ port }: RunningServer, way: string): Promise<{ head: string[]; body: string }> => {
    const text = await sendRaw(port, rawRequest('POST', `/${encodeURIComponent(way)}`))
    const end = text.indexOf('\r\n\r\n')
    const lines = text
      .slice(0, Math.max(0, end))
      .split('\r\n')
      .filter((line) => !/^date:/i.test(line))
    const body = text.slice(end + 4).replace(REQUEST_ID, '')
    const isChunked = lines.some((line) => /^transfer-encoding: chunked/i.test(line))
    return { head: lines.toSorted(), body: isChunked ? joinedChunks(body) : body }
  }

  const { error } = console
  beforeAll(async () => {
    console.error = () => undefined
    captured = await serve(appWith(true))
    plain = await serve(appWith(false))
  })
  afterAll(async () => {
    console.error = error
    await captured.close()
    await plain.close()
  })

  it.each(Object.keys(WAYS))('goes out as it would by itself: %s', async (way) => {
    settled = []
    const [got, expected] = [await ask(captured, way), await ask(plain, way)]
    // Without a word on the wire nothing tells an error after a part of an answer from one before it.
    if (way === 'an error after a part of it') {
      expect(got).toEqual({ head: [''], body: '' })
      expect(settled).toEqual([])
      return
    }
    expect(got).toEqual(expected)
    expect(settled).toHaveLength(1)
    const [{ status, answer, sentBefore }] = settled as [Settled]
    expect(got.head.some((line) => line.startsWith(`HTTP/1.1 ${status} `))).toBe(true)
    if (/than is kept|far more/.test(way)) {
      expect(answer).toBeUndefined()
      // All but the end of it, where it was too large before that.
      expect(sentBefore > 0).toBe(way !== 'more than is kept, at once')
      return
    }
    expect(sentBefore).toBe(0)
    const kept = Buffer.from(answer?.body ?? []).toString()
    expect(status === 204 ? '' : kept.replace(REQUEST_ID, '')).toBe(got.body)
    for (const [name, values] of answer?.headers ?? [])
      expect(got.head.map((line) => line.toLowerCase())).toContain(`${name}: ${values.join()}`.toLowerCase())
    if (way.startsWith('writeHead')) expect(answer?.headers).toContainEqual(['location', ['/a']])
  })
})

function joinedChunks(body: string): string {
  let joined = ''
  for (let rest = body; rest !== '';) {
    const end = rest.indexOf('\r\n')
    const length = Number.parseInt(rest.slice(0, end), 16)
    if (!(length > 0)) break
    joined += rest.slice(end + 2, end + 2 + length)
    rest = rest.slice(end + 2 + length + 2)
  }
  return joined
}
