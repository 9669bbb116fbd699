import { neutralise } from '../../core/text.js'
import type { Posture, PostureGuard, PostureRow, Proof } from '../model.js'

/** Every proof class, in the order in which the outputs count them. */
export const PROOFS = [
  'guarded',
  'public',
  'optional',
  'open',
  'unknown',
  'held',
  'known',
] as const satisfies readonly Proof[]

/** What each class means, in one sentence for a reader who sees it for the first time. */
export const MEANINGS: Readonly<Record<Proof, string>> = {
  guarded: 'An authentication in enforce mode surely runs before the handler.',
  public: 'The route says that it needs no credential, and why.',
  optional: 'Authentication runs and lets callers without a credential pass.',
  open: 'Nothing authenticates.',
  unknown: 'It cannot be said who gets through.',
  held: 'A handler outside any route; deny-by-default holds its answer back until somebody is authenticated.',
  known: 'A handler outside any route that is known, by name and source, to pass requests on.',
}

/** Text that cannot forge lines or repaint a terminal; what was cut off is shown to be missing. */
export function shown(text: string, maxLength = 300): string {
  return text.length > maxLength ? `${neutralise(text, maxLength)}...` : neutralise(text, maxLength)
}

/** `POST /orders` */
export function routeText({ method, path }: Pick<PostureRow, 'method' | 'path'>): string {
  return shown(`${method} ${path}`)
}

/** `requireScopes(orders:write) [report]` */
export function guardText({ kind, name, mode }: Pick<PostureGuard, 'kind' | 'name' | 'mode'>): string {
  const rule = name === kind || name === '' ? '' : `(${shown(name, 120)})`
  return `${shown(kind, 80)}${rule}${mode === 'report' ? ' [report]' : ''}`
}

/** `gateway (edge proven by shared secret x-edge-secret)`: what stands for all requests, where its facts say more. */
export function serviceText(guard: PostureGuard): string {
  const { hops, weak } = guard.facts
  if (guard.kind !== 'gateway' || !Array.isArray(hops)) return guardText(guard)
  const weakly = Array.isArray(weak) ? `; weak: ${weak.map(String).join(', ')}` : ''
  return `${guardText(guard)} (${shown(`${hops.map(String).join(', ')}${weakly}`)})`
}

export function guardsText(guards: readonly PostureGuard[]): string {
  return guards.map(guardText).join(', ')
}

/** An open route whose guards only report looks protected in the code, so it is named apart. */
export function proofText({ proof, guards }: Pick<PostureRow, 'proof' | 'guards'>): string {
  return proof === 'open' && guards.some(({ mode }) => mode === 'report') ? 'open (report)' : proof
}

/** `src/orders.ts:12`; empty where it is not known. */
export function placeText(place: Pick<PostureGuard, 'file' | 'line'> | undefined): string {
  if (place?.file === undefined) return ''
  return place.line === undefined ? shown(place.file) : `${shown(place.file)}:${place.line}`
}

/** The guard in the route itself that stands nearest to the handler, of those whose file is known. */
export function ownGuard(guards: readonly PostureGuard[]): PostureGuard | undefined {
  return guards.findLast(({ file, mounted }) => file !== undefined && mounted === 'route')
}

/** As above; where the route has none, the last one before it, which may stand anywhere. */
export function nearestGuard(guards: readonly PostureGuard[]): PostureGuard | undefined {
  return ownGuard(guards) ?? guards.findLast(({ file }) => file !== undefined)
}

/** `/files/* (serveStatic)`: several handlers may stand at one path. */
export function pathText({ kind, path, handler }: Pick<PostureRow, 'kind' | 'path' | 'handler'>): string {
  const isNamed = kind === 'handler' && handler !== undefined && handler !== ''
  return `${shown(path)}${isNamed ? ` (${shown(handler, 80)})` : ''}`
}

/** Why callers without a credential pass, or that they do not. */
export function accessText({ proof, publicReason, refusedByDefault }: PostureRow): string {
  if (proof === 'optional') {
    if (publicReason !== undefined) return `public: ${shown(publicReason)}`
    return refusedByDefault ? 'refused by default without a credential' : ''
  }
  return refusedByDefault && (proof === 'open' || proof === 'unknown') ? 'refused by default' : ''
}

/** `Express 5, deny-by-default on` */
export function settingsText({ expressMajor, denyByDefault }: Posture): string {
  const version = expressMajor === 'unknown' ? 'Express of unknown version' : `Express ${expressMajor}`
  return `${version}, deny-by-default ${denyByDefault}`
}

export function countsOf(rows: readonly PostureRow[]): ReadonlyMap<Proof, number> {
  const counts = new Map<Proof, number>(PROOFS.map((proof) => [proof, 0]))
  for (const { proof } of rows) counts.set(proof, (counts.get(proof) ?? 0) + 1)
  return counts
}

/** `9 routes, 2 handlers: 6 guarded, 1 public, 2 open, 2 held` */
export function summaryText({ rows }: Posture): string {
  const kinds = [
    counted(rows, 'route', 'route'),
    counted(rows, 'handler', 'handler'),
    counted(rows, 'application', 'hidden application'),
  ].filter((text) => text !== '')
  if (kinds.length === 0) return 'No routes.'
  const proofs = [...countsOf(rows)].filter(([, count]) => count > 0)
  return `${kinds.join(', ')}: ${proofs.map(([proof, count]) => `${count} ${proof}`).join(', ')}`
}

function counted(rows: readonly PostureRow[], kind: PostureRow['kind'], word: string): string {
  const count = rows.filter((row) => row.kind === kind).length
  return count === 0 ? '' : `${count} ${word}${count === 1 ? '' : 's'}`
}
