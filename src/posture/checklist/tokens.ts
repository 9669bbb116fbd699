import { authenticatorsOf, boundedTokenSeconds, endpointsOf, reportedSettings } from '../evidence.js'
import type { Posture, PostureGuard } from '../model.js'
import { authenticationText } from './endpoints.js'
import { found } from './findings.js'
import { least, seen, type Seen } from './model.js'

/** RFC 6750 section 5.3: "one hour or less". */
export const SHORT_LIVED_SECONDS = 3600

const SEEN =
  'Not visible from here: how long the issuer makes tokens last, whether it rotates refresh tokens, and when it changes its keys.'

/** Question 2, answered from what each `authenticate` refuses and from where it has its keys. */
export function tokensSeen(posture: Posture): Seen {
  const guards = distinct(endpointsOf(posture).flatMap(authenticatorsOf))
  if (guards.length === 0) {
    return {
      status: 'unknown',
      evidence: ['No middleware of this library verifies tokens here.'],
      findings: [],
    }
  }
  const answers = guards.map(answerOf)
  return {
    status: least(answers.map(({ status }) => status)),
    evidence: [...answers.flatMap(({ evidence }) => evidence), SEEN],
    findings: answers.flatMap(({ findings }) => findings),
  }
}

function answerOf(guard: PostureGuard): Seen {
  if (guard.kind !== 'authenticate') {
    const evidence = `${authenticationText(guard)} adopts a caller: nothing is known of the credential.`
    return { status: 'unknown', evidence: [evidence], findings: [] }
  }
  const [lifetime, keys] = [lifetimeOf(guard), keysOf(guard)]
  return {
    status: least([lifetime.status, keys.status]),
    evidence: [...lifetime.evidence, ...keys.evidence],
    findings: [...lifetime.findings, ...keys.findings],
  }
}

function lifetimeOf(guard: PostureGuard): Seen {
  const who = authenticationText(guard)
  const seconds = boundedTokenSeconds(guard)
  if (seconds !== undefined && seconds <= SHORT_LIVED_SECONDS)
    return seen('yes', `${who} accepts tokens for at most ${seconds} s.`)
  const about = { file: guard.file, line: guard.line }
  if (seconds !== undefined) {
    const message = `${who} accepts tokens for up to ${seconds} s, which is more than ${SHORT_LIVED_SECONDS} s.`
    return seen('no', message, found('token-lifetime-long', message, about))
  }
  if (reportedSettings(guard).some((setting) => setting.startsWith('maxToken'))) {
    const message = `${who} only reports tokens that last too long.`
    return seen('partly', message, found('token-lifetime-reported', message, about))
  }
  const message = `${who} accepts tokens however long they last.`
  return seen('no', message, found('token-lifetime-unbounded', message, about))
}

function keysOf(guard: PostureGuard): Seen {
  const who = authenticationText(guard)
  const { keys } = guard.facts
  if (keys === 'remote')
    return seen('yes', `${who} fetches the keys, so a key that the issuer rotates is followed.`)
  if (keys !== 'inline') return seen('unknown', `${who} does not say where its keys come from.`)
  const message = `${who} has its keys in the set-up: they change with a release only.`
  return seen('partly', message, found('token-keys-inline', message, { file: guard.file, line: guard.line }))
}

/** The same middleware stands before many rows. */
function distinct(guards: readonly PostureGuard[]): readonly PostureGuard[] {
  const byText = new Map(guards.map((guard) => [keyOf(guard), guard]))
  return [...byText.values()]
}

function keyOf({ kind, name, mode, facts, file, line }: PostureGuard): string {
  return JSON.stringify([kind, name, mode, file, line, facts])
}
