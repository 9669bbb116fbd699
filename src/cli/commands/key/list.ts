import { isOver, type ApiKeyRecord } from '../../../authentication/api-keys/record.js'
import { EXIT } from '../../failure.js'
import { readKeyFile } from '../../key-file.js'
import type { Report } from '../report.js'
import { shownTime } from './time.js'

const HEAD = ['ID', 'STATE', 'ENDS', 'SECRETS', 'WHO', 'SCOPES'] as const

/** The keys of a file, in its order. Digests stay where they are. */
export function listReport(file: string, cwd: string): Report {
  const { records, malformed } = readKeyFile(cwd, file)
  const good = [...records.values()].filter((record) => record !== undefined)
  const rows = [HEAD, ...good.map(rowOf)]
  const widths = HEAD.map((_name, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return {
    text: `${lines.join('\n')}\n`,
    remarks:
      malformed === 0
        ? []
        : [`${malformed} entries are no records, or share an id: a service answers 503 to these keys.`],
    exitCode: malformed === 0 ? EXIT.fine : EXIT.findings,
  }
}

function rowOf(record: ApiKeyRecord): readonly string[] {
  const { id, expiresAt, scopes, clientId, subject, tenant, name } = record
  const who = [subject, clientId, tenant, name].filter((part) => part !== undefined)
  return [
    id,
    stateOf(record),
    expiresAt === undefined ? 'never' : shownTime(expiresAt),
    secretsOf(record),
    who.length === 0 ? '-' : who.join(', '),
    scopes.length === 0 ? '(none)' : scopes.join(','),
  ]
}

function stateOf({ disabled, expiresAt, secrets }: ApiKeyRecord): string {
  if (disabled === true) return 'disabled'
  return isOver(expiresAt) || secrets.every((secret) => isOver(secret.expiresAt)) ? 'ended' : 'works'
}

/** How many work, and until when the others than the latest do. */
function secretsOf({ secrets }: ApiKeyRecord): string {
  const live = secrets.filter(({ expiresAt }) => !isOver(expiresAt))
  const ends = live.flatMap(({ expiresAt }) => expiresAt ?? [])
  if (live.length < 2 || ends.length === 0) return String(live.length)
  return `${live.length}, one until ${shownTime(Math.max(...ends))}`
}
