import type { IncomingMessage, ServerResponse } from 'node:http'
import { contextOf } from '../core/context.js'
import { denyByDefaultOf, markDenyByDefault } from '../core/deny-by-default.js'
import type { Next } from '../core/guard.js'
import { guardMetadataOf, isAuthentication } from '../core/metadata.js'
import { callback, checkOptions, flag, listOf, misuse } from '../core/options.js'
import { isApplication, isRouter, routerOf, stackOf } from '../core/router.js'
import { holdResponse } from './deny-by-default/hold.js'
import { Passage } from './deny-by-default/passage.js'
import { Watch } from './deny-by-default/watch.js'

export interface DenyByDefaultOptions {
  /**
   * Refuses handlers outside any route that come before authentication: mounting one throws, and one that comes to light
   * later is not run. @default false: they run, and nothing of their answer leaves
   */
  readonly strict?: boolean
  /** With `strict`: handlers outside any route that may run before authentication, as `cors()` must. @default none */
  readonly passing?: readonly ((...given: never[]) => unknown)[]
}

/**
 * Refuses what nobody decided about: call it right after `express()`, before anything is mounted.
 *
 * A route is refused with 403 before any of its handlers, and before its `param` callbacks, unless somebody was
 * authenticated or its own stack, for this method, holds `authenticate` (or another authentication of this library) or
 * `publicRoute`. What handlers outside any route answer before that is held back: the caller gets 403, and nothing of
 * theirs. Paths that nothing takes stay 404; answers of error handlers go out; so do the headers of a CORS handler's
 * answer to a preflight.
 *
 * It works by properties of this application's own objects (its routers, their layers, one request's response), also of
 * routers and applications that are mounted later, and is inert for requests that come in another way.
 *
 * **Not checked:** what a handler outside any route does before it answers; what is written to the raw socket; upgrades;
 * applications that were mounted before this was called: their answers are held, their routes are not seen.
 *
 * Throws a `TypeError` where `app` is no Express application or is guarded already, and for unknown options; with
 * `strict`, where a handler is mounted that would run before authentication.
 */
export function denyByDefault(app: object, options: DenyByDefaultOptions = {}): void {
  if (!isApplication(app))
    throw misuse('denyByDefault', 'app', `an Express application${isRouter(app) ? ', no Router' : ''}`, app)
  if (denyByDefaultOf(app) !== undefined)
    throw new TypeError('denyByDefault: was already called for this application')
  checkOptions('denyByDefault', options, { strict: flag, passing: listOf(callback) })
  const { strict = false } = options
  if (options.passing !== undefined && !strict)
    throw new TypeError(
      'denyByDefault: passing is for strict: true; without it handlers outside any route run',
    )
  const passing = new Set<unknown>(options.passing)
  const watch = new Watch((handle) => !strict || passing.has(handle))
  markDenyByDefault(app, { strict })
  watch.application(app, (handle) => {
    if (strict) refuseOpenHandler(app, handle, passing)
  })
  guardEntrance(app as Entrance, watch)
}

type Entrance = object & { handle: (req: IncomingMessage, res: ServerResponse, next?: Next) => unknown }

function guardEntrance(app: Entrance, watch: Watch): void {
  const { handle } = app
  app.handle = function guardedHandle(req, res, next) {
    const before = watch.passageOf(req)
    if (before !== undefined) {
      const leave = before.enter(undefined)
      if (next === undefined) return handle.call(app, req, res)
      return handle.call(app, req, res, (error) => {
        leave()
        next(error)
      })
    }
    const router = routerOf(app)
    const passage = new Passage(req, res, router)
    // Nothing was ever mounted: Express itself answers 404.
    if (router === undefined) passage.release()
    watch.begin(passage)
    const letGo = holdResponse(passage, requestIdOf)
    if (next === undefined) return handle.call(app, req, res)
    return handle.call(app, req, res, (error) => {
      // What the outer application does with it is not this one's to decide.
      watch.end(passage)
      letGo()
      next(error)
    })
  }
}

function requestIdOf({ req }: Passage): string {
  try {
    return contextOf(req).id
  } catch {
    return ''
  }
}

/** With `strict`, what is mounted by `use` is ours, or a router, or an error handler, or behind authentication, or vouched for. */
function refuseOpenHandler(app: object, handle: unknown, passing: ReadonlySet<unknown>): void {
  const { length } = handle as { readonly length: number }
  if (length === 4 || isRouter(handle) || isApplication(handle) || passing.has(handle)) return
  if (guardMetadataOf(handle) !== undefined || hasAuthentication(app)) return
  const name = (handle as { readonly name: string }).name
  throw new TypeError(
    `denyByDefault: strict: handler "${name === '' ? 'anonymous' : name}" is mounted before authentication; ` +
      'mount it in a route, mount it after authenticate(), or give this very function in "passing"',
  )
}

function hasAuthentication(app: object): boolean {
  return stackOf(app).some((layer) => {
    const metadata = layer.route === undefined ? guardMetadataOf(layer.handle) : undefined
    return metadata !== undefined && isAuthentication(metadata)
  })
}
