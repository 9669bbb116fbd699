import { isAuthentication, wrappedMetadataOf, type GuardMetadata } from '../../core/metadata.js'
import type { PostureFault } from '../model.js'
import { coverOf, isApart, reachOf, type Cover } from './cover.js'
import { Evidence, doubtWrapped, labelOf, paramBefore, swallowed } from './evidence.js'
import { proveOwn } from './proof-own.js'
import type { Plan, Reader, Step } from './steps.js'
import { reachFrom, runsParamCallback, stepRunsParamCallback, type Level, type Way } from './way.js'

/** Collects what is known about a row; what cannot be shown is a doubt, never a proof. */
export function prove(way: Way, reader: Reader): Evidence {
  const evidence = new Evidence()
  way.levels.forEach((level, depth) => {
    proveLevel(way, level, depth, evidence)
  })
  proveOwn(way, evidence, reader)
  if (evidence.guarded === undefined) {
    doubtDetours(way, evidence, reader)
    faultLate(way, evidence)
  }
  return evidence
}

function proveLevel(way: Way, level: Level, depth: number, evidence: Evidence): void {
  const reach = reachFrom(way, depth)
  for (const guard of level.plan.guardIndex.near(reach)) {
    if (guard.index >= level.step.index) break
    const cover = coverOf(guard.paths, level.path, level.step.kind === 'route', reach)
    if (cover === 'never') continue
    const { about } = guard
    const wrapped = wrappedMetadataOf(guard.layer.handle)
    if (about === undefined) {
      if (wrapped !== undefined) doubtWrapped(wrapped, evidence)
    } else proveGuard(guard, about, cover, way, depth, evidence)
  }
}

function proveGuard(
  guard: Step,
  about: GuardMetadata,
  cover: Cover,
  way: Way,
  depth: number,
  evidence: Evidence,
): void {
  if (about.kind === 'publicRoute')
    evidence.fault('public_route_misplaced', 'publicRoute() is mounted by use: requests that meet it get 500')
  if (cover === 'surely') evidence.passed.push({ about, mounted: 'before' })
  if (!isAuthentication(about)) return
  const place = placeOf(guard)
  if (cover !== 'surely') {
    evidence.doubt(`${labelOf(about)} is mounted at ${place}: it may not run for all that comes here`)
    return
  }
  const flaw = flawOf(guard, about, way, depth)
  if (flaw === undefined) {
    evidence.accept(about, `at ${place}`)
    return
  }
  evidence.doubt(flaw.message)
  evidence.fault(flaw.code, flaw.message)
}

/** Why a guard that runs before the row need not keep anybody out. */
function flawOf(guard: Step, about: GuardMetadata, way: Way, depth: number): PostureFault | undefined {
  const level = way.levels[depth] as Level
  const { plan, step, path } = level
  const isBetween = ({ index }: Step): boolean => index > guard.index && index < step.index
  const own = reachOf([path], true)
  if (plan.errors.some((error) => isBetween(error) && !error.paths.every((at) => isApart(at, own))))
    return swallowed(about)
  const hasCallback = way.levels.slice(0, depth).some(runsParamCallback) || stepRunsParamCallback(plan, guard)
  if (hasCallback) return paramBefore(about)
  const isEverywhere = guard.paths.some(({ kind }) => kind === 'everything')
  if (!isEverywhere && (plan.paramsRewrite || plan.rewriters.some(isBetween)))
    return {
      code: 'url_rewritten',
      message: `a handler behind ${labelOf(about)} changes req.url: what comes here may not have met it`,
    }
  return undefined
}

/** A router or a route that authenticates, and may pass on what it let in; whether all comes that way is not known. */
function doubtDetours(way: Way, evidence: Evidence, reader: Reader): void {
  way.levels.forEach(({ plan, step }, depth) => {
    const reach = reachFrom(way, depth)
    const detour = plan.detours
      .near(reach)
      .find(
        (other) =>
          other.index < step.index &&
          !other.paths.every((path) => isApart(path, reach)) &&
          (other.kind !== 'route' || servesMethod(other, way.method, reader)),
      )
    if (detour !== undefined)
      evidence.doubt(`a ${wordOf(detour)} mounted before it authenticates, and may pass requests on`)
  })
}

function servesMethod({ layer }: Step, method: string | undefined, reader: Reader): boolean {
  return (layer.route?.stack ?? []).some(
    (inner) =>
      (method === undefined || inner.method === undefined || inner.method === method) &&
      reader.authenticates(inner),
  )
}

function wordOf({ kind }: Step): string {
  return kind === 'route' ? 'route' : 'router'
}

function faultLate(way: Way, evidence: Evidence): void {
  for (const { plan, step, path } of way.levels) {
    const late = lateGuard(plan, step, path)
    if (late?.about === undefined) continue
    evidence.fault(
      'guard_after_route',
      `${labelOf(late.about)} is mounted at ${placeOf(late)} behind this: it never runs for it`,
    )
  }
}

function lateGuard(plan: Plan, step: Step, path: Level['path']): Step | undefined {
  const own = reachOf([path], true)
  return plan.guardIndex
    .near(own)
    .findLast(
      ({ index, about, paths }) =>
        about !== undefined &&
        index > step.index &&
        isAuthentication(about) &&
        coverOf(paths, path, step.kind === 'route', own) === 'surely',
    )
}

function placeOf({ paths }: Step): string {
  return paths.map(({ shown }) => (shown === '' ? '/' : shown)).join(', ')
}
