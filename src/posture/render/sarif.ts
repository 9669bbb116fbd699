import { createHash } from 'node:crypto'
import type { LockChange } from '../lock.js'
import type { Finding } from '../model.js'
import { byCodeUnit } from '../facts.js'
import { jsonText } from './plain.js'
import { shown } from './words.js'

export interface SarifOptions {
  /** Version of express-bulwark that made the report. */
  readonly version?: string
  /** What changed since the posture.lock that is in the repository: each `weaker` one is a result. */
  readonly changes?: readonly LockChange[]
  /** The posture.lock, relative to the root, with forward slashes: where those results point. @default not known */
  readonly lockFile?: string
}

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json'
const WEAKER = 'posture-weaker'
const LEVELS = ['note', 'warning', 'error'] as const satisfies readonly Finding['severity'][]
// GitHub sorts security results by this figure: above 7 is high, from 4 medium, below low.
const SCORES: Readonly<Record<Finding['severity'], string>> = { error: '8.0', warning: '5.0', note: '2.0' }

/**
 * Findings as SARIF 2.1.0, for code scanning.
 *
 * Rule ids are the codes of the findings. Paths are relative to `%SRCROOT%`, the root of the posture. GitHub refuses a
 * result without a place: where the file is unknown or lies outside the root, the result points at line 1 of
 * `package.json` and its text says so. Fingerprints depend on code and route, not on lines.
 */
export function renderSarif(given: readonly Finding[], options: SarifOptions = {}): string {
  const { changes = [], lockFile } = options
  const weaker = changes.filter(({ severity }) => severity === 'weaker')
  const findings = [...given, ...weaker.map((change) => weakening(change, lockFile))]
  const codes = [...new Set(findings.map(({ code }) => code))].sort(byCodeUnit)
  const seen = new Map<string, number>()
  const driver = {
    name: 'express-bulwark',
    ...(options.version === undefined ? {} : { version: options.version }),
    rules: codes.map((code) => ruleOf(findings.filter((finding) => finding.code === code))),
  }
  return jsonText({
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver },
        originalUriBaseIds: {
          '%SRCROOT%': { description: { text: 'The root of the application, where package.json lies.' } },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => resultOf(finding, codes, seen)),
      },
    ],
  })
}

function weakening({ where, sentence }: LockChange, lockFile: string | undefined): Finding {
  return {
    code: WEAKER,
    severity: 'error',
    message: `${sentence}.`,
    consequence: 'Somebody gets further than the lock file in the repository says.',
    remedy: 'Take the change back, or write the lock file again and have it reviewed.',
    page: 'docs/posture-formats.md#lock-file',
    where,
    file: lockFile,
    line: lockFile === undefined ? undefined : 1,
    ...(lockFile === undefined ? {} : { placed: 'the lock file' }),
  }
}

function ruleOf(findings: readonly Finding[]): object {
  const { code = '', consequence = '', remedy = '', page = '' } = findings[0] ?? {}
  const worst = LEVELS.findLast((level) => findings.some(({ severity }) => severity === level)) ?? 'note'
  const title = shown(code.replaceAll('-', ' '), 80)
  return {
    id: code,
    name: pascalCase(code),
    shortDescription: { text: messageText(`${title.slice(0, 1).toUpperCase()}${title.slice(1)}`) },
    fullDescription: { text: messageText(consequence) },
    help: { text: messageText(`${remedy} See ${page}.`) },
    defaultConfiguration: { level: worst },
    properties: { tags: ['security'], 'security-severity': SCORES[worst] },
  }
}

function resultOf(finding: Finding, codes: readonly string[], seen: Map<string, number>): object {
  const uri = uriOf(finding.file)
  const place =
    uri === undefined ? ' The file is not known, so this points at package.json.' : placedText(finding)
  return {
    ruleId: finding.code,
    ruleIndex: codes.indexOf(finding.code),
    level: finding.severity,
    message: {
      text: `${messageText(`${finding.message} ${finding.consequence} ${finding.remedy}`)}${place}`,
    },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uri ?? 'package.json', uriBaseId: '%SRCROOT%' },
          region: { startLine: uri === undefined ? 1 : Math.max(1, finding.line ?? 1) },
        },
        ...(finding.where === undefined ? {} : { message: { text: messageText(finding.where) } }),
      },
    ],
    partialFingerprints: fingerprintsOf(finding, seen),
  }
}

function placedText({ placed }: Finding): string {
  return placed === undefined ? '' : ` This points at ${messageText(placed)}.`
}

/** `primaryLocationLineHash` is the one that GitHub reads; it wants a counter behind a colon. */
function fingerprintsOf({ code, where, message }: Finding, seen: Map<string, number>): object {
  // A route can be weaker in several ways, each an alert of its own.
  const about = code === WEAKER ? message : (where ?? message)
  const hash = createHash('sha256')
    .update(JSON.stringify([code, about]))
    .digest('hex')
    .slice(0, 32)
  const count = (seen.get(hash) ?? 0) + 1
  seen.set(hash, count)
  return { primaryLocationLineHash: `${hash}:${count}`, 'expressBulwark/v1': `${hash}:${count}` }
}

/** A relative reference (RFC 3986 section 4.2) below the root; nothing that leaves it. */
function uriOf(file: string | undefined): string | undefined {
  if (file === undefined || file === '' || /^[/\\]|^[A-Za-z][\w+.-]*:/.test(file)) return undefined
  const segments = file.split(/[/\\]/).filter((segment) => segment !== '' && segment !== '.')
  if (segments.length === 0 || segments.includes('..')) return undefined
  return segments.map((segment) => encodeURIComponent(segment.replace(/\p{Surrogate}/gu, '\ufffd'))).join('/')
}

/** In a plain text message brackets make links (SARIF 2.1.0 section 3.11.6) unless they are escaped. */
function messageText(text: string): string {
  return shown(text, 2000).replace(/[\\[\]]/g, '\\$&')
}

function pascalCase(code: string): string {
  return code.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9]?)/g, (_match, first: string) => first.toUpperCase())
}
