import { isAuthentication } from '../../core/metadata.js'
import { byText, needsCaller } from '../limiters.js'
import type { Finding, PostureGuard, PostureRow } from '../model.js'

/** `denyByDefault` asks that somebody decided, `requireAuthnLevel` how the caller proved who it is. */
const SAY_NOT_WHO: ReadonlySet<string> = new Set(['denyByDefault', 'requireAuthnLevel'])

/** Whether a guard asks what the caller may do, of ours or of the application's own: what it asks is up to it. */
export function saysWhoMay({ layer, kind, mode }: PostureGuard): boolean {
  return layer === 'authorization' && !SAY_NOT_WHO.has(kind) && mode === 'enforce'
}

/** Why a limit by caller that is there does nothing; `undefined` where there is none, or where it works. */
export function idleLimitOf({ guards }: PostureRow): string | undefined {
  const byCaller = guards.findIndex(
    ({ kind, mode, facts }) => kind === 'rateLimit' && mode === 'enforce' && needsCaller(facts),
  )
  const limiter = guards[byCaller]
  if (limiter === undefined) return undefined
  const by = byText(limiter.facts)
  const authenticated = guards.findIndex(isAuthentication)
  if (authenticated === -1) return `has a rate limit by ${by} and no authentication, so it cannot work`
  return byCaller < authenticated
    ? `has a rate limit by ${by} that stands before authentication, where it cannot work`
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
