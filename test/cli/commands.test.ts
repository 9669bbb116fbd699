import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { EXPRESS, PACKAGE, built, bulwark, makeProject, shell } from './support.js'

const ORDERS = `import express from 'express'
import { auditLog, notFound, principalFrom, publicRoute, requireScopes, secureErrors, secureHeaders } from 'express-bulwark'
export const app = express()
app.use(auditLog(), secureHeaders({ hsts: false }))
app.get('/health', publicRoute('liveness probe'), (req, res) => res.end())
app.use(principalFrom(() => undefined, { name: 'session' }))
app.post('/orders', requireScopes('orders:write'), (req, res) => res.end())
app.use(notFound())
app.use(secureErrors())
`
const OPEN = ORDERS.replace(
  'app.use(principal',
  "app.get('/open', (req, res) => res.end())\napp.use(principal",
)
const REPORTING = ORDERS.replace(
  "requireScopes('orders:write')",
  "requireScopes({ all: ['orders:write'], mode: 'report' })",
)
const WITHOUT_SCOPE = ORDERS.replace("requireScopes('orders:write'), ", '')

let project: ReturnType<typeof makeProject>
beforeAll(() => {
  built()
  project = makeProject()
  project.write('orders.js', ORDERS)
  project.write('open.js', OPEN)
  project.write('reporting.js', REPORTING)
  project.write('without-scope.js', WITHOUT_SCOPE)
}, 120_000)
afterAll(() => {
  project.remove()
})

const at = (file: string): string => join(project.folder, file)
const read = (file: string): string => readFileSync(at(file), 'utf8')
const run = (...args: string[]) => bulwark(project.folder, args)

describe('posture', () => {
  it('lists each route, with what protects it and where that was made', async () => {
    const { code, stdout, stderr } = await run('posture', './orders.js')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^shop-orders \(Express [45], deny-by-default off\)$/m)
    expect(stdout).toMatch(/^GET +\/health +public .*orders\.js:5$/m)
    expect(stdout).toMatch(/^POST +\/orders +guarded .*requireScopes\(orders:write\) +orders\.js:7$/m)
    expect(stdout).not.toContain('\u001b')
  })

  it('lays the table out for the width that is asked for', async () => {
    const { stdout } = await bulwark(project.folder, ['posture', './orders.js'], { COLUMNS: '60' })
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
  })

  it.each([
    ['json', /^\{\n {2}"schemaVersion": 1,\n {2}"application": "shop-orders",/],
    ['sarif', /"version": "2\.1\.0"/],
    ['markdown', /^### Posture of /],
    ['html', /^<!doctype html>/i],
    ['csv', /^"?method"?,"?path"?,"?proof"?,/],
  ])('writes %s', async (format, text) => {
    const { code, stdout } = await run('posture', './open.js', '--format', format, '--fail-on', 'none')
    expect(code).toBe(0)
    expect(stdout).toMatch(text)
  })

  it.each([
    ['orders.js', 'open,unknown,report-mode,optional,error', 0, ''],
    ['open.js', 'unknown,report-mode', 0, ''],
    ['open.js', 'unknown, open', 1, 'express-bulwark: --fail-on open: 1 of them.\n'],
    ['open.js', 'route-open', 1, 'express-bulwark: --fail-on route-open: 1 of them.\n'],
    ['reporting.js', 'error,open', 0, ''],
    ['reporting.js', 'report-mode', 1, 'express-bulwark: --fail-on report-mode: 1 of them.\n'],
    ['reporting.js', 'warning', 1, 'express-bulwark: --fail-on warning: 1 of them.\n'],
    ['open.js', 'none', 0, ''],
    ['open.js', 'none,open', 2, 'express-bulwark: --fail-on none stands alone.\n'],
    ['orders.js', 'public', 1, 'express-bulwark: --fail-on public: 1 of them.\n'],
  ])('%s with --fail-on %s ends with %i', async (file, words, code, stderr) => {
    expect(await run('posture', file, '--fail-on', words)).toMatchObject({ code, stderr })
  })

  it('ends with 1 where there is an error, unless it is only to list', async () => {
    const { code, stdout, stderr } = await run('posture', './open.js')
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'express-bulwark: There are 2 errors; doctor says what to do.\n',
    })
    expect(stdout).toMatch(/^GET +\/open +open/m)
    expect((await run('posture', './reporting.js')).code).toBe(0)
  })

  it('lists 5,000 routes in less than two seconds', async () => {
    project.write(
      'many.js',
      `${ORDERS.split('app.use(notFound')[0] ?? ''}for (let i = 0; i < 5000; i += 1) app.get('/r/' + i, requireScopes('r:' + i), (q, s) => s.end())`,
    )
    // Other tests run at the same time: what starting two processes takes is not the posture's.
    const started = performance.now()
    await run('posture', 'orders.js', '--format', 'json')
    const small = performance.now() - started
    const { code, stdout } = await run('posture', './many.js', '--format', 'json')
    expect(performance.now() - started - 2 * small).toBeLessThan(2000)
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as { rows: unknown[] }).rows).toHaveLength(5002)
  }, 20_000)
})

describe('the lock file', () => {
  it('is written, compared with, and says what a route has lost', async () => {
    expect(await run('posture', 'orders.js', '--write-lock')).toMatchObject({
      code: 0,
      stderr: 'express-bulwark: Wrote posture.lock.\n',
    })
    expect(await run('posture', 'orders.js', '--lock', 'posture.lock')).toMatchObject({ code: 0, stderr: '' })
    const weaker = await run('posture', 'without-scope.js', '--lock', 'posture.lock')
    expect(weaker.code).toBe(1)
    expect(weaker.stdout).toContain(
      'Changed since the lock file:\n  weaker: POST /orders lost requireScopes(orders:write)\n',
    )
    expect(weaker.stderr).toBe('express-bulwark: 1 of the changes since the lock file makes it weaker.\n')
  })

  it('is compared with in every form of the output', async () => {
    await run('posture', 'orders.js', '--write-lock', '--lock', 'l')
    const text = 'weaker: POST /orders lost requireScopes(orders:write)'
    const [json, sarif, csv, html] = await Promise.all(
      ['json', 'sarif', 'csv', 'html'].map((format) =>
        run('posture', 'without-scope.js', '--lock', 'l', '--format', format),
      ),
    )
    for (const outcome of [json, sarif, csv, html]) expect(outcome?.code).toBe(1)
    expect(JSON.parse(json?.stdout ?? '')).toMatchObject({
      changes: [{ severity: 'weaker', sentence: 'POST /orders lost requireScopes(orders:write)' }],
    })
    expect(JSON.parse(sarif?.stdout ?? '')).toMatchObject({
      runs: [{ results: [{ ruleId: 'posture-weaker' }] }],
    })
    expect(sarif?.stdout).toContain('"uri": "l"')
    expect(csv?.stdout).toContain(text)
    for (const outcome of [json, csv]) expect(outcome?.stderr).not.toContain(text)
    for (const outcome of [sarif, html]) expect(outcome?.stderr).toContain(text)
    const without = await run('posture', 'without-scope.js', '--format', 'json')
    expect(JSON.parse(without.stdout)).not.toHaveProperty('changes')
  }, 20_000)

  it('fails by what changed in another way where it is asked to', async () => {
    await run('posture', 'orders.js', '--write-lock', '--lock', 'c')
    project.write(
      'more.js',
      ORDERS.replace('app.use(notFound', "app.get('/more', (q, s) => s.end())\napp.use(notFound"),
    )
    expect((await run('posture', 'more.js', '--lock', 'c')).code).toBe(0)
    expect((await run('posture', 'more.js', '--lock', 'c', '--fail-on', 'changed')).code).toBe(1)
  })

  it('is written anew where that is asked for, also over one that cannot be read', async () => {
    project.write('broken.lock', '{')
    expect((await run('posture', 'orders.js', '--lock', 'broken.lock')).stderr).toContain(
      '"broken.lock" is no lock file: the file is not JSON',
    )
    expect((await run('posture', 'orders.js', '--lock', 'broken.lock')).code).toBe(2)
    expect((await run('posture', 'orders.js', '--lock', 'broken.lock', '--write-lock')).code).toBe(0)
    expect((await run('posture', 'without-scope.js', '--lock', 'broken.lock', '--write-lock')).code).toBe(0)
    expect((await run('posture', 'without-scope.js', '--lock', 'broken.lock')).code).toBe(0)
  }, 20_000)

  it('is missed where it is not there', async () => {
    expect(await run('posture', 'orders.js', '--lock', 'none.lock')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'express-bulwark: There is no lock file "none.lock".\n  Write it with --write-lock.\n',
    })
  })
})

describe('--output', () => {
  it('writes the file as a whole, for everybody to read, and nothing else', async () => {
    mkdirSync(at('out'))
    const { code, stdout } = await run(
      'posture',
      'orders.js',
      '--format',
      'json',
      '--output',
      'out/posture.json',
    )
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(JSON.parse(read('out/posture.json'))).toMatchObject({ application: 'shop-orders' })
    expect((statSync(at('out/posture.json')).mode & 0o777).toString(8)).toMatch(/^6[04][04]$/)
    expect(readdirSync(at('out'))).toEqual(['posture.json'])
  })

  it('writes over a file, and through a link', async () => {
    project.write('old.md', 'old')
    symlinkSync(at('old.md'), at('link.md'))
    expect((await run('posture', 'orders.js', '--format', 'markdown', '--output', 'link.md')).code).toBe(0)
    expect(read('old.md')).toMatch(/^### Posture/)
  })

  it.each([
    ['out-directory', '"out-directory" is a directory: nothing was written.'],
    ['/dev/null', '"/dev/null" is no regular file: nothing was written.'],
    ['no/such/place.json', '"no/such/place.json" could not be written: its directory does not exist.'],
  ])('refuses %s', async (file, message) => {
    mkdirSync(at('out-directory'), { recursive: true })
    expect(await run('posture', 'orders.js', '--output', file)).toMatchObject({
      code: 2,
      stderr: `express-bulwark: ${message}\n`,
    })
  })
})

describe('doctor', () => {
  it('lists findings with what happens and what to do, the worst first', async () => {
    project.write('sick.js', `${OPEN}app.set('trust proxy', true)\nconst password = 'hunter2hunter2'\n`)
    const { code, stdout } = await run('doctor', 'sick.js')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^error +trust-proxy-true$/m)
    expect(stdout).toMatch(/^error +guard-after-route$/m)
    expect(stdout).toMatch(/^ +sick\.js:12 +docs\/doctor\.md#secret-literal$/m)
    expect(stdout).toContain('Remedy: ')
    expect(stdout).toMatch(/^5 findings: 4 errors, 1 note$/m)
    expect(stdout).toMatch(/^error +route-open$/m)
    expect(stdout).toMatch(/\nPages: \S+docs\n$/)
    expect(stdout).not.toContain('hunter2')
  })

  it.each([
    [[], 0],
    [['--fail-on', 'warning'], 0],
    [['--fail-on', 'note'], 1],
  ])('with a note and %j ends with %i', async (args, code) => {
    const outcome = await run('doctor', 'orders.js', ...args)
    expect(outcome.code).toBe(code)
    expect(outcome.stdout).toContain('1 finding: 1 note')
  })

  it('writes JSON and SARIF', async () => {
    const json = await run('doctor', 'orders.js', '--format', 'json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      schemaVersion: 1,
      application: 'shop-orders',
      findings: [{ code: 'no-deny-by-default', severity: 'note' }],
    })
    const sarif = await run('doctor', 'orders.js', '--format', 'sarif', '--fail-on', 'note')
    expect(JSON.parse(sarif.stdout)).toMatchObject({
      runs: [{ results: [{ ruleId: 'no-deny-by-default' }] }],
    })
    expect(sarif).toMatchObject({ code: 1, stderr: 'express-bulwark: 1 finding: 1 note.\n' })
  })

  it('finds two copies of Express', async () => {
    const other = EXPRESS === 'express' ? 'express4' : 'express'
    project.write(
      'copies.js',
      ORDERS.replace(
        'export const',
        `import { createRequire } from 'node:module'\ncreateRequire(${JSON.stringify(`${process.cwd()}/any.js`)})('${other}')\nexport const`,
      ),
    )
    const { stdout } = await run('doctor', 'copies.js')
    expect(stdout).toMatch(
      /express-copies\n +2 copies of Express are loaded: [45]\.\S+ \(.*\), [45]\.\S+ \(.*\)\./,
    )
  })

  it('does not take the copy that it looked at itself for a second one', async () => {
    // The starter's own Express is another one than the service's, and nobody uses it.
    const other = EXPRESS === 'express' ? 'express4' : 'express'
    mkdirSync(at('starter/node_modules'), { recursive: true })
    symlinkSync(join(process.cwd(), 'node_modules', other), at('starter/node_modules/express'))
    project.write('starter/start.js', "export { app } from '../orders.js'")
    const { stdout } = await run('doctor', 'starter/start.js')
    expect(stdout).toContain('1 finding: 1 note')
  })

  it('sees a listener for upgrades on the server that is exported', async () => {
    project.write(
      'server.js',
      `${ORDERS.replace('export ', '')}import { createServer } from 'node:http'\nexport const server = createServer(app).on('upgrade', () => {})`,
    )
    expect((await run('doctor', 'server.js')).stdout).toContain('upgrade-unguarded')
  })
})

describe('audit', () => {
  const evidence = (text: string) => {
    project.write('load.json', text)
    return run('audit', 'limited.js', '--load-evidence', 'load.json')
  }
  const test = { rule: 'all', allowed: 5, refused: 3, at: new Date().toISOString() }

  beforeAll(() => {
    project.write(
      'limited.js',
      ORDERS.replace('import { auditLog', 'import { rateLimit, auditLog').replace(
        "app.get('/health'",
        "app.use(rateLimit({ name: 'all', limit: 5, windowSeconds: 60, by: 'address' }))\napp.get('/health'",
      ),
    )
  })

  it('counts results of load tests', async () => {
    expect((await run('audit', 'limited.js')).stdout).toContain('rateLimit(all) not tested under load.')
    expect((await evidence(JSON.stringify([test]))).stdout).toContain('5 let through, 3 refused')
    expect((await evidence('\ufeff[]')).stdout).toContain('not tested under load')
  }, 20_000)

  it.each([
    ['{', '"load.json" is not JSON.'],
    ['{"secret":', '"load.json" is not JSON.'],
    ['{}', '"load.json" holds no results of load tests: rateLimitEvidence must be'],
    ['[null]', '"load.json" holds no results of load tests: '],
    ['[{ "__proto__": {} }]', '"load.json" holds no results of load tests: '],
    [JSON.stringify([{ ...test, allowed: -1 }]), 'allowed must be an integer from 0'],
    [JSON.stringify([{ ...test, at: 'yesterday' }]), 'at must be a moment in ISO 8601'],
    [' '.repeat(1_000_001), '"load.json" is longer than 1000000 bytes.'],
  ])('refuses what is none: %.20s', async (text, message) => {
    const { code, stdout, stderr } = await evidence(text)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('secret')
  })

  it.each([
    ['none.json', 'There is no file "none.json".'],
    ['.', '"." is no regular file.'],
    ['/dev/zero', '"/dev/zero" is no regular file.'],
  ])('refuses %s, before anything is loaded', async (file, message) => {
    project.write('loud.js', "console.error('loaded')")
    const { code, stderr } = await run('audit', 'loud.js', '--load-evidence', file)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('loaded')
  })

  it('tells of every guard that only reports in production, and counts what it found', async () => {
    project.write(
      'trying.js',
      ORDERS.replace(
        "app.post('/orders'",
        "app.use(requireScopes({ all: ['a'], name: 'first', mode: 'report' }))\napp.use(requireScopes({ all: ['b'], name: 'second', mode: 'report' }))\napp.get('/orders', (q, s) => s.end())\napp.post('/orders'",
      ),
    )
    const { code, stdout, stderr } = await bulwark(
      project.folder,
      ['audit', 'trying.js', '--format', 'json'],
      {
        NODE_ENV: 'production',
      },
    )
    const { answers } = JSON.parse(stdout) as {
      answers: { findings: { code: string; severity: string }[] }[]
    }
    const reporting = answers
      .flatMap(({ findings }) => findings)
      .filter(({ code }) => code.startsWith('report-mode'))
    expect(reporting.map(({ code, severity }) => [code, severity])).toEqual([
      ['report-mode-left-on', 'error'],
      ['report-mode-left-on', 'error'],
    ])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^express-bulwark: The audit found problems: \d+ errors?(?:, \d+ warnings?)?\.\n$/)
  })
})

describe('check and audit', () => {
  const baseline = (rules: string): string =>
    `import { defineBaseline } from ${JSON.stringify(join(PACKAGE, 'dist/esm/posture/baseline.js'))}
export default defineBaseline({ name: 'organisation', rules: ${rules} })`

  it('check holds the application against a baseline', async () => {
    project.write('baseline.js', baseline("{ requiredMiddlewares: ['auditLog'] }"))
    project.write('strict-baseline.js', baseline('{ requireDenyByDefault: true }'))
    expect(await run('check', 'orders.js', '--baseline', './baseline.js')).toMatchObject({
      code: 0,
      stderr: '',
    })
    const strict = await run('check', 'orders.js', '--baseline', './strict-baseline.js')
    expect(strict.code).toBe(1)
    expect(strict.stdout).toMatch(/^error /m)
  })

  it('check says where there is no baseline', async () => {
    expect(await run('check', 'orders.js', '--baseline', './orders.js')).toMatchObject({ code: 3 })
    expect((await run('check', 'orders.js', '--baseline', 'no-such-package')).stderr).toContain(
      'There is neither a file nor a package "no-such-package".',
    )
  })

  it('audit answers five questions, in three forms, and fails by findings', async () => {
    const table = await run('audit', 'open.js')
    expect(table.code).toBe(1)
    expect(table.stdout.match(/^[1-5]\. /gm)).toHaveLength(5)
    expect(table.stdout).toMatch(/^1\. .* NO$/m)
    const { stdout } = await run('audit', 'open.js', '--format', 'json')
    expect((JSON.parse(stdout) as { answers: unknown[] }).answers).toHaveLength(5)
    expect((await run('audit', 'open.js', '--format', 'markdown')).stdout).toMatch(/^### 1\. /m)
  })
})

describe('the command', () => {
  it('shows its help and its version', async () => {
    const help = await run('--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toContain('express-bulwark <command> <module>')
    expect((await run('help', 'posture')).stdout).toContain('--write-lock')
    const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string }
    expect((await run('--version')).stdout).toBe(`${version}\n`)
  })

  it('ends with 2 where it is misused, without loading anything', async () => {
    project.write('loud.js', "console.error('loaded')")
    for (const args of [[], ['postur', 'loud.js'], ['posture', 'loud.js', '--load-timeout', 'soon']]) {
      const { code, stdout, stderr } = await run(...args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).not.toContain('loaded\n')
    }
  })

  it('ends with 4 and asks for a report where the fault is its own', async () => {
    // An application that Express would not make: reading it fails in a way that nobody foresaw.
    project.write(
      'hostile.js',
      `${ORDERS}const router = 'lazyrouter' in app ? app._router : app.router\nObject.defineProperty(router.stack, Symbol.iterator, { value() { throw new Error('not to be read') } })\nObject.defineProperty(router.stack, 'map', { value() { throw new Error('not to be read') } })\nObject.defineProperty(router.stack, 'flatMap', { value() { throw new Error('not to be read') } })\nObject.defineProperty(router.stack, 'entries', { value() { throw new Error('not to be read') } })\n`,
    )
    const { code, stdout, stderr } = await run('posture', 'hostile.js')
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/^express-bulwark: This is a fault of express-bulwark, not of your application: /)
    expect(stderr).toContain('Please report it')
    expect((await run('posture', 'hostile.js', '--stack')).stderr).toMatch(/^ +at /m)
  })

  it('does not mind a reader that goes away', () => {
    project.write(
      'long.js',
      `${ORDERS}for (let i = 0; i < 3000; i += 1) app.get('/route/' + i, (q, s) => s.end())`,
    )
    const { stdout, stderr } = shell(
      project.folder,
      '$BULWARK posture long.js | head -n 1; echo "exit ${PIPESTATUS[0]}"',
    )
    expect(stdout).toMatch(/^shop-orders .*\nexit 0\n$/)
    expect(stderr).toBe('')
  })

  it('makes what an application calls its routes and guards harmless', async () => {
    project.write(
      'forging.js',
      ORDERS.replace("'/orders'", String.raw`'/\u001b[2J\n\u202eorders'`).replace(
        'liveness',
        String.raw`\u001b]0;title\u0007`,
      ),
    )
    for (const command of ['posture', 'doctor', 'audit']) {
      const { stdout } = await run(command, 'forging.js')
      // eslint-disable-next-line no-control-regex -- they are what must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    }
  })

  it('uses colours on a terminal, and not where NO_COLOR asks for none', () => {
    const tty = (environment: string): string =>
      shell(
        project.folder,
        `${environment} TERM=xterm script -qec "$BULWARK posture orders.js" /dev/null < /dev/null`,
      ).stdout
    if (shell(project.folder, 'command -v script').code !== 0) return
    expect(tty('')).toContain('\u001b[32mguarded\u001b[0m')
    expect(tty('NO_COLOR=1')).not.toContain('\u001b[')
  })

  it('ends the process of the application with itself', () => {
    project.write(
      'waiting.js',
      "import { writeFileSync } from 'node:fs'\nwriteFileSync('pid', String(process.pid))\nwhile (true);",
    )
    const { stdout } = shell(
      project.folder,
      '$BULWARK posture waiting.js & sleep 1; kill -TERM $!; wait $!; echo "exit $?"; case "$(ps -o stat= -p "$(cat pid)")" in ""|Z*) echo gone ;; esac',
    )
    expect(stdout).toBe('exit 143\ngone\n')
  })
})
