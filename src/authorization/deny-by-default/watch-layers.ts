import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '../../core/guard.js'
import { guardMetadataOf, wrappedMetadataOf } from '../../core/metadata.js'
import {
  applicationOf,
  isHiddenApplication,
  isRouter,
  stackOf,
  type RouteObject,
  type RouterLayer,
} from '../../core/router.js'
import { neutralise } from '../../core/text.js'
import { own, type OpenLayer } from './express-objects.js'
import { authenticates, servingLayers } from './own-stack.js'
import type { MayRun, Passage, PassageOf } from './passage.js'
import { refuse } from './refusals.js'

/** Goes on to a layer's handler. */
type Run = (next: Next) => unknown

/** Stands before every layer of the routers and routes that a request comes to, and says whether its handler may run. */
export class LayerWatch {
  readonly #passageOf: PassageOf
  readonly #mayRun: MayRun
  readonly #onInner: (handle: unknown) => void
  readonly #watched = new WeakSet<RouterLayer>()

  /** `onInner` hears of each router and application inside a layer, before that is run. */
  constructor(passageOf: PassageOf, mayRun: MayRun, onInner: (handle: unknown) => void) {
    this.#passageOf = passageOf
    this.#mayRun = mayRun
    this.#onInner = onInner
  }

  /** The layers of a router, or of a route. */
  holder(holder: object, route?: RouteObject): void {
    const stack = stackOf(holder)
    for (const layer of stack) {
      if (this.#watched.has(layer)) continue
      this.#watched.add(layer)
      this.#requests(layer, holder, stack, route)
      this.#errors(layer)
    }
  }

  #requests(
    layer: OpenLayer,
    holder: object,
    stack: readonly RouterLayer[],
    route: RouteObject | undefined,
  ): void {
    const name = layer.handleRequest === undefined ? 'handle_request' : 'handleRequest'
    const handle = layer[name]
    if (handle === undefined) return
    own(layer, name, (req: IncomingMessage, res: ServerResponse, next: Next) => {
      const passage = this.#passageOf(req)
      if (passage === undefined) return handle.call(layer, req, res, next)
      const { length } = stack
      const run: Run = (onward) =>
        handle.call(layer, req, res, (error) => {
          // A handler may have mounted what comes next.
          if (stack.length !== length) this.holder(holder, route)
          onward(error)
        })
      if (layer.route !== undefined) return this.#enterRoute(layer.route, passage, run, next)
      if (route !== undefined) return this.#runInRoute(layer, route, passage, run, next)
      return this.#runOutside(layer, passage, run, next)
    })
  }

  #errors(layer: OpenLayer): void {
    const name = layer.handleError === undefined ? 'handle_error' : 'handleError'
    const handle = layer[name]
    if (handle === undefined) return
    own(layer, name, (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => {
      const passage = this.#passageOf(req)
      if (passage === undefined || layer.handle?.length !== 4)
        return handle.call(layer, error, req, res, next)
      const leave = passage.enterErrorHandler()
      return handle.call(layer, error, req, res, (passedOn) => {
        leave()
        next(passedOn)
      })
    })
  }

  #enterRoute(route: RouteObject, passage: Passage, run: Run, next: Next): unknown {
    this.holder(route, route)
    const serving = servingLayers(route, passage.req)
    // Express runs a route for HEAD that has none for it: nothing of it will be run.
    if (serving.length === 0) return run(next)
    if (!passage.isDecided && !serving.some(authenticates)) return refuse(passage, 'undecided', next)
    const leave = passage.enter(route)
    return run((error) => {
      leave()
      next(error)
    })
  }

  #runInRoute(layer: RouterLayer, route: RouteObject, passage: Passage, run: Run, next: Next): unknown {
    if (wrappedMetadataOf(layer.handle)?.kind === 'publicRoute') {
      const before = passage.publicPasses
      return run((error) => {
        if (error === undefined && passage.publicPasses > before) passage.notePublic(route)
        next(error)
      })
    }
    this.#watchInner(layer)
    if (guardMetadataOf(layer.handle) !== undefined || passage.isDecided) return run(next)
    const serving = servingLayers(route, passage.req)
    // This one too may be an authentication that something was wrapped around.
    if (serving.slice(serving.indexOf(layer)).some(authenticates)) return run(next)
    return refuse(passage, 'notAuthenticated', next)
  }

  #runOutside(layer: RouterLayer, passage: Passage, run: Run, next: Next): unknown {
    if (this.#watchInner(layer)) return run(next)
    if (isHiddenApplication(layer) && !passage.isDecided) return refuse(passage, 'hidden', next)
    const { handle } = layer
    passage.handler = neutralise(handle?.name ?? '')
    if (guardMetadataOf(handle) !== undefined || this.#mayRun(handle) || passage.isDecided) return run(next)
    return refuse(passage, 'outside', next)
  }

  /** Whether a layer holds routes of its own, which are watched from now on. */
  #watchInner(layer: RouterLayer): boolean {
    const application = applicationOf(layer)
    this.#onInner(application ?? layer.handle)
    return application !== undefined || isRouter(layer.handle)
  }
}
