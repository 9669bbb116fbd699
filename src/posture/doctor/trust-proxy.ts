import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { settingsOf, type Examined } from './examined.js'
import { isBehindGateway } from './gateways.js'

type Trust = (address: string, hop: number) => unknown

const MOST_HOPS = 5
// Addresses that belong to nobody's own network (RFC 5737, RFC 3849), and some from either half of the internet.
const STRANGERS = ['192.0.2.7', '198.51.100.7', '203.0.113.7', '9.9.9.9', '2001:db8::7', '2620:fe::fe']
const LOCAL = ['127.0.0.1', '::1']
const PRIVATE = ['10.0.0.7', '172.16.0.7', '192.168.0.7', '169.254.0.7', 'fd00::7', 'fe80::7']

export function trustProxy(examined: Examined): readonly Finding[] {
  const seen = new Set<string>()
  const { applications } = examined
  const isGated = isBehindGateway(examined)
  return applications.flatMap(({ application, path }) => {
    const where = path === '/' ? undefined : `application at ${path ?? 'a hidden path'}`
    // A mounted application takes over the setting of its parent.
    const findings = judge(settingsOf(application), where)
    return (isGated ? findings.map(gated) : findings).filter(({ code }) => !seen.has(code) && seen.add(code))
  })
}

/** What `gateway` leaves of X-Forwarded-For is its own entry, whatever a caller sent. `true` is refused all the same. */
function gated(finding: Finding): Finding {
  if (finding.code === 'trust-proxy-true') return finding
  return {
    ...finding,
    severity: finding.severity === 'error' ? 'warning' : 'note',
    consequence:
      'Behind gateway() the entry is its own. What reads the address before it believes what the caller wrote.',
    remedy: "Give the one entry that gateway() writes: app.set('trust proxy', 1).",
  }
}

function judge(settings: Readonly<Record<string, unknown>>, where: string | undefined): readonly Finding[] {
  const setting = settings['trust proxy']
  if (setting === true) return [found('trust-proxy-true', "'trust proxy' is true.", { where })]
  if (typeof setting === 'number') return judgeHops(setting, where)
  const trust = settings['trust proxy fn']
  if (setting === undefined || setting === false || typeof trust !== 'function') return []
  return judgeRange(trust as Trust, where)
}

function judgeHops(hops: number, where: string | undefined): readonly Finding[] {
  if (hops <= MOST_HOPS) return []
  return [found('trust-proxy-hops', `'trust proxy' counts ${hops} proxies before this service.`, { where })]
}

/** Asks the compiled setting itself, whatever it was written as: names, subnets, a list, a function. */
function judgeRange(trust: Trust, where: string | undefined): readonly Finding[] {
  const trusted = (addresses: readonly string[]): readonly string[] =>
    addresses.filter((address) => believes(trust, address))
  const [strangers, local, internal] = [trusted(STRANGERS), trusted(LOCAL), trusted(PRIVATE)]
  if (strangers.length > 1) {
    const message = `'trust proxy' believes strangers: ${strangers.slice(0, 3).join(', ')}.`
    return [found('trust-proxy-everyone', message, { where })]
  }
  return [
    ...(local.length > 0
      ? [
          found('trust-proxy-loopback', `'trust proxy' believes this machine: ${local.join(', ')}.`, {
            where,
          }),
        ]
      : []),
    ...(internal.length > 0
      ? [
          found('trust-proxy-wide', `'trust proxy' believes internal networks: ${internal.join(', ')}.`, {
            where,
          }),
        ]
      : []),
  ]
}

/** On a hop so far away that no count of proxies reaches it. A function of the application may throw. */
function believes(trust: Trust, address: string): boolean {
  try {
    return trust(address, 1000) === true
  } catch {
    return false
  }
}
