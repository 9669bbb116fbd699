import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { noteMounted, stackOf } from '../core/router.js'

interface ExpressModule {
  readonly application?: { use?: (...given: unknown[]) => unknown }
  readonly folder?: string
}

export interface MountWatch {
  /** Folder of a copy of Express that was loaded to be watched, and that nobody else has used. */
  unusedFolder(): string | undefined
}

const NOTHING_WATCHED: MountWatch = { unusedFolder: () => undefined }

/**
 * Notes which applications are mounted on which from now on, for those of the copy of Express that a file gets.
 *
 * Express hides a mounted application in a closure. This changes that copy of Express, so it has its place in a process
 * of our own only. Nothing happens where the file has no Express of its own.
 */
export function watchMounts(file: string): MountWatch {
  const { application, folder } = expressOf(file) ?? {}
  const use = application?.use
  if (application === undefined || typeof use !== 'function') return NOTHING_WATCHED
  let isUsed = false
  application.use = function watchedUse(this: object, ...given: unknown[]): unknown {
    isUsed = true
    const before = stackOf(this).length
    const answer = use.apply(this, given)
    noteMounted(this, before, given.flat(Infinity))
    return answer
  }
  return { unusedFolder: () => (isUsed ? undefined : folder) }
}

function expressOf(file: string): ExpressModule | undefined {
  try {
    const require = createRequire(file)
    const { application } = require('express') as ExpressModule
    return application === undefined
      ? undefined
      : { application, folder: dirname(require.resolve('express')) }
  } catch {
    return undefined
  }
}
