import { express4Texts } from './express4-text.js'

/** What both versions' routers keep for each thing mounted on them. */
export interface RouterLayer {
  readonly route?: RouteObject
  readonly match?: (path: string) => boolean | { readonly path?: string }
  /** What `match` matched last. */
  readonly path?: string
  readonly handle?: LayerHandle
  /** In a route's own stack: the method in lower case, `undefined` for every method. */
  readonly method?: string
  /** Express 5 with router >= 2.3. */
  readonly rawPath?: unknown
  /** Express 5: mounted at `/`. */
  readonly slash?: boolean
  /** Express 4. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean; readonly fast_star?: boolean }
  readonly keys?: readonly { readonly name: string | number }[]
}

export interface RouteObject {
  readonly path?: unknown
  /** Methods in lower case; `_all` for every one. */
  readonly methods?: Readonly<Record<string, boolean>>
  readonly stack?: readonly RouterLayer[]
}

export interface LayerHandle {
  readonly name?: string
  readonly length?: number
  readonly stack?: unknown
  readonly router?: unknown
  readonly _router?: unknown
  readonly set?: unknown
  readonly handle?: unknown
}

const APPLICATION = Symbol.for('express-bulwark.application.v1')

/** The layers of an application or a router; none where this version of Express keeps them elsewhere. */
export function stackOf(holder: object): readonly RouterLayer[] {
  const { stack } = holder as LayerHandle
  if (Array.isArray(stack)) return stack as RouterLayer[]
  const router = routerOf(holder)
  return Array.isArray(router?.stack) ? (router.stack as RouterLayer[]) : []
}

/** An application's router; `undefined` before it has one. */
export function routerOf(application: object): LayerHandle | undefined {
  const { _router } = application as LayerHandle
  if (_router !== undefined && _router !== null) return _router
  try {
    return (application as LayerHandle).router as LayerHandle | undefined
  } catch {
    // Express 4: a getter that throws.
    return undefined
  }
}

/** Says which application stands behind the closure that Express mounts in its place. */
export function noteApplication(mounted: object, application: object): void {
  if (!Object.hasOwn(mounted, APPLICATION))
    Object.defineProperty(mounted, APPLICATION, { value: application })
}

/**
 * Notes the applications among what one call of `use` has just mounted on an application, behind the layers it had `before`.
 * Those that a listener for 'mount' mounted meanwhile were noted by their own call.
 */
export function noteMounted(application: object, before: number, handlers: readonly unknown[]): void {
  const layers = stackOf(application)
    .slice(before)
    .filter((layer) => isHiddenApplication(layer) && !handlers.includes(layer.handle))
  handlers.filter(isApplication).forEach((inner, index) => {
    const handle = layers[index]?.handle
    if (handle !== undefined) noteApplication(handle, inner)
  })
}

/** The application behind a layer: mounted on a router it shows itself, on another application only where it was noted. */
export function applicationOf({ handle }: RouterLayer): object | undefined {
  if (handle === undefined) return undefined
  if (isApplication(handle)) return handle
  return (handle as { [APPLICATION]?: object })[APPLICATION]
}

export function isApplication(handle: unknown): handle is object {
  const { handle: inner, set } = (handle ?? {}) as LayerHandle
  return typeof handle === 'function' && typeof inner === 'function' && typeof set === 'function'
}

/** Whether a function is a router of Express: others (connect's) have a stack too, of another kind. */
export function isRouter(handle: unknown): handle is object {
  if (typeof handle !== 'function' || isApplication(handle)) return false
  const { stack, param, route } = handle as { stack?: unknown; param?: unknown; route?: unknown }
  return Array.isArray(stack) && typeof param === 'function' && typeof route === 'function'
}

/** Whether a layer is an application that Express hides: its routes cannot be seen. */
export function isHiddenApplication(layer: RouterLayer): boolean {
  return layer.handle?.name === 'mounted_app' && applicationOf(layer) === undefined
}

/** What is mounted inside a layer: `undefined` where it is a plain function. */
export function innerStackOf(layer: RouterLayer): readonly RouterLayer[] | undefined {
  const application = applicationOf(layer)
  if (application !== undefined) return stackOf(application)
  return Array.isArray(layer.handle?.stack) ? (layer.handle.stack as RouterLayer[]) : undefined
}

/**
 * The paths at which a layer was mounted, as they were written. Where the version of Express keeps only what it compiled,
 * that expression; `undefined` where it keeps nothing.
 */
export function pathsOf(layer: RouterLayer): readonly (string | RegExp)[] | undefined {
  if (layer.route !== undefined) return listed(layer.route.path)
  if (layer.rawPath !== undefined) return listed(layer.rawPath)
  if (layer.slash === true || layer.regexp?.fast_slash === true) return ['/']
  if (layer.regexp === undefined) return undefined
  return express4Texts(layer.regexp, layer.keys ?? [], false) ?? [layer.regexp]
}

function listed(path: unknown): readonly (string | RegExp)[] {
  return ([path] as unknown[])
    .flat(Infinity)
    .filter((item) => typeof item === 'string' || item instanceof RegExp)
}
