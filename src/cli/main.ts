#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { run } from './run.js'

// `npx` and `node_modules/.bin` start it through a link.
const folder = dirname(realpathSync(process.argv[1] ?? ''))

const { stdout, stderr, env: environment } = process
void run(process.argv.slice(2), { stdout, stderr, cwd: process.cwd(), environment, folder }).then((code) => {
  process.exitCode = code
})
