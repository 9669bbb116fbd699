// An empty project outside the repository, with the packed library installed in it as a user would.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const LIMITS = { timeout: 180_000, maxBuffer: 64 * 1024 * 1024 }

export const root = join(import.meta.dirname, '../..')
export const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Packs what `npm run build` made and installs it with these packages. */
export async function createProject(...packages) {
  if (!existsSync(join(root, 'dist/cjs/package.json'))) throw new Error('there is no dist/: npm run build')
  const dir = mkdtempSync(join(tmpdir(), 'express-bulwark-'))

  /** Runs a program in the project and returns what it wrote; where it fails, so does this, with all of it. */
  async function run(command, args, { env = {}, cwd = dir } = {}) {
    try {
      const { stdout, stderr } = await execute(command, args, {
        ...LIMITS,
        cwd,
        env: { ...process.env, ...env },
      })
      return `${stdout}${stderr}`
    } catch (cause) {
      const output = `${cause.stdout ?? ''}${cause.stderr ?? ''}`
      throw Object.assign(new Error(`${[command, ...args].join(' ')}\n${output}`, { cause }), { output })
    }
  }

  const project = {
    dir,
    run,
    node: (file, ...args) => run(process.execPath, [file, ...args]),
    install: (...names) =>
      run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error', ...names]),
    write: (files) => {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }

  try {
    await run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', dir], {
      cwd: root,
    })
    project.write({ 'package.json': '{"private":true}' })
    await project.install(`./express-bulwark-${packageJson.version}.tgz`, ...packages)
  } catch (fault) {
    project.remove()
    throw fault
  }
  return project
}

/** Runs the steps one after another, says how long each took, and ends the process with 1 where one failed. */
export async function runSteps(steps) {
  for (const [title, step] of steps) {
    const startedMs = performance.now()
    try {
      await step()
    } catch (fault) {
      console.error(`FAILED  ${title}\n${fault.stack}`)
      process.exitCode = 1
      return
    }
    console.log(`ok  ${title} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)
  }
}
