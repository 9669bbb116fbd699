import type { Next } from '../../core/guard.js'
import type { RouteObject } from '../../core/router.js'
import type { OpenRouter, Parameter } from './express-objects.js'
import { authenticates, servingLayers } from './own-stack.js'
import type { MayRun, Passage, PassageOf } from './passage.js'
import { refuse } from './refusals.js'

const WATCHES = Symbol.for('express-bulwark.watches.v1')

/** `param` callbacks run before a route's own guards, and load what the route is about. */
export class ParameterWatch {
  readonly #passageOf: PassageOf
  readonly #mayRun: MayRun

  constructor(passageOf: PassageOf, mayRun: MayRun) {
    this.#passageOf = passageOf
    this.#mayRun = mayRun
  }

  router(router: OpenRouter): void {
    for (const callbacks of Object.values(router.params ?? {})) {
      callbacks?.forEach((callback, index) => {
        if (typeof callback !== 'function' || watchesOf(callback).includes(this)) return
        callbacks[index] = this.#watched(callback)
      })
    }
  }

  #watched(callback: Parameter): Parameter {
    const watched: Parameter = (req, ...rest) => {
      const passage = this.#passageOf(req)
      if (passage === undefined || passage.isDecided || this.#mayLoad(passage, callback))
        return callback(req, ...rest)
      return refuse(passage, 'undecided', rest[1] as Next)
    }
    // Two applications may share a router: each finds its own watch under the other's.
    return Object.defineProperty(watched, WATCHES, { value: [...watchesOf(callback), this] })
  }

  /** Before a route: what its stack says. Before a router, no route is known yet, and it is a handler outside any. */
  #mayLoad(passage: Passage, callback: Parameter): boolean {
    const { route } = passage.req as { route?: RouteObject }
    if (route === undefined || passage.hasLeft(route)) return this.#mayRun(callback)
    const serving = servingLayers(route, passage.req)
    return serving.length === 0 || serving.some(authenticates)
  }
}

function watchesOf(callback: Parameter): readonly unknown[] {
  return (callback as { [WATCHES]?: readonly unknown[] })[WATCHES] ?? []
}
