import type { LockChange } from '../lock.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { plainFacts } from '../facts.js'
import { jsonText } from './plain.js'

export interface JsonOptions {
  /** What changed since the posture.lock that is in the repository: a last member, also where there is none. */
  readonly changes?: readonly LockChange[]
}

/**
 * The posture as JSON, indented by two spaces, with a trailing line break; `docs/posture.schema.json` describes it.
 *
 * Members stand in one fixed order and facts in that of their names, so that two runs over one application are equal
 * byte for byte. Control and bidirectional characters stand as escapes. Facts that JSON cannot hold are named
 * (`[function]`), lists are cut after 1000 items and texts after 4096 characters.
 */
export function renderJson(posture: Posture, { changes }: JsonOptions = {}): string {
  const plain = plainPosture(posture)
  return jsonText(changes === undefined ? plain : { ...plain, changes: changes.map(plainChange) })
}

function plainChange({ severity, code, where, sentence }: LockChange): LockChange {
  return { severity, code, where, sentence }
}

/** The posture with nothing in it that JSON cannot hold. */
export function plainPosture(posture: Posture): Posture {
  return {
    schemaVersion: posture.schemaVersion,
    application: posture.application,
    expressMajor: posture.expressMajor,
    denyByDefault: posture.denyByDefault,
    services: posture.services.map(plainGuard),
    rows: posture.rows.map(plainRow),
  }
}

function plainRow(row: PostureRow): PostureRow {
  return {
    kind: row.kind,
    method: row.method,
    path: row.path,
    proof: row.proof,
    why: row.why,
    publicReason: row.publicReason,
    refusedByDefault: row.refusedByDefault,
    guards: row.guards.map(plainGuard),
    faults: row.faults.map(({ code, message }) => ({ code, message })),
    handler: row.handler,
    ...(row.passesOn === true ? { passesOn: true } : {}),
  }
}

function plainGuard(guard: PostureGuard): PostureGuard {
  return {
    kind: guard.kind,
    layer: guard.layer,
    name: guard.name,
    mode: guard.mode,
    facts: plainFacts(guard.facts),
    file: guard.file,
    line: guard.line,
    mounted: guard.mounted,
  }
}
