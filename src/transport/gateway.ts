import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { certificateOfConnection, certificateThumbprint } from '../core/client-certificate.js'
import { gateways, type Client } from '../core/client.js'
import { openContext, type WritableContext } from '../core/context.js'
import { defineGuard, runOutsideExpress, type Guard, type Verdict } from '../core/guard.js'
import type { HopStatement } from '../core/hop-proof.js'
import type { Stateful } from '../core/lifecycle.js'
import type { Claims } from '../core/principal.js'
import { SecurityProblem, isSecurityProblem } from '../core/problem.js'
import { chain } from '../core/thenable.js'
import { clientOfStatement, connectedClient, writeProven } from './gateway/client.js'
import { callerComparison } from './gateway/disagreement.js'
import { HeaderLines, checkComplete, namesInConnection } from './gateway/header-lines.js'
import type { Profile } from './gateway/profile.js'
import { isStatement } from './gateway/proofs/all-of.js'
import type { Approach } from './gateway/proofs/proof.js'
import {
  checkGatewayOptions,
  factsOf,
  healthOf,
  settingsOf,
  type GatewayOptions,
} from './gateway/settings.js'
import { statementOf, type EntriesRead, type Statement } from './gateway/statement.js'

export type { Profile, ProvenBy } from './gateway/profile.js'
export type { GatewayOptions } from './gateway/settings.js'

/** The middleware that `gateway` makes. */
export interface Gateway extends Guard, Stateful {
  /**
   * Does what the middleware does for a request that never reaches Express, as a WebSocket upgrade, and answers with
   * its client. Rejects with a `SecurityProblem`.
   */
  verifyRequest(req: IncomingMessage): Promise<Client>
}

/** How far a request was followed back. */
interface Way {
  /** How many hops are proven. */
  readonly proven: number
  /** How many entries of each forwarding header they wrote. */
  readonly entries: EntriesRead
  /** What the outermost of them says. */
  readonly said?: Statement
  /** Whether one of them is known by nothing better than its address. */
  readonly isWeak: boolean
  /** What the outermost assertion says. */
  readonly claims?: Claims | undefined
}

/** Layers that go by the client, or by what a gateway says of it. */
const TOO_LATE: ReadonlySet<string> = new Set(['authentication', 'authorization', 'traffic'])
/** Limits of this process, for whoever calls. Not `concurrencyLimit` with `by`: its decision does not tell which it was. */
const FOR_ANYBODY: ReadonlySet<string> = new Set(['loadShed', 'requestTimeout', 'concurrencyLimit'])
/** Not a gateway's, but a proxy that removed them would make another request of it. */
const NEEDED: ReadonlySet<string> = new Set(['host', 'authorization'])

/**
 * The trust boundary: proves the hops before this service, nearest first, then believes what their profiles say that
 * they write, and nothing else.
 *
 * Every other header by which gateways tell of callers is taken from the request, in every spelling, proven or not.
 * The caller's address, protocol, host and certificate are then in `contextOf(req).client`, and all but the certificate
 * also in `X-Forwarded-For`, `-Proto` and `-Host`, one line and one value each, as `trust proxy` set to 1 reads them.
 *
 * Only `loadShed`, `requestTimeout` and a `concurrencyLimit` without `by` may stand before it.
 *
 * Answers 403 `hop_unproven`; 400 where a hop's header stands twice, is malformed, or is named in `Connection`; 500
 * where something that goes by the client ran before, or another `gateway`. A request that it refused once is refused by
 * it again, whoever passes it on.
 *
 * **Not checked:** that a `concurrencyLimit` before it has no `by`; such a one counts the gateway's address. That the
 * gateway is configured as its profile says. A header that it should overwrite and does not
 * is the caller's, and looks no different.
 *
 * Throws a `TypeError` for impossible profiles and options, and for `mode: 'report'`.
 */
export function gateway(profiles: Profile | readonly Profile[], options: GatewayOptions = {}): Gateway {
  checkGatewayOptions(options)
  const settings = settingsOf(profiles, options)
  const { name, unproven, hops, sameCaller, proofs, isTrusted, isOfProof } = settings
  gateways.set('made', true)
  const isTaken = (header: string): boolean => isTrusted(header) && !isOfProof(header)

  const guard = defineGuard({ kind: 'gateway', layer: 'transport', name, facts: factsOf(settings), check })
  // The headers are gone after the first time: a second look would take whatever it was for a request without proof.
  const verdicts = new WeakMap<WritableContext, Verdict | Promise<Verdict>>()

  function check(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    const earlier = verdicts.get(context)
    if (earlier !== undefined) return earlier
    const verdict = verdictOf(() => decide(req, context))
    verdicts.set(context, verdict)
    return verdict
  }

  function decide(req: IncomingMessage, context: WritableContext): Verdict | Promise<Verdict> {
    const { length } = req.rawHeaders
    // Whatever comes of it: nobody after this sees a header that was not proven.
    const lines = HeaderLines.take(req, isTaken, isHost)
    return withoutProofs(req, () => {
      checkOrder(context)
      const connected = connectedClient(req)
      context.takeOverClient(guard, connected)
      const { address } = connected
      checkComplete(req, length)
      const certificate = certificateOfConnection(req.socket as Partial<TLSSocket>)
      const start: Way = { proven: 0, entries: new Map(), isWeak: false }
      return walk({ req, context, lines, address, certificate }, start, context)
    })
  }

  /** Asks hop after hop. Each says from where it was called, and that is what the next one is asked about. */
  function walk(approach: Approach, way: Way, context: WritableContext): Verdict | Promise<Verdict> {
    const hop = hops[way.proven]
    if (hop === undefined) return arrive(approach, way, context)
    return chain(hop.proof.prove(approach), (answer) => {
      if (!isStatement(answer)) {
        if (unproven === 'strip' && answer !== 'refused') return arrive(approach, way, context)
        throw new SecurityProblem('hop_unproven', {
          evidence: { hop: hop.name, proof: answer === 'refused' ? 'refused' : 'none' },
        })
      }
      const isWeak = way.isWeak || hop.proof.isWeak
      const stated = statementOf(hop, approach.lines, way.entries)
      matchCertificate(answer, stated)
      // Anybody's certificate can be sent from the network of a weak hop: it proves no caller, and no farther hop.
      const said = isWeak ? { ...stated, certificate: undefined } : stated
      const { address, certificate } = said
      const claims = answer.claims ?? way.claims
      const farther = { proven: way.proven + 1, entries: way.entries, said, isWeak, claims }
      return walk({ ...approach, address, certificate }, farther, context)
    })
  }

  function arrive({ req, lines }: Approach, way: Way, context: WritableContext): Verdict {
    checkConnection(req)
    const { said, claims, isWeak } = way
    const [nearest] = hops
    if (said === undefined || nearest === undefined) return passed(context)
    writeProven(req, lines, said, hops.slice(0, way.proven))
    context.proveHop(nearest.name, clientOfStatement(said), {
      claims,
      isWeak,
      compare: claims === undefined ? undefined : callerComparison(nearest.name, claims, sameCaller),
    })
    return passed(context)
  }

  function checkConnection(req: IncomingMessage): void {
    const header = namesInConnection(req).find(
      (named) => isTrusted(named) || isOfProof(named) || NEEDED.has(named),
    )
    if (header !== undefined) throw new SecurityProblem('connection_names_header', { evidence: { header } })
  }

  /** Proofs that were made elsewhere read the request itself. When they have, their headers go too. */
  function withoutProofs(
    req: IncomingMessage,
    proceed: () => Verdict | Promise<Verdict>,
  ): Verdict | Promise<Verdict> {
    if (proofs.length === 0) return proceed()
    const forget = (): void => {
      HeaderLines.take(req, isOfProof, isOfProof)
    }
    let verdict: Verdict | Promise<Verdict> | undefined
    try {
      verdict = proceed()
      return verdict instanceof Promise ? verdict.finally(forget) : verdict
    } finally {
      if (!(verdict instanceof Promise)) forget()
    }
  }

  return Object.assign(guard, {
    verifyRequest: async (req: IncomingMessage) => {
      await runOutsideExpress(guard, req)
      return openContext(req).client
    },
    warmUp: async () => {
      await Promise.all(proofs.map(async (proof) => proof.warmUp?.()))
    },
    health: () => healthOf(name, proofs),
    close: async () => {
      await Promise.all(proofs.map(async (proof) => proof.close?.()))
    },
  })
}

function checkOrder({ authentication, clientDecidedBy, decisions }: WritableContext): void {
  const early = decisions.find(({ layer, guard }) => TOO_LATE.has(layer) && !FOR_ANYBODY.has(guard))?.guard
  if (clientDecidedBy !== undefined)
    throw misplaced('a second gateway(): give one of them the list of all hops')
  if (early !== undefined || authentication !== 'not-run')
    throw misplaced(`${early ?? 'authentication'} ran before gateway(): mount gateway() first`)
}

function misplaced(problem: string): SecurityProblem {
  return new SecurityProblem('guard_order', { evidence: { problem } })
}

/** An assertion that names the client's certificate (RFC 8705) says nothing about a request with another one. */
function matchCertificate({ claims }: HopStatement, { certificate }: Statement): void {
  const { cnf, 'x5t#S256': own } = (claims ?? {}) as { readonly cnf?: unknown; readonly 'x5t#S256'?: unknown }
  const confirmed = (cnf as { readonly 'x5t#S256'?: unknown } | null | undefined)?.['x5t#S256']
  const bound = [own, confirmed].filter((thumbprint) => thumbprint !== undefined)
  if (bound.length === 0) return
  const actual = certificate && certificateThumbprint(certificate.x509)
  if (actual !== undefined && bound.every((thumbprint) => thumbprint === actual)) return
  throw new SecurityProblem('forwarded_header_malformed', {
    evidence: { problem: 'the assertion is bound to another certificate' },
  })
}

/** What came of it, or what was thrown: both hold for this request from now on. */
function verdictOf(decide: () => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
  try {
    return decide()
  } catch (cause) {
    return isSecurityProblem(cause) ? cause : new SecurityProblem('guard_fault', { cause })
  }
}

function isHost(header: string): boolean {
  return header === 'host'
}

function passed({ provenHop }: WritableContext): Verdict {
  return provenHop === undefined ? { reason: 'unproven' } : { reason: 'proven', evidence: { hop: provenHop } }
}
