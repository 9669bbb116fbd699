/** Where in the application a middleware was made. */
export interface CallSite {
  /** As the stack says it: an absolute path, or what a loader or a bundler made of it. */
  readonly file: string
  /** From 1. */
  readonly line: number
}

// The end of a frame: "(file:///srv/app.js:12:7)" or "at /srv/app.js:12:7".
const FRAME = /(?:\(|at (?:async )?)((?:[A-Za-z]:)?[^():]+|file:\/\/[^()]+?):(\d+):\d+\)?$/

const ownFolder = folderOf(framesOf(new Error('').stack)[0]?.file)

/** The nearest caller outside this library; `undefined` where the stack does not tell. For set-up, not for requests. */
export function callSite(): CallSite | undefined {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 30
  const { stack } = new Error('')
  Error.stackTraceLimit = stackTraceLimit
  return framesOf(stack).find(
    ({ file }) => !file.startsWith('node:') && (ownFolder === undefined || !file.startsWith(ownFolder)),
  )
}

function framesOf(stack: unknown): readonly CallSite[] {
  // An application may have replaced `Error.prepareStackTrace`.
  if (typeof stack !== 'string') return []
  return stack.split('\n').flatMap((text) => {
    const match = FRAME.exec(text.trim())
    if (match === null) return []
    return [{ file: pathOf(match[1] as string), line: Number(match[2]) }]
  })
}

function pathOf(file: string): string {
  if (!file.startsWith('file://')) return file
  try {
    return decodeURIComponent(file.slice('file://'.length))
  } catch {
    return file
  }
}

/** This file stands in `core/`; all that stands beside `core/` is this library. */
function folderOf(file: string | undefined): string | undefined {
  const core = file?.lastIndexOf('/core/') ?? -1
  return core === -1 ? undefined : file?.slice(0, core + 1)
}
