import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { isApplication, isHiddenApplication, noteApplication, stackOf } from '../core/router.js'

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
    const applications = (given as unknown[][]).flat(Infinity).filter(isApplication)
    if (applications.length === 0) return answer
    // What a listener for 'mount' mounted meanwhile is noted by its own call.
    const layers = stackOf(this).slice(before).filter(isHiddenApplication)
    layers.forEach(({ handle }, index) => {
      const mounted = applications[index]
      if (handle !== undefined && mounted !== undefined) noteApplication(handle, mounted)
    })
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
