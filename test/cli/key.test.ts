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
import type { CommandOptions } from '../../src/cli/arguments.js'
import { COMMANDS, helpText } from '../../src/cli/command-list.js'
import { keyReport } from '../../src/cli/commands/key.js'
import { CommandFailure } from '../../src/cli/failure.js'
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
      /it ends at \d{4}-\d\d-\d\dT.*Z\.\nexpress-bulwark: Its record was added to keys\.json\.\n/,
    )
    expect(stderr).toMatch(
      /\nexpress-bulwark: It has no scopes: every route that requires one refuses it\. .*\n$/,
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
    [
      ['--prefix', 'acme', '--scopes', 'a b'],
      '--scopes must be at most 100 scopes separated by commas, got "a b".',
    ],
    [['--prefix', 'acme', '--scopes', 'a b'], 'As: --scopes orders:read,orders:write.'],
    [['--prefix', 'acme', '--scopes', 'a,,b'], '--scopes must be'],
    [['--prefix', 'acme', '--scopes', 'a\u001b[31m b'], 'got "a\ufffd[31m b".'],
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
      /^express-bulwark key new\|list\|disable\|enable\|rotate \[<id>\] \[options\]: makes/,
    )
    expect(helpText('key', COMMANDS['key']!)).toContain('--overlap <time>')
  })
})

describe('the keys of a file', () => {
  const world = { cwd: folder, environment: { PEPPER } }
  const file = 'kept.json'
  const made = (options: CommandOptions = {}) => {
    const report = keyReport('new', undefined, { prefix: 'acme', file, ...options }, world)
    const text = report.text.trim()
    return { text, id: text.split('_')[1] ?? '' }
  }
  const act = (action: string, id?: string, options: CommandOptions = {}) =>
    keyReport(action, id, { file, ...options }, world)
  const rotate = (id: string, overlap: string, options: CommandOptions = {}) =>
    act('rotate', id, { prefix: 'acme', overlap, ...options })
  const accepted = async (text: string, pepper?: string): Promise<string> => {
    const keys = apiKeys({ prefix: 'acme', file: at(file), ...(pepper === undefined ? {} : { pepper }) })
    try {
      await keys.match(text)
      return 'accepted'
    } catch (cause) {
      return (cause as { reason: string }).reason
    }
  }
  const failureOf = (run: () => unknown): CommandFailure => {
    try {
      run()
    } catch (cause) {
      if (cause instanceof CommandFailure) return cause
      throw cause
    }
    throw new Error('nothing was wrong')
  }
  const write = (records: readonly object[]): string => {
    const text = JSON.stringify({ version: 1, keys: records })
    writeFileSync(at(file), text)
    return text
  }
  beforeEach(() => {
    rmSync(at(file), { force: true })
  })

  it('are disabled and enabled', async () => {
    const [one, other] = [made(), made()]
    const { text, remarks, exitCode } = act('disable', one.id)
    expect({ text, exitCode }).toEqual({ text: '', exitCode: 0 })
    expect(remarks).toEqual([
      `Key ${one.id} is disabled; a service that reads the file knows within a second.`,
    ])
    expect([await accepted(one.text), await accepted(other.text)]).toEqual(['api_key_disabled', 'accepted'])
    expect(act('disable', one.id).remarks[0]).toContain('is disabled already;')
    expect(act('enable', one.id).remarks[0]).toContain('is enabled;')
    expect(act('enable', one.id).remarks[0]).toContain('is enabled already;')
    expect(await accepted(one.text)).toBe('accepted')
    expect(recordsIn(file)[0]).not.toHaveProperty('disabled')
    expect(recordsIn(file).map(({ id }) => id)).toEqual([one.id, other.id])
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual(['kept.json'])
    expect(statSync(at(file)).mode & 0o777).toBe(0o600)
  })

  it('are rotated: the new key is shown once, and the old one works for the overlap', async () => {
    const { id, text: old } = made({ scopes: 'a,b', tenant: 't' })
    const { text, remarks } = rotate(id, '7d')
    expect(text).toMatch(new RegExp(`^acme_${id}_\\w+\n$`))
    expect(remarks).toEqual([
      `This is the only time that the new key ${id} is shown.`,
      expect.stringMatching(/^The old one works until \d{4}-\d\d-\d\dT.*Z\.$/),
    ])
    expect([await accepted(text.trim()), await accepted(old)]).toEqual(['accepted', 'accepted'])
    const [record] = recordsIn(file)
    expect(record).toMatchObject({ id, scopes: ['a', 'b'], tenant: 't' })
    expect(record!.secrets[0]!.expiresAt! - Date.now() / 1000).toBeGreaterThan(6.9 * 86_400)
    expect(readFileSync(at(file), 'utf8')).not.toContain(text.trim())
  })

  it('are rotated without overlap where one leaked', async () => {
    const { id, text: old } = made()
    const { text, remarks } = rotate(id, '0')
    expect(remarks).toContain('The old one is refused from now on.')
    expect([await accepted(text.trim()), await accepted(old)]).toEqual(['accepted', 'api_key_expired'])
  })

  it('are rotated with the pepper that they were made with, and with no other', async () => {
    const pepper = { 'pepper-variable': 'PEPPER' }
    const [peppered, plain] = [made(pepper), made()]
    const before = readFileSync(at(file), 'utf8')
    expect(failureOf(() => rotate(peppered.id, '1d')).message).toContain('was made with a pepper')
    expect(failureOf(() => rotate(plain.id, '1d', pepper)).message).toContain('was made without a pepper')
    expect(readFileSync(at(file), 'utf8')).toBe(before)
    const { text } = rotate(peppered.id, '1d', pepper)
    expect(await accepted(text.trim(), PEPPER)).toBe('accepted')
  })

  it('say what still keeps a key from working', async () => {
    const { id } = made({ expires: '1h' })
    const [record] = recordsIn(file)
    write([{ ...record, createdAt: 1, expiresAt: 2, disabled: true }])
    const refused = failureOf(() => rotate(id, '1d'))
    expect([refused.message, refused.hint]).toEqual([
      `Key ${id} is over: nothing was written.`,
      'Say when it ends from now on: --expires 90d',
    ])
    const { text, remarks } = rotate(id, '1d', { expires: '90d' })
    expect(remarks).toContain('It is disabled still: express-bulwark key enable.')
    expect(await accepted(text.trim())).toBe('api_key_disabled')
    write([{ ...record, createdAt: 1, expiresAt: 2, disabled: true }])
    expect(act('enable', id).remarks).toContain('It is over all the same: rotate it with --expires.')
  })

  it('are listed, without what stands for their secrets', () => {
    const keys = [
      made({ scopes: 'a,b', subject: 'team', 'client-id': 'billing', tenant: 't', name: 'Export' }),
      made({ expires: '90d' }),
      made(),
      made(),
    ]
    act('disable', keys[1]!.id)
    rotate(keys[2]!.id, '12h')
    const records = recordsIn(file)
    write([...records.slice(0, 3), { ...records[3], expiresAt: 2 }])
    const { text, remarks, exitCode } = act('list')
    expect({ remarks, exitCode }).toEqual({ remarks: [], exitCode: 0 })
    const [head, ...lines] = text.trimEnd().split('\n')
    expect(head).toMatch(/^ID +STATE +ENDS +SECRETS +WHO +SCOPES$/)
    const time = String.raw`\d{4}-\d\d-\d\dT\S+Z`
    const patterns = [
      `works +never +1 +team, billing, t, Export +a,b`,
      `disabled +${time} +1 +- +\\(none\\)`,
      `works +never +2, one until ${time} +- +\\(none\\)`,
      `ended +${time} +1 +- +\\(none\\)`,
    ]
    for (const [index, pattern] of patterns.entries())
      expect(lines[index]).toMatch(new RegExp(`^${keys[index]!.id} +${pattern}$`))
    expect(lines).toHaveLength(4)
    for (const { secrets } of records) expect(text).not.toContain(secrets[0]!.digest.slice(7))
  })

  it('are listed where some entries are none, which ends with 1', () => {
    const { id } = made()
    write([...recordsIn(file), {}])
    const { text, remarks, exitCode } = act('list')
    expect(text).toContain(id)
    expect(remarks).toEqual([
      '1 entries are no records, or share an id: a service answers 503 to these keys.',
    ])
    expect(exitCode).toBe(1)
  })

  it('are reached by the command', async () => {
    expect(await key()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('A subcommand is missing: new, list, disable, enable, rotate.'),
    })
    expect(await key('new')).toMatchObject({ code: 2, stderr: expect.stringContaining('needs --prefix') })
    const { id } = made()
    expect(await key('disable', id, '--file', file)).toMatchObject({ code: 0, stdout: '' })
    expect(await key('list', '--file', file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('disabled'),
    })
    expect(await key('rotate', id, '--prefix', 'acme', '--overlap', '7d', '--file', file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^acme_\w+\n$/),
    })
    expect(await key('enable', id, '--file', file)).toMatchObject({ code: 0 })
  })

  const ID = 'aBcdefgh1234'
  it.each<[string, string | undefined, CommandOptions, string]>([
    ['disable', undefined, {}, 'Which key to disable is missing: its id is the 12 letters and digits'],
    ['enable', 'acme_SENTINEL', {}, 'That is no id of a key: it is the 12 letters'],
    ['disable', ID, {}, `"kept.json" holds no key ${ID}: nothing was written.`],
    ['disable', ID, { file: 'missing.json' }, '"missing.json" is not there.'],
    ['list', undefined, { file: 'missing.json' }, '"missing.json" is not there.'],
    ['list', undefined, { file: '.' }, '"." is no regular file'],
    ['list', undefined, { scopes: 'a' }, 'key list takes no --scopes.'],
    ['disable', ID, { overlap: '1d' }, 'key disable takes no --overlap.'],
    ['new', undefined, { prefix: 'acme', overlap: '1d' }, 'key new takes no --overlap.'],
    ['rotate', ID, { prefix: 'acme', overlap: '1d', tenant: 't' }, 'key rotate takes no --tenant.'],
    ['rotate', ID, { overlap: '1d' }, 'key rotate needs --prefix.'],
    ['rotate', ID, { prefix: 'acme' }, 'key rotate needs --overlap.'],
    ['rotate', ID, { prefix: 'Acme', overlap: '1d' }, '--prefix must be'],
    ['rotate', ID, { prefix: 'acme', overlap: '91d' }, '--overlap must be days or hours, at most 90d'],
    ['rotate', ID, { prefix: 'acme', overlap: '-1d' }, '--overlap must be'],
    ['rotate', ID, { prefix: 'acme', overlap: '1d' }, `holds no key ${ID}`],
    ['rotate', ID, { prefix: 'acme', overlap: '1d', 'pepper-variable': 'NOT_SET' }, 'must hold 32'],
  ])('are left as they are by %s %s %j', (action, id, options, message) => {
    made()
    const before = readFileSync(at(file), 'utf8')
    const failure = failureOf(() => act(action, id, options))
    expect(failure.message).toContain(message)
    expect(failure.exitCode).toBe(2)
    expect(failure.message + String(failure.hint)).not.toContain('SENTINEL')
    expect(readFileSync(at(file), 'utf8')).toBe(before)
    expect(readdirSync(folder).filter((name) => name.startsWith('kept'))).toEqual(['kept.json'])
  })

  it('are left as they are where the file holds what would be lost', () => {
    const { id } = made()
    const text = write([...recordsIn(file), { id: ID, scopes: 'a restriction of tomorrow' }])
    for (const change of [() => act('disable', id), () => rotate(id, '1d')])
      expect(failureOf(change).message).toContain('holds 1 entries that are no records')
    expect(readFileSync(at(file), 'utf8')).toBe(text)
  })

  it('are needed by name of the file', () => {
    for (const action of ['list', 'disable', 'enable'])
      expect(failureOf(() => keyReport(action, ID, {}, world)).message).toBe(`key ${action} needs --file.`)
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
