import { METHODS } from 'node:http'
import type { RouteObject, RouterLayer } from '../../core/router.js'
import { reachOf, type Reach } from './cover.js'
import type { LayerPath } from './layer-path.js'
import type { Plan, Step } from './steps.js'

/** One router on the way to a row, and the step in its stack that leads on. */
export interface Level {
  readonly plan: Plan
  readonly step: Step
  /** That of the step's paths which is looked at. */
  readonly path: LayerPath
}

/** The way of a request to one row: through these routers, and at last into a route's own stack. */
export interface Way {
  readonly levels: readonly Level[]
  /** The layers of the route that serve the row's method; `undefined` where the row is no route. */
  readonly own: readonly RouterLayer[] | undefined
  /** In lower case; `undefined` for every method. */
  readonly method: string | undefined
}

/** The path of a row, as a person reads it. */
export function shownPath(levels: readonly Level[]): string {
  return levels.map(({ path }) => path.shown).join('')
}

export function reachFrom({ levels, own }: Way, depth: number): Reach {
  return reachOf(
    levels.slice(depth).map(({ path }) => path),
    own === undefined,
  )
}

/** Whether a `param` callback of this router may run when it takes this step; it is no guard, and may answer. */
export function runsParamCallback({ plan: { params }, path, step }: Level): boolean {
  return params.length > 0 && [path].some((one) => hasParam(one, step.layer, params))
}

/** As above, for another step of the same router. */
export function stepRunsParamCallback({ params }: Plan, { paths, layer }: Step): boolean {
  return params.length > 0 && paths.some((path) => hasParam(path, layer, params))
}

function hasParam(path: LayerPath, { keys, regexp }: RouterLayer, params: readonly string[]): boolean {
  if (path.kind === 'everything') return false
  if (regexp !== undefined && keys !== undefined)
    return keys.some(({ name }) => params.includes(String(name)))
  if (path.kind !== 'text') return true
  return /[:*]/.test(path.text) && params.some((name) => path.text.includes(name))
}

/** What a route does for one method, or for all (others): `undefined`. */
export interface Service {
  /** In lower case. */
  readonly method: string | undefined
  /** The layers that Express runs for it. */
  readonly own: readonly RouterLayer[]
}

/** The methods of a route, each of which is worth a row. HEAD, where GET stands for it, is none. */
export function servicesOf({ methods = {}, stack = [] }: RouteObject): readonly Service[] {
  const services = Object.keys(methods)
    .filter((name) => methods[name] === true)
    .map((name): Service => {
      const method = name === '_all' ? undefined : name
      return {
        method,
        own: stack.filter((layer) => layer.method === undefined || layer.method === method),
      }
    })
  const [first] = services
  // What `app.all` makes: the same handlers for every method that there is.
  const isForAll = first !== undefined && METHODS.every((name) => methods[name.toLowerCase()] === true)
  if (!isForAll || !services.every(({ own }) => isSameStack(own, first.own))) return services
  return [{ method: undefined, own: first.own }]
}

function isSameStack(one: readonly RouterLayer[], other: readonly RouterLayer[]): boolean {
  return one.length === other.length && one.every(({ handle }, index) => handle === other[index]?.handle)
}
