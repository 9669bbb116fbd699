import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { neutralise } from '../core/text.js'
import type { RateLimitEvidence } from '../posture/checklist.js'
import { checkLoadEvidence } from '../posture/checklist/load-evidence.js'
import { misused } from './failure.js'

const MAX_BYTES = 1_000_000

/** Reads results of load tests, from a file that a test has written; whatever is not as it must be is a failure. */
export function readEvidence(cwd: string, file: string): readonly RateLimitEvidence[] {
  const called = `"${neutralise(file, 200)}"`
  const value = parsed(textOf(resolve(cwd, file), called), called)
  try {
    return checkLoadEvidence(value)
  } catch (cause) {
    const message = (cause as Error).message.replace(/^answerChecklist: /, '')
    throw misused(
      `${called} holds no results of load tests: ${neutralise(message, 500)}`,
      'It is a list of { "rule", "allowed", "refused", "at" }; see docs/cli.md.',
    )
  }
}

function textOf(path: string, called: string): string {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw misused(`There is no file ${called}.`)
  if (!stats.isFile()) throw misused(`${called} is no regular file.`)
  if (stats.size > MAX_BYTES) throw misused(`${called} is longer than ${MAX_BYTES} bytes.`)
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code = 'an unknown error' } = cause as NodeJS.ErrnoException
    throw misused(`${called} could not be read: ${code}.`)
  }
}

function parsed(text: string, called: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    // The parser's message repeats parts of the text.
    throw misused(`${called} is not JSON.`)
  }
}
