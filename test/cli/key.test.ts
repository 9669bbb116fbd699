import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  lstatSync,
  mkdirSync,
  chmodSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { parseKeyFile } from '../../src/authentication/api-keys/key-file.js'
import { apiKeys, type ApiKeyRecord } from '../../src/authentication/api-keys.js'
import { COMMANDS, helpText } from '../../src/cli/command-list.js'
import { addToKeyFile } from '../../src/cli/key-file.js'
import { run as runCommand } from '../../src/cli/run.js'
import { built, bulwark } from './support.js'

const folder = mkdtempSync(join(tmpdir(), 'bulwark-key-'))
const at = (file: string): string => join(folder, file)
const PEPPER = 'p'.repeat(32)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** The command in this process: it loads no module and starts nothing. */
async function key(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const outputs = { stdout: new PassThrough(), stderr: new PassThrough() }
  const code = await runCommand(['key', ...args], {
    ...outputs,
    cwd: folder,
    environment: { PEPPER, SHORT: 'short' },
    folder,
  })
  const textOf = (output: PassThrough): string => String(output.read() ?? '')
  return { code, stdout: textOf(outputs.stdout), stderr: textOf(outputs.stderr) }
}

const recordsIn = (file: string): ApiKeyRecord[] =>
  [...parseKeyFile(readFileSync(at(file), 'utf8')).records.values()].map((record) => record!)

describe('key new', () => {
  it('shows the key, and the record that is to be kept', async () => {
    const { code, stdout, stderr } = await key('new', '--prefix', 'acme', '--scopes', 'a, b', '--tenant', 't')
    expect(code).toBe(0)
    const [text = '', json = '', end] = stdout.split('\n')
    expect(end).toBe('')
    const record = JSON.parse(json) as ApiKeyRecord
    expect(record).toMatchObject({ scopes: ['a', 'b'], tenant: 't' })
    expect(record).not.toHaveProperty('expiresAt')
    expect(stderr).toBe(
      `express-bulwark: This is the only time that key ${record.id} is shown; it never ends.\n` +
        'express-bulwark: Keep the record, below it, in the key file.\n',
    )
    expect(json + stderr).not.toContain(text.slice(18))
    const keys = apiKeys({ prefix: 'acme', store: { find: () => record } })
    expect(await keys.match(text)).toMatchObject({ record: { id: record.id } })
  })

  it('adds the record to a file, which the service reads', async () => {
    const { code, stdout, stderr } = await key(
      ...['new', '--prefix', 'acme', '--file', 'keys.json', '--expires', '90d', '--rate-tier', 'gold'],
      ...['--client-id', 'billing', '--subject', 'team-a', '--name', 'Nightly export'],
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(/^acme_\w+\n$/)
    expect(stderr).toMatch(
      /it ends at \d{4}-\d\d-\d\dT.*Z\.\nexpress-bulwark: Its record was added to keys\.json\.\n$/,
    )
    expect(statSync(at('keys.json')).mode & 0o777).toBe(0o600)
    const second = await key('new', '--prefix', 'acme', '--file', 'keys.json', '--expires', '12h')
    const keys = apiKeys({ prefix: 'acme', file: at('keys.json') })
    const { record } = await keys.match(stdout.trim())
    expect(record).toMatchObject({
      ...{ rateTier: 'gold', clientId: 'billing', subject: 'team-a', name: 'Nightly export', scopes: [] },
      expiresAt: expect.any(Number),
    })
    expect(record.expiresAt! - Date.now() / 1000).toBeGreaterThan(89.9 * 86_400)
    expect((await keys.match(second.stdout.trim())).record.expiresAt! - Date.now() / 1000).toBeLessThan(
      43_201,
    )
    expect(readdirSync(folder)).toEqual(['keys.json'])
  })

  it('takes the pepper from the environment, and shows it nowhere', async () => {
    const { stdout, stderr } = await key('new', '--prefix', 'acme', '--pepper-variable', 'PEPPER')
    const [text = '', json = ''] = stdout.split('\n')
    const record = JSON.parse(json) as ApiKeyRecord
    expect(stdout + stderr).not.toContain(PEPPER)
    const keys = apiKeys({ prefix: 'acme', pepper: PEPPER, store: { find: () => record } })
    expect(await keys.match(text)).toBeDefined()
  })

  it.each<[string[], string]>([
    [
      ['--prefix', 'Acme'],
      '--prefix must be 2 to 16 lower-case letters and digits, a letter first, got "Acme".',
    ],
    [['--prefix', 'acme', '--scopes', 'a b'], '--scopes must be an array of at most 100 items'],
    [['--prefix', 'acme', '--scopes', 'a,,b'], '--scopes must be'],
    [['--prefix', 'acme', '--tenant', 't\u0007'], '--tenant must be text of 1 to 200 characters'],
    [['--prefix', 'acme', '--rate-tier', 'x'.repeat(201)], '--rate-tier must be'],
    [
      ['--prefix', 'acme', '--expires', '90'],
      '--expires must be days or hours from now, as 90d or 12h, got "90".',
    ],
    [['--prefix', 'acme', '--expires', '0d'], '--expires must be'],
    [['--prefix', 'acme', '--expires', '2030-01-01'], '--expires must be'],
    [['--prefix', 'acme', '--pepper-variable', 'NOT_SET'], 'The environment variable "NOT_SET" must hold 32'],
    [['--prefix', 'acme', '--pepper-variable', 'SHORT'], 'The environment variable "SHORT" must hold 32'],
    [
      ['--prefix', 'acme', '--pepper-variable', '__proto__'],
      'The environment variable "__proto__" must hold 32',
    ],
    [
      ['--prefix', 'acme', '--file', 'no/such/keys.json'],
      '"no/such/keys.json" could not be written: ENOENT.',
    ],
    [['--prefix', 'acme', '--file', '.'], '"." is no regular file: nothing was written.'],
  ])('ends with 2 and no key for %j', async (args, message) => {
    const { code, stdout, stderr } = await key('new', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it.each<[string, string, string]>([
    ['is no JSON', '{ "version": 1, "keys": [', 'is no key file: it is no JSON. Nothing was written.'],
    ['is something else', '{ "name": "shop" }', 'is no key file: it is not { "version": 1'],
    ['holds what we would lose', '{ "version": 1, "keys": [], "note": "x" }', 'is no key file'],
    [
      'holds an entry that is no record',
      '{ "version": 1, "keys": [{}] }',
      'holds 1 entries that are no records',
    ],
  ])('leaves a file as it is that %s', async (_what, text, message) => {
    writeFileSync(at('odd.json'), text)
    const { code, stdout, stderr } = await key('new', '--prefix', 'acme', '--file', 'odd.json')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(readFileSync(at('odd.json'), 'utf8')).toBe(text)
    rmSync(at('odd.json'))
    expect(readdirSync(folder)).toEqual(['keys.json'])
  })

  it('keeps the mode of a file and what a link leads to', async () => {
    mkdirSync(at('shared'))
    writeFileSync(at('shared/real.json'), '{ "version": 1, "keys": [] }')
    chmodSync(at('shared/real.json'), 0o640)
    symlinkSync(at('shared/real.json'), at('shared/link.json'))
    expect(await key('new', '--prefix', 'acme', '--file', 'shared/link.json')).toMatchObject({ code: 0 })
    expect(lstatSync(at('shared/link.json')).isSymbolicLink()).toBe(true)
    expect(statSync(at('shared/real.json')).mode & 0o777).toBe(0o640)
    expect(recordsIn('shared/real.json')).toHaveLength(1)
  })

  it('explains itself', () => {
    expect(helpText('key', COMMANDS['key']!)).toMatch(
      /^express-bulwark key new --prefix <prefix> \[options\]: makes/,
    )
  })
})

describe('several that add a key at once', () => {
  let record: ApiKeyRecord
  beforeAll(async () => {
    built()
    record = (await apiKeys({ prefix: 'acme' }).create({ scopes: [] })).record
  }, 120_000)
  beforeEach(() => {
    rmSync(at('many.json'), { force: true })
  })

  it('lose none', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, () =>
        bulwark(folder, ['key', 'new', '--prefix', 'acme', '--file', 'many.json']),
      ),
    )
    expect(outcomes.map(({ code }) => code)).toEqual(Array(5).fill(0))
    const keys = apiKeys({ prefix: 'acme', file: at('many.json') })
    for (const { stdout } of outcomes) expect(await keys.match(stdout.trim())).toBeDefined()
    expect(recordsIn('many.json')).toHaveLength(5)
    expect(readdirSync(folder).filter((name) => name.startsWith('many.json'))).toEqual(['many.json'])
  }, 30_000)

  it('say so where another one never ends', () => {
    writeFileSync(at('many.json.lock'), '')
    expect(() => {
      addToKeyFile(folder, 'many.json', record, 60)
    }).toThrow('is held by another express-bulwark: nothing was written.')
    expect(readdirSync(folder)).not.toContain('many.json')
    expect(readdirSync(folder)).toContain('many.json.lock')
  }, 10_000)
})
