import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import cors from 'cors'
import express from 'express'
import { authenticate } from '../../src/authentication/authenticate.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { exposedHeaders } from '../../src/transport/exposed-headers.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'
import { validateBody } from '../../src/validation/validate-body.js'
import { describeWith, program } from '../support/requirements.js'
import { serve, type RunningServer } from '../support/server.js'

const FIELDS = ['www-authenticate', 'retry-after', 'ratelimit', 'ratelimit-policy']

/** What a script in a page could read of one answer. */
interface Read {
  readonly status?: number
  readonly code?: string
  readonly failed?: string
  readonly fields?: Readonly<Record<string, string | null>>
}

describeWith(program('chromium', 'chromium'), 'a page of another origin, in a real browser', () => {
  let issuer: LocalIssuer
  let profile = ''
  const servers: RunningServer[] = []

  beforeAll(async () => {
    issuer = await localIssuer()
    profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()))
    await issuer.stop()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  })

  /** A page that calls the API in turn and leaves in its document what it could read. */
  async function readIn(
    name: string,
    corsFor: (origin: string) => express.RequestHandler,
  ): Promise<readonly Read[]> {
    let page = ''
    const pages = await serve((_req, res) => {
      res.setHeader('Content-Type', 'text/html; charset=utf-8')
      res.end(page)
    })
    const api = await serve(apiWith(name, corsFor(pages.url)))
    servers.push(pages, api)
    const token = await issuer.token({ scope: 'orders:write' })
    const json = { 'content-type': 'application/json' }
    const authorized = { ...json, authorization: `Bearer ${token}` }
    const calls = [
      { method: 'POST', path: '/orders', headers: json, body: '{"sku":"a"}' },
      { method: 'POST', path: '/admin', headers: authorized, body: '{"sku":"a"}' },
      { method: 'POST', path: '/orders', headers: authorized, body: '{"isAdmin":true}' },
      { method: 'POST', path: '/orders', headers: authorized, body: '{"sku":"a"}' },
      { method: 'POST', path: '/orders', headers: authorized, body: '{"sku":"a"}' },
    ]
    page = `<!doctype html><pre id="read">[]</pre><script>(${inPage.toString()})(${JSON.stringify({ base: api.url, calls, fields: FIELDS })})</script>`
    const document = await domOf(`${pages.url}/`, profile)
    const [, text = ''] = /<pre id="read">([^]*?)<\/pre>/.exec(document) ?? []
    return JSON.parse(
      text
        .replace(/&quot;/g, '"')
        .replace(/&amp;/g, '&')
        .replace(/&lt;/g, '<')
        .replace(/&gt;/g, '>'),
    )
  }

  function apiWith(name: string, corsHandler: express.RequestHandler): express.Express {
    const app = express()
    app.use(secureHeaders())
    app.use(corsHandler)
    app.use(authenticate({ issuer: issuer.issuer, audience: 'https://api.test' }))
    app.post('/admin', requireScopes('admin'))
    app.post(
      '/orders',
      requireScopes('orders:write'),
      rateLimit({ name, limit: 2, windowSeconds: 60, by: 'principal' }),
      express.json(),
      validateBody({ type: 'object', properties: { sku: { type: 'string' } } }),
      (_req, res) => {
        res.status(201).json({ code: 'created' })
      },
    )
    app.use(secureErrors())
    return app
  }

  it('reads status, body and the exposed headers of 401, 403, 400, 201 and 429', async () => {
    const read = await readIn('browser-exposed', (origin) =>
      cors({ origin, exposedHeaders: [...exposedHeaders] }),
    )
    expect(read.map(({ status, code }) => [status, code])).toEqual([
      [401, 'unauthorized'],
      [403, 'insufficient_scope'],
      [400, 'input_invalid'],
      [201, 'created'],
      [429, 'limit_exceeded'],
    ])
    const [unauthorized, forbidden, invalid, created, limited] = read.map(({ fields }) => fields)
    expect(unauthorized?.['www-authenticate']).toBe('Bearer')
    expect(forbidden?.['www-authenticate']).toContain('scope="admin"')
    for (const fields of [invalid, created, limited]) {
      expect(fields?.['ratelimit']).toMatch(/^"browser-exposed";r=\d+;t=\d+/)
      expect(fields?.['ratelimit-policy']).toMatch(/^"browser-exposed";q=2;w=60/)
    }
    expect(limited?.['retry-after']).toMatch(/^\d+$/)
  }, 60_000)

  it('reads none of those headers where they are not exposed', async () => {
    const read = await readIn('browser-plain', (origin) => cors({ origin }))
    expect(read.map(({ status }) => status)).toEqual([401, 403, 400, 201, 429])
    for (const { fields } of read) expect(Object.values(fields ?? {})).toEqual(FIELDS.map(() => null))
  }, 60_000)

  it('reads nothing at all where its origin is not named, and no preflight lets it through', async () => {
    const read = await readIn('browser-foreign', () =>
      cors({ origin: 'https://shop.example', exposedHeaders: [...exposedHeaders] }),
    )
    expect(read.map(({ status, failed }) => [status, failed])).toEqual(
      read.map(() => [undefined, 'TypeError']),
    )
    expect(read).toHaveLength(5)
  }, 60_000)
})

/** Runs in the page. */
async function inPage({
  base,
  calls,
  fields,
}: {
  base: string
  calls: (RequestInit & { path: string })[]
  fields: string[]
}): Promise<void> {
  const read: object[] = []
  for (const { path, ...init } of calls) {
    try {
      const answer = await fetch(base + path, init)
      const { code } = (await answer.json()) as { code: string }
      const shown = Object.fromEntries(fields.map((field) => [field, answer.headers.get(field)]))
      read.push({ status: answer.status, code, fields: shown })
    } catch (error) {
      read.push({ failed: (error as Error).name })
    }
  }
  const { document } = globalThis as unknown as {
    document: { getElementById(id: string): { textContent: string } }
  }
  document.getElementById('read').textContent = JSON.stringify(read)
}

/** The document of a page once its scripts have come to rest. */
function domOf(url: string, profile: string): Promise<string> {
  const child = spawn('chromium', [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--user-data-dir=${profile}`,
    '--virtual-time-budget=10000',
    '--dump-dom',
    url,
  ])
  return new Promise((resolve, reject) => {
    let document = ''
    const limit = setTimeout(() => child.kill('SIGKILL'), 45_000)
    child.stdout.on('data', (chunk) => (document += String(chunk)))
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(limit)
      resolve(document)
    })
  })
}
