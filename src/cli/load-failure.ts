import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nearest } from '../core/options.js'
import { neutralise } from '../core/text.js'

const MOST_FILES = 30
const OWN_NAME = 'express-bulwark'

/** File and line of a syntax error, or of an import of what is not exported, from the working directory. */
export function placeOf(cause: unknown, file: string): string | undefined {
  if (!(cause instanceof SyntaxError)) return undefined
  return placeIn(cause.stack ?? '') ?? placeAmong(file)
}

/** Node.js puts the place before the stack of some, as `file:///service/app.js:36`. */
function placeIn(text: string): string | undefined {
  const [, file, line] = /^((?:file:|[/\\]|[A-Za-z]:).*):(\d+)$/m.exec(text.split('\n', 1)[0] ?? '') ?? []
  if (file === undefined) return undefined
  const path = file.startsWith('file:') ? fileURLToPath(file) : file
  const shown = relative(process.cwd(), path).split(sep).join('/')
  return neutralise(`${shown}:${line ?? ''}`, 300)
}

/** Of other ES modules it keeps the place to itself: what is imported by path is parsed once more, and not run. */
function placeAmong(entry: string): string | undefined {
  const files = [entry]
  for (let at = 0; at < files.length && at < MOST_FILES; at += 1) {
    const file = files[at] as string
    const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5000 })
    const place = placeIn(stderr)
    if (place !== undefined) return place
    files.push(...importedBy(file).filter((path) => !files.includes(path)))
  }
  return undefined
}

const IMPORTED = /(?:\bfrom|\bimport)\s{0,10}\(?\s{0,10}['"](\.{1,2}\/[^'"\n]{1,300})['"]/g

function importedBy(file: string): readonly string[] {
  try {
    const text = readFileSync(file, 'utf8').slice(0, 1_000_000)
    return [...text.matchAll(IMPORTED)].map(([, path = '']) => resolve(dirname(file), path))
  } catch {
    return []
  }
}

/** What to do about a module that could not be loaded. */
export async function hintFor(cause: unknown): Promise<string> {
  const { code, message = '' } = (cause ?? {}) as { code?: unknown; message?: string }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return "For TypeScript: Node.js 22.18 or later, or a loader, as NODE_OPTIONS='--import tsx'."
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return missingModule(message)
  if (cause instanceof SyntaxError) return (await syntaxHint(message)) ?? '--stack shows where.'
  return '--stack shows where.'
}

function missingModule(message: string): string {
  const [, what, name = ''] = /Cannot find (module|package) '([^']*)'/.exec(message) ?? []
  const isPath = what === 'module' && /^(?:\.{1,2}\/|[/\\]|[A-Za-z]:|file:)/.test(name)
  if (!isPath) return 'Is everything installed that it imports?'
  return /\.\w+$/.test(name)
    ? 'There is no such file: see whether the path of the import is right.'
    : 'There is no such file: an import of an ES module names the whole file, as "./orders.js".'
}

async function syntaxHint(message: string): Promise<string | undefined> {
  if (/import statement outside a module|Unexpected token 'export'|'import\.meta' outside/.test(message))
    return 'It is an ES module: set "type": "module" in package.json, or rename the file to .mjs.'
  const [, from, name] =
    /requested module '([^']{1,200})'.* export named '([^']{1,200})'/.exec(message.replaceAll('\n', ' ')) ??
    []
  return from === OWN_NAME && name !== undefined ? missingExport(name) : undefined
}

/** Of this library the command knows the exports. */
async function missingExport(name: string): Promise<string | undefined> {
  const main = Object.keys(await import('../index.js'))
  const posture = Object.keys(await import('../posture.js'))
  if (posture.includes(name)) return `Import ${neutralise(name, 60)} from '${OWN_NAME}/posture'.`
  const meant = nearest(name, main)
  return meant === undefined ? `${OWN_NAME} exports: ${main.join(', ')}.` : `Did you mean ${meant}?`
}
