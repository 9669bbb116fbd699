import { basename, isAbsolute, relative } from 'node:path'
import type { GuardMetadata } from '../../core/metadata.js'
import { neutralise } from '../../core/text.js'
import { SAID, plainFacts } from '../facts.js'
import type { PostureGuard } from '../model.js'
import type { Passed } from './evidence.js'

const MAX_TEXT = 500

/** Writes guards down for the report; one that stands before many routes is written once. */
export class GuardWriter {
  readonly #root: string
  readonly #written = {
    before: new Map<GuardMetadata, PostureGuard>(),
    route: new Map<GuardMetadata, PostureGuard>(),
  }

  constructor(root: string) {
    this.#root = root
  }

  write({ about, mounted }: Passed): PostureGuard {
    const known = this.#written[mounted].get(about)
    if (known !== undefined) return known
    const { kind, layer, name, mode, facts, definedAt } = about
    const guard: PostureGuard = Object.freeze({
      kind: neutralise(kind, 64),
      layer,
      name: neutralise(name, MAX_TEXT),
      mode,
      facts: plainFacts(facts, SAID),
      file: definedAt === undefined ? undefined : shownFile(definedAt.file, this.#root),
      line: definedAt?.line,
      mounted,
    })
    this.#written[mounted].set(about, guard)
    return guard
  }
}

/** Relative to the root, with forward slashes; of a file outside it the name alone, for the rest is the machine's own. */
function shownFile(file: string, root: string): string {
  const path = isAbsolute(file) ? relative(root, file) : file
  const shown = path.replaceAll('\\', '/')
  const isOutside = /^(?:\.\.(?:\/|$)|\/|[A-Za-z]:|[a-z-]+:)/.test(shown)
  return neutralise(isOutside ? basename(shown) : shown, MAX_TEXT)
}
