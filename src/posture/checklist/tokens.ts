import {
  authenticatorsOf,
  boundedTokenSeconds,
  credentialsOf,
  endpointsOf,
  reportedSettings,
  type AcceptedCredential,
} from '../evidence.js'
import type { Posture, PostureGuard } from '../model.js'
import { found } from './findings.js'
import { least, seen, type Seen } from './model.js'

/** RFC 6750 section 5.3: "one hour or less". */
export const SHORT_LIVED_SECONDS = 3600

const SEEN =
  'Not visible from here: how long the issuer makes tokens last, whether it rotates refresh tokens, and when it changes its keys.'

/** Question 2, answered for each credential that an `authenticate` accepts: from what it refuses, and where it has its keys. */
export function tokensSeen(posture: Posture): Seen {
  const guards = authenticatorsIn(posture)
  if (guards.length === 0) {
    return {
      status: 'unknown',
      evidence: ['No middleware of this library verifies tokens here.'],
      findings: [],
    }
  }
  const answers = guards.flatMap(answersOf)
  return {
    status: least(answers.map(({ status }) => status)),
    evidence: [
      ...answers.flatMap(({ evidence }) => evidence),
      ...guards.flatMap(({ facts }) => besides(facts)),
      SEEN,
    ],
    findings: answers.flatMap(({ findings }) => findings),
  }
}

function answersOf(guard: PostureGuard): readonly Seen[] {
  if (guard.kind !== 'authenticate')
    return [
      seen('unknown', `${guard.kind}(${guard.name}) adopts a caller: nothing is known of the credential.`),
    ]
  const credentials = credentialsOf(guard)
  if (credentials.length === 0) return [seen('unknown', `${guard.name} does not say what it accepts.`)]
  return credentials.map((credential) => answerOf(credential, guard))
}

function answerOf(credential: AcceptedCredential, guard: PostureGuard): Seen {
  const { kind, label, facts } = credential
  switch (kind) {
    case 'jwt':
      return ofJwt(credential, guard)
    case 'introspection':
      return seen(
        'partly',
        `authenticate(${label}) asks whether each token still holds${freshness(facts)}; how long tokens last cannot be told from here.`,
      )
    case 'api-key':
      return seen(
        'unknown',
        `authenticate(${label}) accepts keys: whether and when one ends is said with each key, and they are rotated by hand, with an overlap.`,
      )
    case 'certificate':
      return seen(
        'unknown',
        `authenticate(${label}) accepts certificates: how long they last is up to whoever issues them.`,
      )
    case 'unknown':
      return seen('unknown', `authenticate(${label}) accepts something of which nothing is known.`)
  }
}

function freshness({ cacheSeconds }: AcceptedCredential['facts']): string {
  if (cacheSeconds === 0) return ''
  return typeof cacheSeconds === 'number' ? `, at most ${cacheSeconds} s ago` : ', now or some time ago'
}

/** What makes a token that leaks worth less, whatever its lifetime: it is told, and makes none short-lived. */
function besides({ revocation, senderConstrained, dpop }: PostureGuard['facts']): readonly string[] {
  return [
    ...(revocation === undefined
      ? []
      : [
          'authenticate({ revocation }) refuses what the application has revoked; that it does, cannot be seen.',
        ]),
    ...(senderConstrained === 'required'
      ? ['authenticate({ senderConstrained }) accepts no bearer token without a proof of its key.']
      : dpop === undefined
        ? []
        : ['authenticate({ dpop }) asks for the proof where a token is bound; others are accepted too.']),
  ]
}

function ofJwt(credential: AcceptedCredential, guard: PostureGuard): Seen {
  const [lifetime, keys] = [lifetimeOf(credential, guard), keysOf(credential, guard)]
  return {
    status: least([lifetime.status, keys.status]),
    evidence: [...lifetime.evidence, ...keys.evidence],
    findings: [...lifetime.findings, ...keys.findings],
  }
}

/** How long a JWT of one issuer can be used. */
export function lifetimeOf({ label, facts }: AcceptedCredential, { file, line }: PostureGuard): Seen {
  const who = `authenticate(${label})`
  const seconds = boundedTokenSeconds(facts)
  if (seconds !== undefined && seconds <= SHORT_LIVED_SECONDS)
    return seen('yes', `${who} accepts tokens for at most ${seconds} s.`)
  const about = { file, line }
  if (seconds !== undefined) {
    const message = `${who} accepts tokens for up to ${seconds} s, which is more than ${SHORT_LIVED_SECONDS} s.`
    return seen('no', message, found('token-lifetime-long', message, about))
  }
  if (reportedSettings(facts).some((setting) => setting.startsWith('maxToken'))) {
    const message = `${who} only reports tokens that last too long.`
    return seen('partly', message, found('token-lifetime-reported', message, about))
  }
  const message = `${who} accepts tokens however long they last.`
  return seen('no', message, found('token-lifetime-unbounded', message, about))
}

function keysOf({ label, facts: { keys } }: AcceptedCredential, { file, line }: PostureGuard): Seen {
  const who = `authenticate(${label})`
  if (keys === 'remote')
    return seen('yes', `${who} fetches the keys, so a key that the issuer rotates is followed.`)
  if (keys !== 'inline') return seen('unknown', `${who} does not say where its keys come from.`)
  const message = `${who} has its keys in the set-up: they change with a release only.`
  return seen('partly', message, found('token-keys-inline', message, { file, line }))
}

/** Each once: the same middleware stands before many rows. */
export function authenticatorsIn(posture: Posture): readonly PostureGuard[] {
  const guards = new Set(endpointsOf(posture).flatMap(authenticatorsOf))
  return [...new Map([...guards].map((guard) => [keyOf(guard), guard])).values()]
}

function keyOf({ kind, name, mode, facts, file, line }: PostureGuard): string {
  return JSON.stringify([kind, name, mode, file, line, facts])
}
