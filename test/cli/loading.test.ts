import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { built, bulwark, makeProject } from './support.js'

const APP = `import express from 'express'
export const app = express()
app.get('/orders', (req, res) => res.end())
`

let project: ReturnType<typeof makeProject>
beforeAll(() => {
  built()
  project = makeProject()
  project.write('broken.js', '\nconst = 1')
  project.write('broken.cjs', '\n\nconst = 1')
  project.write('old/package.json', '{ "type": "commonjs" }')
}, 120_000)
afterAll(() => {
  project.remove()
})

/** Runs `posture --format json` on a module with this source. */
async function load(source: string, args: readonly string[] = [], name = 'app.js') {
  project.write(name, source)
  return bulwark(project.folder, ['posture', `./${name}`, '--format', 'json', '--fail-on', 'none', ...args])
}

const pathsIn = (stdout: string): string[] =>
  (JSON.parse(stdout) as { rows: { path: string }[] }).rows.map(({ path }) => path)

describe('a module that can be loaded', () => {
  it.each<[string, string, string[]?, string?]>([
    ['an export named app', APP],
    ['a default export', APP.replace('const app =', 'const x = 1; const app =') + 'export default app'],
    ['the only application that is exported', APP.replaceAll('app', 'Orders') + 'export const limit = 5'],
    [
      'the only application that is exported, of a CommonJS module',
      `const Orders = require('express')()\nOrders.get('/orders', (q, s) => s.end())\nexports.Orders = Orders`,
      [],
      'only.cjs',
    ],
    ['any export, by name', APP.replaceAll('app', 'service'), ['--export', 'service']],
    ['a promise of it', `${APP.replace('export ', '')}export default Promise.resolve(app)`],
    [
      'a promise of it, under a name',
      `${APP.replace('export ', '')}export const application = Promise.resolve(app)`,
    ],
    [
      'an http.Server',
      `${APP.replace('export ', '')}import { createServer } from 'node:http'\nexport const server = createServer(app)`,
    ],
    [
      'a function that makes it',
      `import express from 'express'\nexport function createApp() { const a = express(); a.get('/orders', (q, s) => s.end()); return a }`,
      ['--export', 'createApp', '--call'],
    ],
    [
      'a function that makes it later, in an object',
      `import express from 'express'\nexport default async () => { const app = express(); app.get('/orders', (q, s) => s.end()); return { app, close() {} } }`,
      ['--call'],
    ],
    ['top-level await', `await new Promise((r) => setTimeout(r, 50))\n${APP}`],
    [
      'CommonJS',
      `const app = require('express')()\napp.get('/orders', (q, s) => s.end())\nmodule.exports = app`,
      [],
      'app.cjs',
    ],
    [
      'CommonJS with a name',
      `const app = require('express')()\napp.get('/orders', (q, s) => s.end())\nmodule.exports = { app }`,
      [],
      'named.cjs',
    ],
    [
      'what TypeScript makes of a default export',
      `Object.defineProperty(exports, '__esModule', { value: true })\nconst app = require('express')()\napp.get('/orders', (q, s) => s.end())\nexports.default = app`,
      [],
      'compiled.cjs',
    ],
    ['one that reads its arguments', `if (process.argv.length > 2) throw new Error('arguments')\n${APP}`],
    ['one that sets a timer and listens', `${APP}setInterval(() => {}, 1000)\napp.listen(0, '127.0.0.1')`],
  ])('is found: %s', async (_what, source, args = [], name = 'app.js') => {
    const outcome = await load(source, args, name)
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(pathsIn(outcome.stdout)).toEqual(['/orders'])
  })

  it('may be named as a directory, and by an absolute path', async () => {
    project.write('folder/package.json', '{ "main": "main.cjs" }')
    project.write('folder/main.cjs', 'exports.app = require("express")()')
    for (const path of ['./folder', 'folder/main.cjs', `${project.folder}/folder/main.cjs`])
      expect((await bulwark(project.folder, ['posture', path])).code).toBe(0)
  })

  it('may write to standard output, in whatever way: that goes to standard error', async () => {
    const outcome = await load(
      `import { writeSync } from 'node:fs'\nconsole.log('by console')\nprocess.stdout.write('by stream\\n')\nwriteSync(1, 'by descriptor\\n')\n${APP}`,
    )
    expect(outcome.code).toBe(0)
    expect(pathsIn(outcome.stdout)).toEqual(['/orders'])
    expect(outcome.stderr).toBe('by console\nby stream\nby descriptor\n')
  })

  it('may want a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    try {
      const { port } = other.address() as AddressInfo
      const outcome = await load(
        `${APP}app.listen(${port}, '127.0.0.1')\nawait new Promise((r) => setTimeout(r, 200))`,
      )
      expect(outcome).toMatchObject({ code: 0, stderr: '' })
    } finally {
      other.close()
    }
  })

  it('bears the name of its package, or another one', async () => {
    expect(JSON.parse((await load(APP)).stdout)).toMatchObject({ application: 'shop-orders' })
    expect(JSON.parse((await load(APP, ['--name', 'billing'])).stdout)).toMatchObject({
      application: 'billing',
    })
  })

  it('may fork workers that run the same file', async () => {
    const outcome = await load(
      `import cluster from 'node:cluster'\nif (cluster.isPrimary) cluster.fork()\nawait new Promise((r) => setTimeout(r, 300))\n${APP}`,
    )
    expect(outcome.code).toBe(0)
    expect(pathsIn(outcome.stdout)).toEqual(['/orders'])
  })
})

describe('a module that cannot', () => {
  it.each<[string, string, string, string[]?, string?]>([
    [
      'throws',
      `throw new TypeError('no database')`,
      '"./bad.js" could not be loaded: TypeError: no database',
    ],
    ['throws what is no Error', `throw 'text'`, '"./bad.js" could not be loaded: "text"'],
    ['throws nothing', `throw undefined`, '"./bad.js" could not be loaded: something that is no Error'],
    ['has a syntax error', `const = 1`, '"./bad.js" could not be loaded: SyntaxError: '],
    ['imports what is not there', `import 'no-such-package'`, "Cannot find package 'no-such-package'"],
    [
      'rejects',
      `${APP}await Promise.reject(new Error('late'))`,
      '"./bad.js" could not be loaded: Error: late',
    ],
    ['exports a promise that is rejected', `export default Promise.reject(new Error('late'))`, 'Error: late'],
    [
      'leaves a rejected promise',
      `Promise.reject(new Error('lost'))\nawait new Promise((r) => setTimeout(r, 200))\n${APP}`,
      '"./bad.js" left a rejected promise while it was loaded: Error: lost',
    ],
    [
      'throws later',
      `setTimeout(() => { throw new Error('later') }, 1)\nawait new Promise((r) => setTimeout(r, 200))\n${APP}`,
      '"./bad.js" threw while it was loaded: Error: later',
    ],
    [
      'ends the process',
      `${APP}process.exit(0)`,
      '"./bad.js" ended the process while it was loaded: process.exit(0).',
    ],
    ['ends the process by force', `process.kill(process.pid, 'SIGKILL')`, 'ended by SIGKILL without a word.'],
    [
      'waits for nothing',
      `${APP}await new Promise(() => {})`,
      '"./bad.js" waits, while it is loaded, for what can never happen.',
    ],
    [
      'never ends',
      `${APP}setInterval(() => {}, 1000); await new Promise(() => {})`,
      '"./bad.js" was not loaded within 1 s.',
      ['--load-timeout', '1'],
    ],
    ['loops', `while (true);`, '"./bad.js" was not loaded within 1 s.', ['--load-timeout', '1']],
    [
      'exports nothing',
      ``,
      '"./bad.js" gives no Express application.\n  It exports nothing: add `export { app }`.\n',
    ],
    [
      'exports nothing, in CommonJS',
      `const app = require('express')()`,
      'gives no Express application.\n  It exports nothing: add `module.exports = app`.\n',
      [],
      'nothing.cjs',
    ],
    [
      'exports two applications',
      `import express from 'express'\nexport const shop = express()\nexport const admin = express()`,
      'It exports applications: --export admin, --export shop.',
    ],
    [
      'exports a function only',
      `export const make = () => 1`,
      '"./bad.js" gives no Express application.\n  It exports make. If "make" makes it: --export make --call',
    ],
    [
      'exports another framework',
      `export default { handle() {}, listen() {} }`,
      'gives no Express application.',
    ],
    [
      'exports a router',
      `import express from 'express'\nexport default express.Router()`,
      'gives no Express application.\n  "default" is an express.Router: export the application that mounts it.\n',
    ],
    [
      'exports a router by name',
      `exports.orders = require('express').Router()`,
      '"orders" is an express.Router',
      [],
      'router.cjs',
    ],
    [
      'has no such export, beside its application',
      `const app = require('express')()\napp.close = () => 1\nmodule.exports = app\nmodule.exports.stop = () => 1`,
      '"./members.cjs" has no export "nope".\n  It exports default.\n',
      ['--export', 'nope'],
      'members.cjs',
    ],
    [
      'has a function that gives another object',
      `export const createApp = () => ({ a: 1, b: 2 })`,
      'The export "createApp" gives no Express application.\n  createApp() answered an object with: a, b.\n',
      ['--export', 'createApp', '--call'],
    ],
    [
      'has a function that gives nothing',
      `export default () => {}`,
      'The default export answered undefined; a return may be missing.',
      ['--call'],
    ],
    [
      'imports what is not exported',
      `\nimport { readFle } from 'node:fs'`,
      "does not provide an export named 'readFle' (bad.js:2)\n",
    ],
    [
      'misspells what this library exports',
      `import { requireScope } from 'express-bulwark'`,
      "export named 'requireScope' (bad.js:1)\n  Did you mean requireScopes?\n",
    ],
    [
      'imports from here what is exported there',
      `import { doctor } from 'express-bulwark'`,
      "Import doctor from 'express-bulwark/posture'.",
    ],
    ['has a syntax error further down', `\n\nconst = 1`, "SyntaxError: Unexpected token '=' (bad.js:3)\n"],
    ['imports one with a syntax error', `import './broken.js'`, "Unexpected token '=' (broken.js:2)\n"],
    [
      'requires one with a syntax error',
      `require('./broken.cjs')`,
      "Unexpected token '=' (broken.cjs:3)\n",
      [],
      'requiring.cjs',
    ],
    [
      'is an ES module that Node.js takes for CommonJS',
      `import express from 'express'`,
      'could not be loaded: SyntaxError: Cannot use import statement outside a module (old/app.js:1)\n  It is an ES module: set "type": "module" in package.json, or rename the file to .mjs.\n',
      [],
      'old/app.js',
    ],
    ['imports a file that is not there', `import './nope.js'`, '\n  There is no such file: see whether'],
    ['imports a file without its ending', `import './broken'`, 'names the whole file, as "./orders.js".'],
    [
      'requires a file that is not there',
      `require('./nope')`,
      '\n  There is no such file:',
      [],
      'missing.cjs',
    ],
    [
      'requires a package that is not there',
      `require('no-such-package')`,
      '\n  Is everything installed that it imports?\n',
      [],
      'uninstalled.cjs',
    ],
    ['has no such export', APP, '"./bad.js" has no export "nope".\n  It exports app.', ['--export', 'nope']],
    [
      'has an export that is none',
      `export const app = 1`,
      'The export "app" gives no Express application.',
      ['--export', 'app'],
    ],
    [
      'has a function that throws',
      `export const make = ({ a }) => a`,
      'The function "make" of "./bad.js" failed: TypeError: ',
      ['--export', 'make', '--call'],
    ],
    [
      'has a function that gives none',
      `export const make = () => 1`,
      'The export "make" gives no Express application.',
      ['--export', 'make', '--call'],
    ],
    [
      'is no function to call',
      `export const make = 1`,
      'The export "make" is no function that could be called',
      ['--export', 'make', '--call'],
    ],
    ['is TypeScript that Node.js does not take', `export const a: number = 1`, '', [], 'bad.mts'],
  ])(
    'is told from another: it %s',
    async (_what, source, message, args = [], name = 'bad.js') => {
      const outcome = await load(source, args, name)
      expect(outcome).toMatchObject({ code: 3, stdout: '' })
      // Node.js may have warned before.
      expect(outcome.stderr).toMatch(/^express-bulwark: /m)
      expect(outcome.stderr).toContain(message)
      expect(outcome.stderr).not.toMatch(/^\s+at /m)
    },
    20_000,
  )

  it('may not be there', async () => {
    const outcome = await bulwark(project.folder, ['posture', './nope.js'])
    expect(outcome).toMatchObject({ code: 3, stdout: '' })
    expect(outcome.stderr).toBe(
      'express-bulwark: "./nope.js" does not exist.\n  Give the path of the module that exports the application.\n',
    )
    project.write('empty/readme', '')
    expect((await bulwark(project.folder, ['posture', './empty'])).stderr).toContain(
      'is a directory without a main file',
    )
  })

  it('is shown with its stack where that is asked for', async () => {
    const source = `function connect() { throw new Error('no database') }\nconnect()`
    for (const outcome of [
      await load(source, ['--stack']),
      await bulwark(project.folder, ['posture', './app.js'], { DEBUG: 'express-bulwark' }),
    ]) {
      expect(outcome.code).toBe(3)
      expect(outcome.stderr).toMatch(/^ +at connect \(.*app\.js:1:\d+\)$/m)
    }
  })

  it('cannot forge lines or repaint the terminal', async () => {
    const outcome = await load(String.raw`throw new Error('a\u001b[2Jb\nexpress-bulwark: all is well')`)
    expect(outcome.stderr).toContain('Error: a\ufffd[2Jb')
    expect(outcome.stderr).not.toContain('all is well')
  })
})

describe('mounted applications', () => {
  const MOUNTED = `import express from 'express'
export const app = express()
const [one, two, three] = [express(), express(), express()]
one.get('/one', (req, res) => res.end())
two.get('/two', (req, res) => res.end())
three.get('/three', (req, res) => res.end())
two.on('mount', (parent) => { parent.use('/by-listener', three) })
app.use('/a', [(req, res, next) => next(), one], two)
`

  it('are looked into, several in one call too, and those that a listener mounts', async () => {
    const { stdout } = await load(MOUNTED)
    const paths = pathsIn(stdout)
    expect(paths).toEqual(expect.arrayContaining(['/a/one', '/a/two', '/by-listener/three']))
    expect((JSON.parse(stdout) as { rows: { kind: string }[] }).rows.map(({ kind }) => kind)).not.toContain(
      'application',
    )
  })

  it('cannot be seen without the command: the source of the package changes no Express', async () => {
    const { inspectPosture } = await import('../../src/posture/inspect-posture.js')
    const { default: express } = await import('express')
    const app = express()
    const mounted = express()
    mounted.get('/one', (_req, res) => {
      res.end()
    })
    app.use('/a', mounted)
    expect(inspectPosture(app).rows).toMatchObject([{ kind: 'application', proof: 'unknown' }])
  })
})

describe('the package', () => {
  it('begins the command with what lets a shell run it', () => {
    expect(readFileSync('src/cli/main.ts', 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })
})
