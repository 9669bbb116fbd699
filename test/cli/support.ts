import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { COMMAND, PACKAGE } from '../support/built.js'

export { PACKAGE, built } from '../support/built.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** The version of Express of this run, by the name of its package. */
export const EXPRESS = 'lazyrouter' in express.application ? 'express4' : 'express'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder of a service's own, with Express and this library installed. */
export function makeProject(): {
  readonly folder: string
  write(name: string, text: string): void
  remove(): void
} {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-cli-'))
  const project = {
    folder,
    write(name: string, text: string): void {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    },
    remove(): void {
      rmSync(folder, { recursive: true, force: true })
    },
  }
  project.write('package.json', '{ "name": "shop-orders", "type": "module" }')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(root, 'node_modules', EXPRESS), join(folder, 'node_modules/express'))
  symlinkSync(PACKAGE, join(folder, 'node_modules/express-bulwark'))
  return project
}

/** Runs the command in a folder. */
export function bulwark(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    const outcome = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      outcome.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      outcome.stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, ...outcome })
    })
  })
}

/** Runs a shell line in which `$BULWARK` is the command. */
export function shell(folder: string, line: string): Outcome {
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', line], {
    cwd: folder,
    env: { PATH: process.env['PATH'], BULWARK: `${process.execPath} ${COMMAND}` },
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { code: status, stdout, stderr }
}
