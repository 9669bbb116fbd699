import type { LayerPath, Segment } from './layer-path.js'

/** Whether what is mounted at one path runs for every request that goes on to another path of the same router. */
export type Cover = 'surely' | 'perhaps' | 'never'

/** What is known of the paths that lead to a row: how they begin, and whether more may follow. */
export interface Reach {
  readonly segments: readonly Segment[]
  readonly isOpen: boolean
}

// Without slashes in a row and without whatever means something to either version's templates.
const LITERAL = /^(?:\/[^\\^$*+?()[\]{}|:"!#\s/]+)+$/

/**
 * How much of the way to `onward` the mount at `paths` covers. Both are of the same router: only there do the same
 * characters of a request decide about both. `reach` is all that is known of the way from there.
 *
 * What it does not know is `perhaps`.
 */
export function coverOf(
  paths: readonly LayerPath[],
  onward: LayerPath,
  isRoute: boolean,
  reach: Reach,
): Cover {
  if (paths.every((path) => isApart(path, reach))) return 'never'
  // In a list Express takes the first that matches, and `use` skips what a pattern matched inside a segment.
  const isReadable = paths.length === 1 || paths.every(({ kind }) => kind !== 'pattern')
  return isReadable && paths.some((path) => isSure(path, onward, isRoute)) ? 'surely' : 'perhaps'
}

function isSure(path: LayerPath, onward: LayerPath, isRoute: boolean): boolean {
  if (path.kind === 'everything') return true
  if (path.kind === 'pattern') return !isRoute && isSamePattern(path, onward)
  if (path.kind === 'hidden' || !isCaseCovered(path.isCaseless(), onward)) return false
  const { text } = path
  if (LITERAL.test(text)) return isLiteralPrefix(text, onward)
  if (text.includes('*') || text === '') return false
  return onward.kind === 'text' && (isRoute ? onward.text.replace(/\/$/, '') : onward.text) === text
}

/** The same expression, at a mount: a route takes what `use` of it would skip, for `use` wants whole segments. */
function isSamePattern(path: LayerPath & { readonly kind: 'pattern' }, onward: LayerPath): boolean {
  return (
    onward.kind === 'pattern' &&
    onward.source === path.source &&
    onward.flags === path.flags &&
    // These remember where they stopped, so that the same text matches only every other time.
    !/[gy]/.test(path.flags)
  )
}

function isLiteralPrefix(text: string, onward: LayerPath): boolean {
  if (onward.kind === 'text') {
    if (onward.text === text || onward.text.startsWith(`${text}/`)) return true
    const rest = onward.text.startsWith(text) ? onward.text.slice(text.length) : undefined
    return rest !== undefined && /^\{\/[:*]\w+\}$/.test(rest)
  }
  return onward.kind === 'pattern' && isAnchoredBelow(text, onward)
}

/** Whether an expression takes only what begins with `text` and a slash. */
function isAnchoredBelow(text: string, { source, flags }: { source: string; flags: string }): boolean {
  if (!/^i?$/.test(flags)) return false
  const escaped = text.replace(/[/.]/g, '\\$&')
  const start = `^${escaped}\\/`
  if (!source.startsWith(start) || /^[?*{]/.test(source.slice(start.length))) return false
  // The one alternative that templates of Express 4 compile to, and which is in brackets: `(?!\/|-)`.
  return !source.replace(/(?<!\\)\(\?!\\\/\|[^()|]*\)/g, '').includes('|')
}

/** A guard that minds the case does not cover a way that does not: `/ADMIN` would slip past it. */
function isCaseCovered(isCaseless: boolean | undefined, onward: LayerPath): boolean {
  if (isCaseless === true) return true
  if (onward.kind === 'pattern') return isCaseless === false && !onward.flags.includes('i')
  return isCaseless === false && onward.kind === 'text' && onward.isCaseless() === false
}

/** What is known of the way along these paths, each inside the one before. */
export function reachOf(paths: readonly LayerPath[], isOpen: boolean): Reach {
  const segments: Segment[] = []
  for (const path of paths) {
    if (path.kind === 'everything') continue
    if (path.kind !== 'text') return { segments, isOpen: true }
    segments.push(...path.segments)
  }
  return { segments, isOpen }
}

/** Whether no request can match both: a segment differs, and is plain text in both. */
export function isApart(path: LayerPath, { segments, isOpen }: Reach): boolean {
  if (path.kind !== 'text') return false
  const own = path.segments
  // By index: this is asked for every pair of a guard and a route.
  for (let index = 0; index < own.length; index += 1) {
    const segment = own[index]
    if (segment === undefined) return false
    if (index >= segments.length) return !isOpen
    const opposite = segments[index]
    if (opposite === undefined) return false
    if (opposite !== segment) return true
  }
  return false
}
