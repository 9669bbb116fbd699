import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { nameOf } from './chain.js'
import type { Examined, Station } from './examined.js'

/** What of this library makes a middleware, or sets an application up: how many parameters each has (its `length`). */
export const FACTORIES: Readonly<Record<string, number>> = {
  auditLog: 0,
  authenticate: 1,
  authorize: 2,
  concurrencyLimit: 1,
  denyByDefault: 1,
  forbidTogether: 1,
  gateway: 1,
  idempotency: 0,
  internalOnly: 1,
  loadShed: 1,
  notFound: 0,
  penalise: 1,
  principalFrom: 2,
  protectedResourceMetadata: 1,
  publicRoute: 1,
  rateLimit: 1,
  requestTimeout: 1,
  requireAuthnLevel: 1,
  requireClaims: 1,
  requireResource: 1,
  requireRoles: 0,
  requireScopes: 0,
  requireService: 0,
  requireTenant: 1,
  secureErrors: 0,
  secureHeaders: 0,
  slowDown: 1,
  validateBody: 2,
}

/** `app.use(notFound)` in the place of `app.use(notFound())`. */
export function uncalledFactories({ stations }: Examined): readonly Finding[] {
  return stations.filter(isUncalled).map((station) => {
    const { mounted, path, handle } = station
    const name = String(handle.name)
    const where = mounted === 'route' ? nameOf(station) : undefined
    const at = where ?? (path === '/' ? 'for all requests' : `at ${path ?? 'a hidden path'}`)
    return found('factory-not-called', `${name} is mounted without being called: ${at}.`, { where })
  })
}

/** An application may have a middleware of such a name: it takes at least a request and an answer, or all arguments. */
function isUncalled({ handle, about }: Station): boolean {
  const name = handle.name ?? ''
  if (about !== undefined || !Object.hasOwn(FACTORIES, name) || handle.length !== FACTORIES[name])
    return false
  // The rest parameters of this library have this name.
  return !/^[^(]*\(\s*\.{3}(?!given\b)/.test(Function.prototype.toString.call(handle))
}
