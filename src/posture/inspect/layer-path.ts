import { express4Texts } from '../../core/express4-text.js'
import { pathsOf, type RouterLayer } from '../../core/router.js'

/**
 * One of the paths at which a layer is mounted.
 *
 * `everything`: mounted at `/`. `text`: a template whose meaning is known. `pattern`: a regular expression.
 * `hidden`: this version of Express keeps nothing.
 */
export type LayerPath =
  | { readonly kind: 'everything'; readonly shown: string }
  | { readonly kind: 'hidden'; readonly shown: string }
  | {
      readonly kind: 'text'
      /** Of what is mounted by `use`: without a slash at its end. */
      readonly text: string
      readonly shown: string
      readonly segments: readonly Segment[]
      /** `undefined` where this version of Express does not tell. */
      readonly isCaseless: () => boolean | undefined
    }
  | { readonly kind: 'pattern'; readonly source: string; readonly flags: string; readonly shown: string }

/** Plain text in lower case; `undefined` for whatever else a template may say between two slashes. */
export type Segment = string | undefined

const MAX_SHOWN = 500
const LITERAL_SEGMENT = /^[\w.~%@,;=&'-]+$/

/** The paths of a layer, each of which leads to what is mounted there. */
export function layerPathsOf(layer: RouterLayer): readonly LayerPath[] {
  if (layer.regexp !== undefined) return express4Paths(layer, layer.regexp)
  if (layer.slash === true) return [{ kind: 'everything', shown: '' }]
  // `rawPath` is a copy; the list in `route.path` is the application's own, which it may have changed since.
  const { route, rawPath } = layer
  const paths = pathsOf(rawPath === undefined ? layer : { rawPath })
  if (paths === undefined || paths.length === 0) return [{ kind: 'hidden', shown: '{hidden}' }]
  return paths.map((path, index) => {
    if (path instanceof RegExp) return pattern(path)
    const text = route === undefined ? path.replace(/\/+$/, '') : path
    return textPath(
      text,
      once(() => probeCase(layer, index, text)),
    )
  })
}

function express4Paths(layer: RouterLayer, regexp: RegExp & { fast_slash?: boolean }): readonly LayerPath[] {
  if (regexp.fast_slash === true) return [{ kind: 'everything', shown: '' }]
  const written = layer.route === undefined ? [] : (pathsOf(layer) ?? [])
  const texts = express4Texts(regexp, layer.keys ?? [], layer.route !== undefined)
  if (texts !== undefined) {
    const isCaseless = (): boolean => regexp.flags === 'i'
    return texts.map((text, index) => textPath(text, isCaseless, writtenAs(text, written[index])))
  }
  if (written.length === 0) return [pattern(regexp)]
  return written.map((path) => pattern(regexp, path))
}

/** The slash at the end, which compiling took away. */
function writtenAs(text: string, written: string | RegExp | undefined): string {
  return typeof written === 'string' && written.replace(/\/$/, '') === text ? written : text
}

function textPath(text: string, isCaseless: () => boolean | undefined, shown = text): LayerPath {
  return { kind: 'text', text, shown: shown.slice(0, MAX_SHOWN), segments: segmentsOf(text), isCaseless }
}

function segmentsOf(text: string): readonly Segment[] {
  const trimmed = text.replace(/^\//, '').replace(/\/$/, '')
  if (trimmed === '') return []
  return trimmed
    .split('/')
    .map((segment) => (LITERAL_SEGMENT.test(segment) ? segment.toLowerCase() : undefined))
}

function pattern({ source, flags }: RegExp, written: string | RegExp = `{${source}}`): LayerPath {
  const shown = typeof written === 'string' ? written : `{${written.source}}`
  return { kind: 'pattern', source, flags, shown: shown.slice(0, MAX_SHOWN) }
}

/** Express 5 keeps the setting in a closure; its matcher tells it by what it matches. */
function probeCase(layer: RouterLayer, index: number, text: string): boolean | undefined {
  const { matchers } = layer as { matchers?: readonly unknown[] }
  const matcher = matchers?.[index]
  if (typeof matcher !== 'function') return undefined
  const sample = text.replace(/[:*](?:"[^"]*"|[\p{ID_Continue}$]+)/gu, 'x').replace(/[{}\\]/g, '')
  const upper = sample.toUpperCase()
  try {
    const matches = matcher as (path: string) => unknown
    if (!matches(sample)) return undefined
    return Boolean(matches(sample === upper ? sample.toLowerCase() : upper))
  } catch {
    return undefined
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
