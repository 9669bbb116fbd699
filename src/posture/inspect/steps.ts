import {
  guardMetadataOf,
  isAuthentication,
  wrappedMetadataOf,
  type GuardMetadata,
} from '../../core/metadata.js'
import {
  applicationOf,
  isHiddenApplication,
  isRouter,
  routerOf,
  stackOf,
  type LayerHandle,
  type RouterLayer,
} from '../../core/router.js'
import { rewritesUrl } from './known-handlers.js'
import { layerPathsOf, type LayerPath } from './layer-path.js'
import { callbacksOf, paramsOf } from './param-callbacks.js'
import { StepIndex } from './step-index.js'

/**
 * What a router does at one place of its stack.
 *
 * `guard`: a middleware of this library. `wrapped`: a function around one. `inner`: a router or an application whose
 * layers can be seen; `application`: one whose layers cannot. `error`: an error handler of the application's own.
 */
export interface Step {
  readonly kind: 'guard' | 'wrapped' | 'handler' | 'inner' | 'application' | 'error' | 'route'
  readonly index: number
  readonly layer: RouterLayer
  readonly paths: readonly LayerPath[]
  readonly about: GuardMetadata | undefined
  /** Of an `inner` one. */
  readonly holder: object | undefined
}

/** A router's stack, read once. */
export interface Plan {
  readonly steps: readonly Step[]
  readonly guards: readonly Step[]
  readonly guardIndex: StepIndex<Step>
  readonly errors: readonly Step[]
  readonly handlers: readonly Step[]
  /** Steps inside which something changes `req.url`, as far as its source shows. */
  readonly rewriters: readonly Step[]
  /** Whether a `param` callback of this router does. */
  readonly paramsRewrite: boolean
  /** Routers, applications and routes inside which somebody may be authenticated and sent on. */
  readonly detours: StepIndex<Step>
  /** Names of the parameters that have a callback. */
  readonly params: readonly string[]
}

const MAX_NESTING = 20

/** Reads routers for one inspection, each of them once. */
export class Reader {
  readonly #plans = new Map<object, Plan>()
  readonly #authenticating = new Map<object, boolean>()
  readonly #rewriting = new Map<object, boolean>()

  planOf(holder: object): Plan {
    const stack = stackOf(holder)
    const known = this.#plans.get(stack)
    if (known !== undefined) return known
    const own = expressOwn(holder, stack)
    const steps = stack.flatMap((layer, index) => (index < own ? [] : stepsOf(layer, index)))
    const guards = steps.filter(({ kind }) => kind === 'guard' || kind === 'wrapped')
    const plan: Plan = {
      steps,
      guards,
      guardIndex: new StepIndex(guards),
      errors: steps.filter(({ kind }) => kind === 'error'),
      handlers: steps.filter(({ kind }) => kind === 'handler'),
      rewriters: steps.filter(({ layer }) => this.rewrites(layer)),
      paramsRewrite: callbacksOf(holder).some(rewritesUrl),
      detours: new StepIndex(
        steps.filter(
          ({ kind, layer }) => (kind === 'inner' || kind === 'route') && this.authenticates(layer),
        ),
      ),
      params: paramsOf(holder),
    }
    this.#plans.set(stack, plan)
    return plan
  }

  /** Whether somebody may be authenticated inside a layer, or by what it wraps. */
  authenticates({ route, handle }: RouterLayer, depth = 0): boolean {
    if (depth > MAX_NESTING) return true
    if (route !== undefined) return (route.stack ?? []).some((inner) => this.authenticates(inner, depth + 1))
    const about = wrappedMetadataOf(handle)
    if (about !== undefined) return isAuthentication(about)
    if (handle === undefined) return false
    const holder = holderOf(handle, applicationOf({ handle }))
    if (holder === undefined) return false
    const stack = stackOf(holder)
    const known = this.#authenticating.get(stack)
    if (known !== undefined) return known
    // Before it is known: a router that is mounted on itself adds nothing.
    this.#authenticating.set(stack, false)
    const found = stack.some((layer) => this.authenticates(layer, depth + 1))
    this.#authenticating.set(stack, found)
    return found
  }

  /** Whether anything inside a layer is seen to change where a request goes. */
  rewrites({ route, handle }: RouterLayer, depth = 0): boolean {
    if (depth > MAX_NESTING) return true
    if (route !== undefined) return (route.stack ?? []).some((inner) => this.rewrites(inner, depth + 1))
    if (handle === undefined || guardMetadataOf(handle) !== undefined) return false
    const holder = holderOf(handle, applicationOf({ handle }))
    if (holder === undefined) return rewritesUrl(handle)
    const stack = stackOf(holder)
    const known = this.#rewriting.get(stack)
    if (known !== undefined) return known
    this.#rewriting.set(stack, false)
    const found =
      callbacksOf(holder).some(rewritesUrl) || stack.some((layer) => this.rewrites(layer, depth + 1))
    this.#rewriting.set(stack, found)
    return found
  }
}

function stepsOf(layer: RouterLayer, index: number): readonly Step[] {
  if (!isLayer(layer)) return [{ ...NOTHING_KNOWN, index }]
  const application = applicationOf(layer)
  const holder = layer.route === undefined ? holderOf(layer.handle, application) : undefined
  const kind = kindOf(layer, holder, application)
  if (kind === undefined) return []
  return [{ kind, index, layer, paths: layerPathsOf(layer), about: guardMetadataOf(layer.handle), holder }]
}

function kindOf(
  layer: RouterLayer,
  holder: object | undefined,
  application: object | undefined,
): Step['kind'] | undefined {
  const { handle, route } = layer
  if (route !== undefined) return 'route'
  if (typeof handle !== 'function') return undefined
  if (guardMetadataOf(handle) !== undefined) return 'guard'
  const { length } = handle as { readonly length: number }
  // Express runs only what has four parameters for errors, and nothing that has more.
  if (length === 4) return 'error'
  if (length > 4) return undefined
  if (holder !== undefined) return 'inner'
  if (isHiddenApplication(layer) || application !== undefined) return 'application'
  return wrappedMetadataOf(handle) === undefined ? 'handler' : 'wrapped'
}

/** The router or application inside a layer, where its layers are Express's own kind: `connect` has a stack too. */
function holderOf(handle: LayerHandle | undefined, application: object | undefined): object | undefined {
  if (application !== undefined)
    return isExpress4(application) || isReadable(routerOf(application)) ? application : undefined
  return isReadable(handle) ? handle : undefined
}

// Something that somebody put into the stack by hand.
const NOTHING_KNOWN: Omit<Step, 'index'> = {
  kind: 'handler',
  layer: {},
  paths: [{ kind: 'hidden', shown: '{hidden}' }],
  about: undefined,
  holder: undefined,
}

function isLayer(layer: unknown): boolean {
  return typeof (layer as RouterLayer | undefined)?.match === 'function'
}

export function isExpress4(application: object): boolean {
  return typeof (application as { lazyrouter?: unknown }).lazyrouter === 'function'
}

/** A router into whose stack nobody has put anything by hand. */
function isReadable(router: LayerHandle | undefined): boolean {
  return isRouter(router) && stackOf(router).every(isLayer)
}

/** The two handlers that Express 4 itself puts in front of an application's own. */
function expressOwn(holder: object, stack: readonly RouterLayer[]): number {
  const names = stack.slice(0, 2).map((layer?: RouterLayer) => layer?.handle?.name)
  return isExpress4(holder) && names[0] === 'query' && names[1] === 'expressInit' ? 2 : 0
}
