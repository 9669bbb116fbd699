import type { IncomingMessage } from 'node:http'
import { namesOfCertificate } from '../../../core/client-certificate.js'
import { certificateName } from '../../../core/certificate-name.js'
import type { HopProof } from '../../../core/hop-proof.js'
import {
  callback,
  checkOptions,
  either,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  text,
  type OptionRule,
} from '../../../core/options.js'
import { network, networkTest } from '../addresses.js'
import type { ProvenBy } from '../profile.js'
import { allOf } from './all-of.js'
import { PROVEN, type Proof } from './proof.js'
import { secretProof } from './secret.js'

/** A header that a hop writes: a name in lower case, without the characters that other servers take for a hyphen. */
export const headerName: OptionRule = {
  says: 'a lower-case header name of letters, digits and hyphens',
  holds: (value) => typeof value === 'string' && /^[a-z][a-z0-9-]{0,63}$/.test(value),
}

// Said without the value: it may be the secret with a slip in it.
const anyText: OptionRule = { says: 'a string', holds: (value) => typeof value === 'string' }

const assertion: OptionRule = {
  says: 'a proof: an object with kind, headers and prove()',
  holds: (value) => {
    const { kind, headers, prove } = (value ?? {}) as Partial<HopProof>
    return (
      typeof kind === 'string' &&
      Array.isArray(headers) &&
      headers.every((name) => headerName.holds(name)) &&
      typeof prove === 'function'
    )
  },
}

const WAYS = {
  peerCertificate: { peerCertificate: required(record) },
  secret: { secret: required(record) },
  unixSocket: { unixSocket: required(oneOf(true)) },
  assertion: { assertion: required(assertion) },
  network: { network: required(listOf(network)), reason: required(text(300)) },
} as const

const CHOICES =
  'one of { peerCertificate }, { secret }, { unixSocket: true }, { assertion } and { network, reason }, or a list of those that must all hold'
const oneWayOrMore = either(record, listOf(record))

/** That there is an answer at all to how a hop is proven: what it is, `checkProvenBy` looks at. */
export const provenByGiven: OptionRule = required({ says: CHOICES, holds: () => true })

/** Throws a `TypeError` for what is no way, or list of ways. Says nothing of a text: it may be the secret itself. */
export function checkProvenBy(where: string, provenBy: unknown): void {
  if (oneWayOrMore.holds(provenBy)) return
  const got = Array.isArray(provenBy)
    ? 'a list with nothing, or something else, in it'
    : `a value of type ${typeof provenBy}`
  throw new TypeError(`${where}: provenBy must be ${CHOICES}, got ${got}`)
}

const MAX_TOGETHER = 5

/** Checks how a hop is to be proven, and makes the question. Throws a `TypeError`. */
export function proofOf(where: string, provenBy: ProvenBy | readonly ProvenBy[]): Proof {
  const list: readonly unknown[] = Array.isArray(provenBy) ? provenBy : [provenBy]
  if (list.length === 0 || list.length > MAX_TOGETHER)
    throw misuse(where, 'provenBy', `one proof, or a list of 1 to ${MAX_TOGETHER}`, provenBy)
  const proofs = list.map((each) => oneProof(where, each as ProvenBy))
  const again = repeated(proofs.map(({ kind }) => kind)) ?? repeated(proofs.flatMap(({ headers }) => headers))
  if (again !== undefined)
    throw misuse(where, 'provenBy', 'a list with each way, and each header, at most once', again)
  return allOf(proofs)
}

function repeated(words: readonly string[]): string | undefined {
  return words.find((word, index) => words.indexOf(word) !== index)
}

function oneProof(where: string, provenBy: ProvenBy): Proof {
  const given: Readonly<Record<string, unknown>> = record.holds(provenBy) ? { ...provenBy } : {}
  const ways = (Object.keys(WAYS) as (keyof typeof WAYS)[]).filter((way) => given[way] !== undefined)
  const [way] = ways
  if (way === undefined || ways.length > 1) throw misuse(where, 'provenBy', CHOICES, provenBy)
  checkOptions(`${where}: provenBy`, given, WAYS[way])
  return MAKERS[way](where, given as never)
}

const MAKERS: {
  readonly [Way in keyof typeof WAYS]: (
    where: string,
    given: Extract<ProvenBy, Readonly<Record<Way, unknown>>>,
  ) => Proof
} = {
  peerCertificate(where, { peerCertificate }) {
    checkOptions(`${where}: provenBy.peerCertificate`, peerCertificate, {
      names: required(listOf(certificateName)),
    })
    const names = [...peerCertificate.names]
    return {
      kind: 'peer certificate',
      detail: names.join(', '),
      isWeak: false,
      headers: [],
      prove: ({ certificate }) =>
        certificate !== undefined && namesOfCertificate(certificate.x509).some((name) => names.includes(name))
          ? PROVEN
          : undefined,
    }
  },
  secret(where, { secret }) {
    checkOptions(`${where}: provenBy.secret`, secret, {
      header: required(headerName),
      values: required(either(anyText, { says: 'a list', holds: Array.isArray }, callback)),
    })
    return secretProof(where, secret.header, secret.values)
  },
  unixSocket() {
    return {
      kind: 'unix socket',
      detail: '',
      isWeak: false,
      headers: [],
      isOfConnection: true,
      prove: ({ req }) => (isUnixSocket(req) ? PROVEN : undefined),
    }
  },
  assertion(_where, { assertion: made }) {
    return {
      kind: made.kind,
      detail: made.headers.join(', '),
      isWeak: made.facts['isWeak'] === true,
      headers: made.headers,
      made: [made],
      prove: ({ req, context }) => made.prove(req, context),
    }
  },
  network(_where, { network: networks, reason }) {
    const holds = networkTest(networks)
    return {
      kind: 'network',
      detail: `${networks.join(', ')}: ${reason}`,
      isWeak: true,
      headers: [],
      prove: ({ address }) => (holds(address) ? PROVEN : undefined),
    }
  },
}

/**
 * Whether this request came over a UNIX domain socket. That the connection has no address is no sign of it: one that
 * is gone has none either. What the server listens on is asked. A name in Linux's abstract namespace (it begins with a
 * zero) proves nothing: no permissions of a file say who may open it.
 */
function isUnixSocket({ socket }: IncomingMessage): boolean {
  const { server } = socket as { server?: { address?: () => unknown } }
  if (socket.remoteAddress !== undefined || typeof server?.address !== 'function') return false
  const path = server.address()
  return typeof path === 'string' && path !== '' && !path.startsWith('\0')
}
