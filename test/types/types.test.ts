import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const root = join(import.meta.dirname, '../..')

/** Compiles the files of this folder against one version of Express's types. */
function compile(project: string): Promise<{ readonly faults: string[]; readonly files: string[] }> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const args = ['--noEmit', '--listFiles', '--pretty', 'false', '-p', join(import.meta.dirname, project)]
  return new Promise((resolve, reject) => {
    const compiler = spawn(process.execPath, [tsc, ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    compiler.stdout.setEncoding('utf8')
    compiler.stdout.on('data', (chunk: string) => {
      output += chunk
    })
    compiler.on('error', reject)
    compiler.on('close', () => {
      const lines = output.split('\n').filter((line) => line !== '')
      const files = lines.filter((line) => /^(\/|[A-Za-z]:\/)/.test(line))
      resolve({ files, faults: lines.filter((line) => !files.includes(line)) })
    })
  })
}

describe('the types', () => {
  it.concurrent.each([
    ['Express 5', 'tsconfig.express5.json', '/node_modules/@types/express/index.d.ts', '/types-express4/'],
    ['Express 4', 'tsconfig.express4.json', '/node_modules/types-express4/index.d.ts', '/@types/express/'],
  ])(
    'of guards, bodies, parameters and claims hold with %s',
    async (_version, project, used, unused) => {
      const { faults, files } = await compile(project)
      expect(faults).toEqual([])
      expect(files.filter((file) => file.endsWith(used))).toHaveLength(1)
      expect(files.filter((file) => file.includes(unused))).toEqual([])
      expect(files.filter((file) => file.endsWith('/test/types/chains.ts'))).toHaveLength(1)
    },
    60_000,
  )
})
