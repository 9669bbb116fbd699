import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const root = fileURLToPath(new URL('../../', import.meta.url))
const command = join(root, 'dist/esm/cli/main.js')
const copies: string[] = []

beforeAll(() => {
  if (existsSync(command)) return
  const { status } = spawnSync(process.execPath, ['scripts/build.js'], { cwd: root, stdio: 'inherit' })
  expect(status).toBe(0)
}, 120_000)

afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true })
})

/** The orders service as somebody copied it out, with something of it left out. */
function copyWithout(text?: string): string {
  const copy = mkdtempSync(join(tmpdir(), 'express-bulwark-audit-'))
  copies.push(copy)
  cpSync(join(root, 'examples/orders-service'), copy, { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const file = join(copy, 'service.js')
  const source = readFileSync(file, 'utf8')
  if (text !== undefined) {
    expect(source).toContain(text)
    writeFileSync(file, source.replace(text, ''))
  }
  return copy
}

interface Finding {
  readonly code: string
  readonly where?: string
  readonly file?: string
}

function audit(cwd: string): Promise<{ readonly code: number; readonly findings: readonly Finding[] }> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [command, 'audit', 'app.js', '--format', 'json'],
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
    expect(await audit(copyWithout())).toEqual({ code: 0, findings: [] })
  }, 40_000)

  it.each<[string, string, string | undefined]>([
    ["    requireScopes('orders:write'),\n", 'route-for-everybody', 'POST /orders'],
    ["requireScopes('orders:read'), ", 'route-for-everybody', 'GET /orders/:id'],
    ['    validateBody(orderSchema),\n', 'body-unvalidated', 'POST /orders'],
    ['  app.use(authentication)\n', 'route-refused', 'POST /orders'],
    ['  app.use(perAddress)\n', 'limit-before-authentication-missing', 'GET /orders/:id'],
    ['  app.use(perCaller)\n', 'limit-by-caller-missing', 'GET /orders/:id'],
    ["publicRoute('liveness probe'), ", 'route-refused', 'GET /health'],
    [', maxTokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS', 'token-lifetime-unbounded', undefined],
    ['  app.use(audit)\n', 'audit-missing', undefined],
    ['  app.use(secureErrors())\n', 'secure-errors-missing', undefined],
  ])(
    'without %j fails, and says where',
    async (text, code, where) => {
      const { code: exit, findings } = await audit(copyWithout(text))
      expect(exit).toBe(1)
      expect(findings).toContainEqual(
        expect.objectContaining(where === undefined ? { code } : { code, where }),
      )
    },
    40_000,
  )
})
