import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { unloadable } from './failure.js'
import { findApplication, type FoundApplication, type Where } from './find-application.js'
import { hintFor, placeOf } from './load-failure.js'
import { described, quoted } from './words.js'
import { watchMounts } from './watch-mounts.js'

export interface LoadedApplication extends FoundApplication {
  /** The module's file. */
  readonly file: string
  /** Folder of a copy of Express that only this command has loaded. */
  readonly unusedExpress: string | undefined
}

/** Loads a module and finds the application in it. For a process of its own: the module does there what it likes. */
export async function loadApplication(cwd: string, where: Where): Promise<LoadedApplication> {
  const file = fileOf(cwd, where.module)
  const watch = watchMounts(file)
  // What reads its arguments while it loads is to find itself there, and none of ours.
  process.argv = [process.argv[0] ?? 'node', file]
  const exported = await importModule(file, where.module)
  const found = await findApplication(exported, where)
  return { ...found, file, unusedExpress: watch.unusedFolder() }
}

/** Loads a module, ES or CommonJS. */
export async function importModule(file: string, given: string): Promise<object> {
  try {
    return (await import(pathToFileURL(file).href)) as object
  } catch (cause) {
    const place = placeOf(cause, file)
    const what = `${described(cause)}${place === undefined ? '' : ` (${place})`}`
    throw unloadable(`${quoted(given)} could not be loaded: ${what}`, await hintFor(cause), cause)
  }
}

/** A path, as it is or as Node.js would complete it. */
export function fileOf(cwd: string, given: string): string {
  const path = resolve(cwd, given)
  if (existsSync(path) && statSync(path).isFile()) return path
  try {
    return createRequire(join(cwd, 'any.js')).resolve(path)
  } catch {
    const what = existsSync(path) ? 'is a directory without a main file' : 'does not exist'
    throw unloadable(`${quoted(given)} ${what}.`, 'Give the path of the module that exports the application.')
  }
}

/** A path, or the name of a package that can be had from the working directory. */
export function fileOrPackage(cwd: string, given: string): string {
  if (existsSync(resolve(cwd, given))) return fileOf(cwd, given)
  try {
    return createRequire(join(cwd, 'any.js')).resolve(given)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // A package for `import` only is there, and cannot be asked for its file in this way.
    if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED')
      throw unloadable(`The package ${quoted(given)} can only be imported: give the path of its main file.`)
    throw unloadable(`There is neither a file nor a package ${quoted(given)}.`)
  }
}
