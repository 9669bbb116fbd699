import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
/** The built package; one that lies elsewhere may be named, so that a test needs not share the folder of others. */
export const PACKAGE = process.env['EXPRESS_BULWARK_BUILT'] ?? root
export const COMMAND = join(PACKAGE, 'dist/esm/cli/main.js')

// Tests of several files begin at once, and a build removes what the others would run.
const LOCK = join(
  tmpdir(),
  `express-bulwark-build-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`,
)
const LONGEST_BUILD_MS = 120_000

/** Builds the command where nobody has, or where a source is newer. A package that was named is taken as it is. */
export function built(): void {
  while (PACKAGE === root && isStale()) {
    if (!locked()) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
      continue
    }
    try {
      const { status } = spawnSync(process.execPath, ['scripts/build.js'], { cwd: root, stdio: 'inherit' })
      if (status !== 0) throw new Error('the build failed')
      return
    } finally {
      rmSync(LOCK, { recursive: true, force: true })
    }
  }
}

function isStale(): boolean {
  const builtMs = changedMs(COMMAND)
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  return sources.some((file) => file.endsWith('.ts') && changedMs(join(root, 'src', file)) > builtMs)
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function locked(): boolean {
  if (Date.now() - changedMs(LOCK) > LONGEST_BUILD_MS) rmSync(LOCK, { recursive: true, force: true })
  try {
    mkdirSync(LOCK)
    return true
  } catch {
    return false
  }
}
