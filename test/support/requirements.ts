import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from '@jest/globals'

interface Requirement {
  readonly met: boolean
  /** What is missing and how to get it: it stands in the name of the skipped suite. */
  readonly remedy: string
}

/** A program on the PATH. */
export function program(name: string, debianPackage: string): Requirement {
  const met = spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
  return { met, remedy: `${name} is not on the PATH: apt-get install -y ${debianPackage}` }
}

/** Public test vectors, in the folder that the environment variable VECTORS names. */
export function vectors(): Requirement & { readonly folder: string } {
  const folder = process.env['VECTORS'] ?? ''
  return {
    folder,
    met: folder !== '' && existsSync(folder),
    remedy: 'VECTORS names no folder of test vectors',
  }
}

/**
 * A suite that needs something of the machine: skipped by name where it is missing, and failing where the environment
 * says that nothing may be skipped (REQUIRE_SERVICES=1).
 */
export function describeWith(requirement: Requirement, title: string, body: () => void): void {
  if (requirement.met || process.env['REQUIRE_SERVICES'] === '1') {
    if (!requirement.met) throw new Error(`${title}: ${requirement.remedy}`)
    describe(title, body)
    return
  }
  // Not the body: Jest runs it even so, and it may read what is not there.
  describe.skip(`${title} [skipped: ${requirement.remedy}]`, () => {
    it('is not run', () => undefined)
  })
}
