import { METHODS } from 'node:http'
import { ruleName } from '../../core/options.js'
import { neutralise } from '../../core/text.js'
import type { CommandOptions } from '../arguments.js'
import { misused } from '../failure.js'
import { bodyOf } from './body.js'
import type { Asked } from './sender.js'
import { targetOf, type Target } from './target.js'

/** What is to be proven, and of which service. */
export interface Plan extends Asked {
  /** As the caller says; else the service's fields say. */
  readonly rule: string | undefined
  readonly limit: number | undefined
  readonly windowSeconds: number | undefined
  /** For a limit by the algorithm `gcra`. */
  readonly burst: number | undefined
}

/** Above this a run would not fit its bounds. */
export const MOST_LIMIT = 1000
const MOST_TARGETS = 8

// They are the connection's, or would make one request out of two.
const NOT_GIVEN = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'te',
  'transfer-encoding',
  'upgrade',
])

export async function planOf(given: string, options: CommandOptions, cwd: string): Promise<Plan> {
  const { method = 'GET', path, targets = '', rule } = options
  const urls = [given, ...(targets === '' ? [] : targets.split(','))].map((url) => url.trim())
  if (urls.length > MOST_TARGETS) throw misused(`At most ${MOST_TARGETS} processes are asked.`)
  if (!METHODS.includes(method) || method === 'CONNECT')
    throw misused(`--method must be a method as GET, got "${neutralise(method, 40)}".`)
  if (rule !== undefined && !ruleName.holds(rule))
    throw misused(`--rule must be ${ruleName.says}, got "${neutralise(rule, 60)}".`)
  const [limit, burst] = [countOf('limit', options), countOf('burst', options)]
  const windowSeconds = secondsOf(options['window'])
  if (limit !== undefined && windowSeconds === undefined) throw misused('--limit needs --window <seconds>.')
  if (windowSeconds !== undefined && limit === undefined) throw misused('--window needs --limit <count>.')
  const body = bodyOf(options, { method, cwd })
  const headers = headersOf(options['header'])
  if (options['type'] !== undefined && headers['content-type'] !== undefined)
    throw misused('--type and --header give "content-type" both.')
  // One after the other: which of them is at fault must not depend on a race.
  const found: Target[] = []
  for (const url of urls) found.push(await targetOf(url, path))
  return { targets: found, method, headers, body, rule, limit, windowSeconds, burst }
}

function countOf(name: 'limit' | 'burst', options: CommandOptions): number | undefined {
  const text = options[name]
  if (text === undefined) return undefined
  const count = Number(text)
  if (/^[1-9]\d*$/.test(text) && count <= MOST_LIMIT) return count
  throw misused(
    `--${name} must be an integer from 1 to ${MOST_LIMIT}, got "${neutralise(text, 40)}".`,
    'Start the service with a smaller limit to prove a larger one.',
  )
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const seconds = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= 2_678_400) return seconds
  throw misused(`--window must be seconds from 0.1 to 2678400, got "${neutralise(text, 40)}".`)
}

/** One field a line, as `--header` gives them. A value is never shown: it may be a credential. */
function headersOf(text: string | undefined): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const line of text?.split('\n') ?? []) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\x20-\x7e\t]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw misused('--header must be "Name: value", in ASCII and on one line.')
    const field = name.toLowerCase()
    if (NOT_GIVEN.has(field)) throw misused(`--header must not give "${field}".`)
    if (Object.hasOwn(headers, field)) throw misused(`--header gives "${field}" twice.`)
    headers[field] = value.trim()
  }
  return headers
}
