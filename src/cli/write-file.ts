import { realpathSync, renameSync, rmSync, statSync, writeFileSync, type Stats } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { neutralise } from '../core/text.js'
import { misused } from './failure.js'

/** Writes a file as a whole or not at all: whoever reads it meets the old text or the new one. */
export function writeWhole(cwd: string, file: string, text: string): void {
  const path = resolve(cwd, file)
  const existing = statsOf(path)
  if (existing !== undefined && !existing.isFile())
    throw misused(
      `"${neutralise(file, 200)}" is ${existing.isDirectory() ? 'a directory' : 'no regular file'}: nothing was written.`,
    )
  // A link stays a link.
  const target = existing === undefined ? path : realpathSync(path)
  const temporary = `${target}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o644 })
    renameSync(temporary, target)
  } catch (cause) {
    rmSync(temporary, { force: true })
    const folder = statsOf(dirname(target))
    const { code = 'an unknown error' } = cause as NodeJS.ErrnoException
    const why = folder === undefined ? 'its directory does not exist' : code
    throw misused(`"${neutralise(file, 200)}" could not be written: ${why}.`)
  }
}

function statsOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}
