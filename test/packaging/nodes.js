// Runs the packed library on other versions of Node.js: node test/packaging/nodes.js 22 24
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { endToEndPrograms } from './consumers.js'
import { createProject, runSteps } from './project.js'

const majors = process.argv.slice(2)
assert.ok(majors.length > 0 && majors.every((major) => /^\d+$/.test(major)), 'name major versions: 22 24')

const project = await createProject('express@5')
try {
  for (const name of ['end-to-end', 'one-process'])
    cpSync(join(import.meta.dirname, `${name}.js`), join(project.dir, `${name}.mjs`))
  project.write(endToEndPrograms)
  await runSteps(
    majors.map((major) => [`every middleware over HTTP on Node.js ${major}`, () => tryOn(major)]),
  )
} finally {
  project.remove()
}

/** The npm package of a version carries the program itself, so nothing is installed outside the project. */
async function tryOn(major) {
  const name = `node-${process.platform}-${process.arch}`
  await project.install(`${name}@${major}`)
  const node = join(project.dir, 'node_modules', name, 'bin/node')
  const version = await project.run(node, ['--version'])
  assert.match(version, new RegExp(`^v${major}\\.`))
  for (const program of [...Object.keys(endToEndPrograms), 'one-process.mjs']) {
    const output = await project.run(node, [program])
    assert.equal(output, '', `${program} wrote on Node.js ${version}`)
  }
}
