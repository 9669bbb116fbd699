// Builds dist/esm and dist/cjs, then checks that every file package.json promises exists.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const compile = (project) =>
  new Promise((resolve) => {
    const tsc = spawn(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], {
      stdio: 'inherit',
    })
    tsc.on('exit', (code) => resolve(code ?? 1))
  })

rmSync('dist', { recursive: true, force: true })
const codes = await Promise.all(['tsconfig.build.json', 'tsconfig.build.cjs.json'].map(compile))
if (codes.some((code) => code !== 0)) process.exit(1)

// package.json says "type": "module"; this file turns dist/cjs back into CommonJS.
writeFileSync('dist/cjs/package.json', '{"type":"commonjs"}\n')

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const targets = JSON.stringify(exports).match(/\.\/dist\/[^"]+/g) ?? []
const missing = targets.filter((target) => !existsSync(target))
if (missing.length > 0) {
  console.error(`package.json "exports" names files the build did not make:\n  ${missing.join('\n  ')}`)
  process.exit(1)
}
