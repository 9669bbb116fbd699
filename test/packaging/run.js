// Packs the library, installs the tarball in an empty project and uses it the ways users do.
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { endToEndPrograms, jestTest, loadedFiles, typedConsumers } from './consumers.js'
import { createProject, packageJson, root, runSteps } from './project.js'

// What a sub-path may load, and does. Those that are not listed load no library at all.
const OWN_LIBRARIES = {
  'express-bulwark/audit-log': ['pino'],
  'express-bulwark/policy/cedar': ['@cedar-policy/cedar-wasm'],
  'express-bulwark/policy/opa': ['@open-policy-agent/opa-wasm'],
  'express-bulwark/authenticate': ['jose'],
  'express-bulwark/gateway-assertion': ['jose'],
  'express-bulwark/introspection-verifier': ['jose'],
  'express-bulwark/jwt-verifier': ['jose'],
  'express-bulwark/secure-headers': ['helmet'],
  'express-bulwark/testing': ['jose'],
  'express-bulwark/validate-body': ['ajv', 'ajv-formats'],
}

const { exports: subpaths, dependencies, peerDependencies } = packageJson
const specifiers = Object.keys(subpaths)
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => subpath.replace('.', 'express-bulwark'))
const libraries = Object.keys({ ...dependencies, ...peerDependencies })
OWN_LIBRARIES['express-bulwark'] = Object.keys(dependencies)

const startedMs = performance.now()
const project = await createProject(
  'express@5',
  '@types/express@5',
  '@types/node@20',
  '@cedar-policy/cedar-wasm@4',
  '@open-policy-agent/opa-wasm@1',
)
console.log(`ok  packed and installed (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)

try {
  await runSteps([
    ['every link of its pages leads to something that is packed', linksToItsOwn],
    ['every sub-path, as ESM and as CJS, loads its own libraries only', loadsItsOwn],
    ['every middleware over HTTP, as ESM and as CJS', servesRequests],
    ['an ESM and a CJS copy in one process share the context', sharesTheContext],
    ['types under node16, node20 and nodenext, library files checked', compiles],
    ['a CommonJS Jest project, without and with the documented remedy', runsInJest],
  ])
} finally {
  project.remove()
}

/** Pages are read where there is no repository. */
function linksToItsOwn() {
  const packed = join(project.dir, 'node_modules/express-bulwark')
  const pages = readdirSync(packed, { recursive: true }).filter((file) => file.endsWith('.md'))
  assert.ok(pages.length > 50)
  for (const page of pages) {
    for (const [, target] of readFileSync(join(packed, page), 'utf8').matchAll(
      /\]\(([^)#\s]+)(?:#[^)]*)?\)/g,
    )) {
      if (/^https?:/.test(target)) continue
      assert.ok(existsSync(join(packed, page, '..', target)), `${page} links to ${target}`)
    }
  }
}

async function loadsItsOwn() {
  project.write({ 'loaded.mjs': loadedFiles })
  for (const specifier of specifiers) {
    for (const how of ['import', 'require']) {
      const trace = join(project.dir, 'trace.txt')
      rmSync(trace, { force: true })
      const files = JSON.parse(await project.node('loaded.mjs', how, specifier, trace))
      assert.ok(
        files.some((file) => file.includes(`/dist/${how === 'import' ? 'esm' : 'cjs'}/`)),
        `${how} '${specifier}' loads the wrong build`,
      )
      const loaded = libraries.filter((name) => files.some((file) => file.includes(`/node_modules/${name}/`)))
      assert.deepEqual(loaded.sort(), (OWN_LIBRARIES[specifier] ?? []).sort(), `${how} '${specifier}'`)
    }
  }
}

async function servesRequests() {
  cpSync(join(import.meta.dirname, 'end-to-end.js'), join(project.dir, 'end-to-end.mjs'))
  project.write(endToEndPrograms)
  for (const program of Object.keys(endToEndPrograms)) await project.node(program)
}

async function sharesTheContext() {
  cpSync(join(import.meta.dirname, 'one-process.js'), join(project.dir, 'one-process.mjs'))
  await project.node('one-process.mjs')
}

async function compiles() {
  const consumers = typedConsumers(specifiers)
  project.write(consumers)
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const fixed = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--lib',
    'es2022',
    '--types',
    'node',
    '--skipLibCheck',
    'false',
  ]
  const compile = (module) => project.node(tsc, ...fixed, '--module', module, ...Object.keys(consumers))
  await Promise.all(['node16', 'node20', 'nodenext'].map(compile))
}

async function runsInJest() {
  const remedy = /```js\n(module\.exports = [^`]*transformIgnorePatterns[^`]*)```/.exec(
    readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8'),
  )?.[1]
  assert.ok(remedy, 'docs/troubleshooting.md shows no jest.config.js')
  await project.install('jest@30', '@swc/core@1', '@swc/jest', 'supertest@7')
  project.write({ 'service.test.js': jestTest(specifiers) })
  const jest = () => project.node('node_modules/jest/bin/jest.js', '--runInBand')

  project.write({ 'jest.config.js': 'module.exports = {}\n' })
  const fault = await jest().then(
    () => undefined,
    ({ output }) => output,
  )
  assert.match(fault ?? '', /Must use import to load ES Module: .*\/node_modules\/jose\//)

  project.write({ 'jest.config.js': remedy })
  assert.match(await jest(), new RegExp(`Tests: +${specifiers.length + 2} passed, `))
}
