import {
  isAuthentication,
  guardMetadataOf,
  wrappedMetadataOf,
  type GuardMetadata,
} from '../../core/metadata.js'
import type { RouterLayer } from '../../core/router.js'
import { doubtWrapped, labelOf, paramBefore, swallowed, type Evidence } from './evidence.js'
import { isBodyParser, isNamedLikeBodyParser } from './known-handlers.js'
import type { Reader } from './steps.js'
import { runsParamCallback, type Way } from './way.js'

interface Passage {
  readonly way: Way
  readonly evidence: Evidence
  readonly own: readonly RouterLayer[]
  /** A handler of the application's own ran already, and may have answered. */
  hasHandler: boolean
  hasParser: boolean
  /** One that found nothing parsed. */
  early: GuardMetadata | undefined
}

/** Reads the route's own stack, in the order in which a request meets it. */
export function proveOwn(way: Way, evidence: Evidence, reader: Reader): void {
  const { own } = way
  if (own === undefined) return
  const passage: Passage = { way, evidence, own, hasHandler: false, hasParser: false, early: undefined }
  own.forEach((layer, index) => {
    const { handle } = layer
    const about = guardMetadataOf(handle)
    if (about !== undefined) {
      evidence.passed.push({ about, mounted: 'route' })
      if (about.kind === 'publicRoute') provePublic(about, passage)
      else if (isAuthentication(about)) proveAuthentication(about, index, passage)
      else if (about.kind === 'validateBody' && mayBeUnparsed(passage)) passage.early ??= about
      return
    }
    if (!isHandler(handle)) return
    if (isBodyParser(handle)) {
      passage.hasParser = true
      faultEarly(passage)
      return
    }
    const wrapped = wrappedMetadataOf(handle)
    if (wrapped !== undefined) doubtWrapped(wrapped, evidence)
    else if (evidence.guarded === undefined && reader.authenticates(layer))
      evidence.doubt('a router that is a handler of this route may authenticate')
    passage.hasHandler = true
  })
}

function provePublic(about: GuardMetadata, { evidence, hasHandler }: Passage): void {
  if (hasHandler) {
    evidence.fault(
      'public_route_misplaced',
      'publicRoute() stands behind a handler of the route: put it in front',
    )
    return
  }
  const { reason } = about.facts
  evidence.publicReason ??= typeof reason === 'string' ? reason : 'no reason is given'
}

function proveAuthentication(about: GuardMetadata, index: number, passage: Passage): void {
  const { evidence, hasHandler, hasParser, way, own } = passage
  if (hasHandler) {
    const message = `a handler of the route runs before ${labelOf(about)}, and may answer`
    evidence.fault('handler_before_authentication', message)
    evidence.doubt(message)
    return
  }
  if (hasParser)
    evidence.fault(
      'body_parser_before_authentication',
      `the body is parsed before ${labelOf(about)}: for callers that nobody knows yet`,
    )
  const flaw = way.levels.some(runsParamCallback)
    ? paramBefore(about)
    : sendsRefusedOn(own.slice(index + 1))
      ? swallowed(about)
      : undefined
  if (flaw === undefined) {
    evidence.accept(about, 'in the route')
    return
  }
  evidence.fault(flaw.code, flaw.message)
  evidence.doubt(flaw.message)
}

/** Whether no parser can be seen before, neither here nor on the way. */
function mayBeUnparsed({ hasHandler, hasParser, way }: Passage): boolean {
  if (hasHandler || hasParser) return false
  return !way.levels.some(({ plan, step }) =>
    plan.handlers.some(({ index, layer }) => index < step.index && isNamedLikeBodyParser(layer.handle)),
  )
}

function faultEarly({ early, evidence }: Passage): void {
  if (early === undefined) return
  evidence.fault(
    'validate_before_parser',
    `${labelOf(early)} stands before the body parser: it finds no body that is parsed`,
  )
}

/** Whether an error handler stands before another handler: what it passes on, that one serves. */
function sendsRefusedOn(rest: readonly RouterLayer[]): boolean {
  const error = rest.findIndex(({ handle }) => handle?.length === 4 && guardMetadataOf(handle) === undefined)
  return error !== -1 && rest.slice(error + 1).some(({ handle }) => isForeignHandler(handle))
}

/** A handler of the application's own. */
export function isForeignHandler(handle: unknown): boolean {
  return isHandler(handle) && guardMetadataOf(handle) === undefined
}

/** Not what Express runs for errors only, or never. */
function isHandler(handle: unknown): boolean {
  return typeof handle === 'function' && handle.length < 4
}
