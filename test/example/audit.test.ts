import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { COMMAND, built } from '../support/built.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const copies: string[] = []

beforeAll(built, 120_000)

afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
})

const lineOf = (source: string, text: string): number =>
  source.slice(0, source.indexOf(text)).split('\n').length

/** The orders service as somebody copied it out, with something of it left out. */
function copyWithout(text?: string): { readonly copy: string; readonly source: string } {
  const copy = mkdtempSync(join(tmpdir(), 'express-bulwark-audit-'))
  copies.push(copy)
  cpSync(join(root, 'examples/orders-service'), copy, { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const file = join(copy, 'service.js')
  const source = readFileSync(file, 'utf8')
  if (text === undefined) return { copy, source }
  expect(source).toContain(text)
  writeFileSync(file, source.replace(text, ''))
  return { copy, source: source.replace(text, '') }
}

interface Finding {
  readonly code: string
  readonly where?: string
  readonly message: string
  readonly file?: string
  readonly line?: number
}

function audit(cwd: string): Promise<{ readonly code: number; readonly findings: readonly Finding[] }> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [COMMAND, 'audit', 'app.js', '--format', 'json'],
      { cwd, timeout: 30_000 },
      (error, stdout, stderr) => {
        try {
          const { answers } = JSON.parse(stdout) as { answers: readonly { findings: readonly Finding[] }[] }
          const code = error === null ? 0 : (error as { code?: unknown }).code
          resolve({ code: Number(code), findings: answers.flatMap(({ findings }) => findings) })
        } catch (cause) {
          reject(new Error(stderr, { cause }))
        }
      },
    )
  })
}

describe('the audit of the orders service', () => {
  it('has no finding', async () => {
    expect(await audit(copyWithout().copy)).toEqual({ code: 0, findings: [] })
  }, 40_000)

  /** What is left out, the finding, its row, and what stands on its line; where nothing does, what its message names. */
  it.each<[string, string, string | undefined, { readonly line: string } | { readonly names: string }]>([
    [
      "    requireScopes('orders:write'),\n",
      'route-for-everybody',
      'POST /orders',
      { line: 'validateBody(orderSchema)' },
    ],
    [
      "requireScopes('orders:read'), ",
      'route-for-everybody',
      'GET /orders/:id',
      { names: 'requireScopes()' },
    ],
    [
      '    validateBody(orderSchema),\n',
      'body-unvalidated',
      'POST /orders',
      { line: "requireScopes('orders:write')" },
    ],
    ['  app.use(authentication)\n', 'route-refused', 'POST /orders', { line: 'validateBody(orderSchema)' }],
    [
      '  app.use(perAddress)\n',
      'limit-before-authentication-missing',
      'GET /orders/:id',
      { line: "app.get('/orders/:id'" },
    ],
    [
      '  app.use(perCaller)\n',
      'limit-by-caller-missing',
      'GET /orders/:id',
      { line: "app.get('/orders/:id'" },
    ],
    ["publicRoute('liveness probe'), ", 'route-refused', 'GET /health', { names: 'GET /health' }],
    [
      ', maxTokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS',
      'token-lifetime-unbounded',
      undefined,
      { line: 'authenticate({ issuer' },
    ],
    ['  app.use(audit)\n', 'audit-missing', undefined, { names: 'auditLog()' }],
    ['  app.use(secureErrors())\n', 'secure-errors-missing', undefined, { names: 'secureErrors()' }],
  ])(
    'without %j fails, and says where',
    async (text, code, where, at) => {
      const { copy, source } = copyWithout(text)
      const { code: exit, findings } = await audit(copy)
      expect(exit).toBe(1)
      const found = findings.find(
        (finding) => finding.code === code && (where === undefined || finding.where === where),
      )
      expect(found).toMatchObject(
        'line' in at
          ? { file: 'service.js', line: lineOf(source, at.line) }
          : { message: expect.stringContaining(at.names) as unknown },
      )
    },
    40_000,
  )
})
