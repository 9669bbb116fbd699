import type { Reach } from './cover.js'
import type { LayerPath } from './layer-path.js'

interface Mounted {
  readonly index: number
  readonly paths: readonly LayerPath[]
}

/** Steps of one router by the first segment of their paths: with a guard for each route, asking all of them takes long. */
export class StepIndex<S extends Mounted> {
  readonly #all: readonly S[]
  readonly #anywhere: readonly S[]
  readonly #byFirst = new Map<string, S[]>()

  constructor(steps: readonly S[]) {
    this.#all = steps
    const anywhere: S[] = []
    for (const step of steps) {
      const firsts = new Set(step.paths.map(firstOf))
      if (firsts.has(undefined)) anywhere.push(step)
      else for (const first of firsts) this.#put(first as string, step)
    }
    this.#anywhere = anywhere
  }

  /** The steps that are not apart from `reach` by its first segment, in the order in which they are mounted. */
  near({ segments: [first] }: Reach): readonly S[] {
    if (first === undefined) return this.#all
    const own = this.#byFirst.get(first) ?? []
    if (own.length === 0) return this.#anywhere
    if (this.#anywhere.length === 0) return own
    return [...own, ...this.#anywhere].sort((one, other) => one.index - other.index)
  }

  #put(first: string, step: S): void {
    const known = this.#byFirst.get(first)
    if (known === undefined) this.#byFirst.set(first, [step])
    else known.push(step)
  }
}

/** `undefined` where it may take any first segment. */
function firstOf(path: LayerPath): string | undefined {
  return path.kind === 'text' ? path.segments[0] : undefined
}
