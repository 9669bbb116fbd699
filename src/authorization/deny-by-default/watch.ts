import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '../../core/guard.js'
import { isApplication, isRouter, noteMounted, routerOf, stackOf } from '../../core/router.js'
import { functionsIn, own, type OpenApplication, type OpenRouter } from './express-objects.js'
import type { MayRun, Passage } from './passage.js'
import { LayerWatch } from './watch-layers.js'
import { ParameterWatch } from './watch-parameters.js'

/**
 * Watches over the routers of one application, by properties of these very objects: no prototype is touched, and a
 * request that did not come in through the application goes its way as ever.
 */
export class Watch {
  readonly #passages = new WeakMap<IncomingMessage, Passage>()
  readonly #watched = new WeakSet()
  readonly #expressOwn = new WeakSet()
  readonly #layers: LayerWatch
  readonly #parameters: ParameterWatch

  constructor(mayRun: MayRun) {
    const passageOf = (req: IncomingMessage): Passage | undefined => this.#passages.get(req)
    this.#layers = new LayerWatch(
      passageOf,
      (handle) => this.#isExpressOwn(handle) || mayRun(handle),
      (handle) => {
        this.#mounted(handle)
      },
    )
    this.#parameters = new ParameterWatch(passageOf, mayRun)
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
    const { use, handle } = app as OpenApplication
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
      this.#layers.holder(router)
      this.#parameters.router(router)
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

  #isExpressOwn(handle: unknown): boolean {
    return typeof handle === 'function' && this.#expressOwn.has(handle)
  }

  #takes(object: object): boolean {
    if (this.#watched.has(object)) return false
    this.#watched.add(object)
    return true
  }
}
