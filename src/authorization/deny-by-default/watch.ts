import type { IncomingMessage, ServerResponse } from 'node:http'
import { guardMetadataOf, wrappedMetadataOf } from '../../core/metadata.js'
import type { Next } from '../../core/guard.js'
import {
  applicationOf,
  isApplication,
  isHiddenApplication,
  isRouter,
  noteMounted,
  routerOf,
  stackOf,
  type RouteObject,
  type RouterLayer,
} from '../../core/router.js'
import { neutralise } from '../../core/text.js'
import { authenticates, servingLayers } from './own-stack.js'
import type { Passage } from './passage.js'

type Handle = (req: IncomingMessage, res: ServerResponse, next: Next) => unknown
type HandleError = (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => unknown
type Parameter = (req: IncomingMessage, ...rest: unknown[]) => unknown

type OpenLayer = RouterLayer & {
  handleRequest?: Handle
  handle_request?: Handle
  handleError?: HandleError
  handle_error?: HandleError
}
interface OpenRouter {
  handle?: Handle
  use?: (...given: unknown[]) => unknown
  params?: Record<string, Parameter[] | undefined>
}
type Application = object & { use: (...given: unknown[]) => unknown; handle: Handle }

/** Whether a handler outside any route may run while nothing is decided. */
export type MayRun = (handle: unknown) => boolean

const WATCHES = Symbol.for('express-bulwark.watches.v1')

const UNDECIDED =
  'nothing authenticates this route, and it does not say that it is public: ' +
  'put authenticate() before it, or publicRoute(reason) into it'
const NOT_AUTHENTICATED = 'no authentication is left on this route, and nobody was authenticated'
const HIDDEN =
  'the routes of an application cannot be seen: mount applications from the outside in, after denyByDefault(), or use routers'
const OUTSIDE = 'strict: a handler outside any route comes before authentication'

/**
 * Watches over the routers of one application, by properties of these very objects: no prototype is touched, and a
 * request that did not come in through the application goes its way as ever.
 */
export class Watch {
  readonly #passages = new WeakMap<IncomingMessage, Passage>()
  readonly #watched = new WeakSet()
  readonly #expressOwn = new WeakSet()
  readonly #mayRun: MayRun

  constructor(mayRun: MayRun) {
    this.#mayRun = mayRun
  }

  passageOf(req: IncomingMessage): Passage | undefined {
    return this.#passages.get(req)
  }

  begin(passage: Passage): void {
    this.#passages.set(passage.req, passage)
  }

  end(passage: Passage): void {
    this.#passages.delete(passage.req)
  }

  /** An application, and whatever is mounted on it from now on. */
  application(app: object, onMount: (handle: unknown) => void): void {
    if (!this.#takes(app)) return
    const { use, handle } = app as Application
    own(app, 'use', (...given: unknown[]) => {
      const before = stackOf(app).length
      const handlers = functionsIn(given)
      handlers.forEach(onMount)
      const returned = use.apply(app, given)
      noteMounted(app, before, handlers)
      handlers.forEach((inner) => {
        this.#mounted(inner)
      })
      return returned
    })
    own(app, 'handle', (req: IncomingMessage, res: ServerResponse, next: Next) => {
      if (this.#passages.has(req)) {
        this.#noteExpressOwn(app)
        this.router(routerOf(app))
      }
      return handle.call(app, req, res, next)
    })
  }

  /**
   * A router, when it is mounted or a request comes to it. Its layers are looked at with every request: they may be
   * added, moved and taken away at any time.
   */
  router(router: object | undefined): void {
    if (router === undefined || !this.#takes(router)) return
    const { handle, use } = router as OpenRouter
    if (typeof handle !== 'function' || typeof use !== 'function') return
    own(router, 'use', (...given: unknown[]) => {
      const returned = use.apply(router, given)
      functionsIn(given).forEach((inner) => {
        this.#mounted(inner)
      })
      return returned
    })
    own(router, 'handle', (req: IncomingMessage, res: ServerResponse, done: Next) => {
      const passage = this.#passages.get(req)
      if (passage === undefined) return handle.call(router, req, res, done)
      this.#layers(router)
      this.#parameters(router)
      if (passage.entrance !== router) return handle.call(router, req, res, done)
      const leave = passage.enterEntrance()
      return handle.call(router, req, res, (error) => {
        leave()
        done(error)
      })
    })
    for (const layer of stackOf(router)) this.#mounted(layer.handle)
  }

  /** Not before it is mounted: asked for its router, an application of Express 5 makes it, deaf to settings that follow. */
  #mounted(handle: unknown): void {
    if (isApplication(handle)) this.application(handle, () => undefined)
    else if (isRouter(handle)) this.router(handle)
  }

  /** The two handlers that Express 4 itself puts in front of an application's own. */
  #noteExpressOwn(app: object): void {
    const { _router } = app as { _router?: object }
    if (_router === undefined || this.#watched.has(_router)) return
    for (const { handle } of stackOf(app).slice(0, 2)) {
      if (handle?.name === 'query' || handle?.name === 'expressInit') this.#expressOwn.add(handle)
    }
  }

  #takes(object: object): boolean {
    if (this.#watched.has(object)) return false
    this.#watched.add(object)
    return true
  }

  /** Of a router, or of a route. */
  #layers(holder: object, route?: RouteObject): void {
    const stack = stackOf(holder)
    for (const layer of stack) if (this.#takes(layer)) this.#layer(layer, holder, stack, route)
  }

  #layer(
    layer: OpenLayer,
    holder: object,
    stack: readonly RouterLayer[],
    route: RouteObject | undefined,
  ): void {
    const name = layer.handleRequest === undefined ? 'handle_request' : 'handleRequest'
    const handle = layer[name]
    if (handle === undefined) return
    own(layer, name, (req: IncomingMessage, res: ServerResponse, next: Next) => {
      const passage = this.#passages.get(req)
      if (passage === undefined) return handle.call(layer, req, res, next)
      const { length } = stack
      const run: Run = (onward) =>
        handle.call(layer, req, res, (error) => {
          // A handler may have mounted what comes next.
          if (stack.length !== length) this.#layers(holder, route)
          onward(error)
        })
      if (layer.route !== undefined) return this.#enterRoute(layer.route, passage, run, next)
      if (route !== undefined) return this.#runInRoute(layer, route, passage, run, next)
      return this.#runOutside(layer, passage, run, next)
    })
    const errorName = layer.handleError === undefined ? 'handle_error' : 'handleError'
    const handleError = layer[errorName]
    own(layer, errorName, (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => {
      const passage = this.#passages.get(req)
      if (passage === undefined || layer.handle?.length !== 4)
        return handleError?.call(layer, error, req, res, next)
      const leave = passage.enterErrorHandler()
      return handleError?.call(layer, error, req, res, (passedOn) => {
        leave()
        next(passedOn)
      })
    })
  }

  #enterRoute(route: RouteObject, passage: Passage, run: Run, next: Next): unknown {
    this.#layers(route, route)
    const serving = servingLayers(route, passage.req)
    // Express runs a route for HEAD that has none for it: nothing of it will be run.
    if (serving.length === 0) return run(next)
    if (!passage.isDecided && !serving.some(authenticates))
      return refuse(passage, 'route_undecided', UNDECIDED, next)
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
    return refuse(passage, 'route_undecided', NOT_AUTHENTICATED, next)
  }

  #runOutside(layer: RouterLayer, passage: Passage, run: Run, next: Next): unknown {
    if (this.#watchInner(layer)) return run(next)
    if (isHiddenApplication(layer) && !passage.isDecided)
      return refuse(passage, 'answer_undecided', HIDDEN, next)
    const { handle } = layer
    const isOurs =
      guardMetadataOf(handle) !== undefined || (handle !== undefined && this.#expressOwn.has(handle))
    passage.handler = neutralise(handle?.name ?? '')
    if (isOurs || this.#mayRun(handle) || passage.isDecided) return run(next)
    return refuse(passage, 'answer_undecided', OUTSIDE, next)
  }

  /** Whether a layer holds routes of its own, which are watched from now on. */
  #watchInner(layer: RouterLayer): boolean {
    const application = applicationOf(layer)
    this.#mounted(application ?? layer.handle)
    return application !== undefined || isRouter(layer.handle)
  }

  /** Before a route: what its stack says. Before a router, no route is known yet, and it is a handler outside any. */
  #mayLoad(passage: Passage, callback: Parameter): boolean {
    const { route } = passage.req as { route?: RouteObject }
    if (route === undefined || passage.hasLeft(route)) return this.#mayRun(callback)
    const serving = servingLayers(route, passage.req)
    return serving.length === 0 || serving.some(authenticates)
  }

  /** `param` callbacks run before a route's own guards, and load what the route is about. */
  #parameters(router: OpenRouter): void {
    for (const callbacks of Object.values(router.params ?? {})) {
      callbacks?.forEach((callback, index) => {
        if (typeof callback !== 'function' || watchesOf(callback).includes(this)) return
        const watched: Parameter = (req, ...rest) => {
          const passage = this.#passages.get(req)
          if (passage === undefined || passage.isDecided || this.#mayLoad(passage, callback))
            return callback(req, ...rest)
          return refuse(passage, 'route_undecided', UNDECIDED, rest[1] as Next)
        }
        // Two applications may share a router: each finds its own watch under the other's.
        Object.defineProperty(watched, WATCHES, { value: [...watchesOf(callback), this] })
        callbacks[index] = watched
      })
    }
  }
}

type Run = (next: Next) => unknown

function watchesOf(callback: Parameter): readonly unknown[] {
  return (callback as { [WATCHES]?: readonly unknown[] })[WATCHES] ?? []
}

function refuse(
  passage: Passage,
  reason: 'route_undecided' | 'answer_undecided',
  problem: string,
  next: Next,
): unknown {
  next(passage.refuse(reason, problem))
  return undefined
}

function functionsIn(given: readonly unknown[]): readonly unknown[] {
  return given.flat(Infinity).filter((item) => typeof item === 'function')
}

/** By assignment: where a tracing tool has put a wrapper in its place, the wrapper's setter hands it on to the real one. */
function own(object: object, name: string, value: unknown): void {
  ;(object as Record<string, unknown>)[name] = value
}
