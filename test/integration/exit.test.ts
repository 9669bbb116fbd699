import { spawn } from 'node:child_process'
import { expect, it } from '@jest/globals'

const TIME_TO_END_MS = 10_000

it('a process with the full chain ends by itself after server.close()', async () => {
  const child = spawn(process.execPath, ['test/support/full-chain.js'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += String(chunk)
  })
  const late = setTimeout(() => child.kill('SIGKILL'), TIME_TO_END_MS)
  const code = await new Promise((resolve) => child.once('exit', resolve))
  clearTimeout(late)
  expect(said.trim()).toBe('200 201 400 401 404')
  expect(code).toBe(0)
}, 15_000)
