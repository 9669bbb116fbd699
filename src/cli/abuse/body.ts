import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { neutralise } from '../../core/text.js'
import type { CommandOptions } from '../arguments.js'
import { misused } from '../failure.js'

/** What every request carries. It is never shown: there may be a password in it. */
export interface Body {
  readonly bytes: Buffer
  readonly headers: Readonly<Record<string, string>>
}

const MOST_BYTES = 65_536

/** `--body` or `--body-file`, and `--type`. */
export function bodyOf(
  options: CommandOptions,
  { method, cwd }: { readonly method: string; readonly cwd: string },
): Body | undefined {
  const { body: text, 'body-file': file, type = 'application/json' } = options
  if (text !== undefined && file !== undefined) throw misused('--body and --body-file exclude each other.')
  const bytes = file === undefined ? textBytes(text) : bytesIn(cwd, file)
  if (bytes === undefined) {
    if (options['type'] !== undefined) throw misused('--type needs --body or --body-file.')
    return undefined
  }
  if (method === 'GET' || method === 'HEAD')
    throw misused(`${method} carries no body.`, 'Give --method, as POST.')
  if (bytes.length > MOST_BYTES) throw tooLong(file === undefined ? '--body' : called(file))
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:[ \t]*;[\x20-\x7e\t]*)?$/.test(type))
    throw misused(`--type must be a media type as application/json, got "${neutralise(type, 60)}".`)
  return { bytes, headers: { 'content-type': type, 'content-length': String(bytes.length) } }
}

function textBytes(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text)
}

function bytesIn(cwd: string, file: string): Buffer {
  const path = resolve(cwd, file)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) throw misused(`There is no file ${called(file)}.`)
  if (stats.size > MOST_BYTES) throw tooLong(called(file))
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code = 'an unknown error' } = cause as NodeJS.ErrnoException
    throw misused(`${called(file)} could not be read: ${code}.`)
  }
}

function called(file: string): string {
  return `"${neutralise(file, 200)}"`
}

function tooLong(what: string): Error {
  return misused(`${what} is longer than ${MOST_BYTES} bytes.`)
}
