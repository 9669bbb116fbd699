import { isAuthentication } from '../../core/metadata.js'
import type { Finding, PostureGuard, PostureRow } from '../model.js'

/** Whether a guard asks what the caller may do, of ours or of the application's own: what it asks is up to it. */
export function saysWhoMay({ layer, kind, mode }: PostureGuard): boolean {
  return layer === 'authorization' && kind !== 'denyByDefault' && mode === 'enforce'
}

/** Why a limit by principal that is there does nothing; `undefined` where there is none, or where it works. */
export function idleLimitOf({ guards }: PostureRow): string | undefined {
  const byPrincipal = guards.findIndex(
    ({ kind, mode, facts }) => kind === 'rateLimit' && mode === 'enforce' && facts['by'] === 'principal',
  )
  if (byPrincipal === -1) return undefined
  const authenticated = guards.findIndex(isAuthentication)
  if (authenticated === -1) return 'has a rate limit by principal and no authentication, so it cannot work'
  return byPrincipal < authenticated
    ? 'has a rate limit by principal that stands before authentication, where it cannot work'
    : undefined
}

/**
 * Where something about a row is to be mended: in the route, at the last of its own guards. One that was made further up in the
 * same file only has its name in the route.
 */
export function placeOf({ guards }: PostureRow): Pick<Finding, 'file' | 'line'> {
  const own = guards.filter(({ mounted }) => mounted === 'route')
  const file = own.at(-1)?.file
  const lines = own.filter((guard) => guard.file === file).flatMap(({ line }) => line ?? [])
  return { file, line: lines.length === 0 ? undefined : Math.max(...lines) }
}
