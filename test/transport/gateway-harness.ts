import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { certificateThumbprint, clientCertificateOf } from '../../src/core/client-certificate.js'
import { contextOf } from '../../src/core/context.js'
import type { Guard } from '../../src/core/guard.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import type { ProvenBy } from '../../src/transport/gateway/profile.js'
import { keepingLogger } from '../support/records.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'

export const SECRET = 'edge-0123456789abcdef-Zk3vQ8rTn1Lw5y'
export const provenBySecret: ProvenBy = { secret: { header: 'x-edge-secret', values: SECRET } }
export const SECRET_LINE = `X-Edge-Secret: ${SECRET}`

/** What a handler behind the gateway finds. */
export interface Seen {
  readonly address?: string
  readonly tls: boolean
  readonly protocol: string
  readonly host?: string
  readonly certificate?: string
  readonly certificateOf?: string
  readonly hop?: string
  readonly isHopWeak: boolean
  readonly claims?: unknown
  readonly ip?: string
  readonly ips: readonly string[]
  readonly secure: boolean
  readonly hostname: string
  readonly headers: Readonly<Record<string, string>>
  readonly distinct: Readonly<Record<string, readonly string[]>>
  readonly raw: readonly string[]
}

export interface Answer {
  readonly status: number
  /** Why it was refused, as the record says. */
  readonly reason: string | undefined
  readonly evidence: unknown
  /** The address in the record of the refusal. */
  readonly client: unknown
  readonly seen: Seen
}

/** An application behind these guards that tells what it sees. */
export function telling(guards: readonly unknown[], trust: unknown = 1): express.Express {
  const app = express()
  if (trust !== undefined) app.set('trust proxy', trust)
  app.use(...(guards as Guard[] as express.RequestHandler[]))
  app.use((req, res) => {
    const context = contextOf(req)
    const { client, provenHop: hop, isHopWeak, hopClaims: claims } = context
    const { certificate, ...rest } = client
    const { ip, ips, secure, hostname, headers, headersDistinct: distinct, rawHeaders: raw } = req
    const found = clientCertificateOf(req, context)
    res.json({
      ...rest,
      certificate: certificate === undefined ? undefined : certificateThumbprint(certificate.x509),
      certificateOf: found === undefined ? undefined : certificateThumbprint(found.x509),
      ...{ hop, isHopWeak, claims, ip, ips, secure, hostname, headers, distinct, raw },
    })
  })
  app.use(secureErrors())
  return app
}

export interface Station {
  readonly port: number
  /** Sends these header lines to an application behind these guards. */
  ask(guards: Guard | readonly unknown[], lines: readonly string[], trust?: unknown): Promise<Answer>
  close(): Promise<void>
}

/** One server for all applications of a test file. */
export async function station(): Promise<Station> {
  let current: RequestListener = () => undefined
  const running = await serve((req, res) => {
    current(req, res)
  })
  const { port } = running
  return {
    port,
    close: () => running.close(),
    async ask(guards, lines, trust = 1) {
      const logger = keepingLogger()
      const list = Array.isArray(guards) ? (guards as unknown[]) : [guards]
      current = telling([auditLog({ logger }), ...list], trust)
      return answerOf(await sendRaw(port, rawRequest('GET', '/', lines)), logger)
    },
  }
}

function answerOf(received: string, logger: ReturnType<typeof keepingLogger>): Answer {
  const body = received.slice(received.indexOf('\r\n\r\n') + 4)
  const refused = logger.kept.find(({ record }) => record.event?.outcome !== 'success')
  return {
    status: Number(received.slice(9, 12)),
    reason: refused?.record.event?.reason as string | undefined,
    evidence: refused?.record.evidence,
    client: refused?.record.client?.address,
    seen: body.startsWith('{') ? (JSON.parse(body) as Seen) : ({} as Seen),
  }
}

/** The header lines that node received in one of the captures, `{certificate}` in place of one that is cut short. */
export function captured(folder: string, id: string): readonly string[] {
  const text = readFileSync(join(folder, 'gateways/captures.txt'), 'utf8')
  const [, part = ''] = text.split(new RegExp(`^### ${id}\\b.*$`, 'm'))
  const [lines = ''] = part.split(/^###|^====/m)
  return [...lines.matchAll(/^ {3}RAW ([^:\s]+): (".*")$/gm)]
    .map(([, name = '', value = '']) => ({ name, value: JSON.parse(value) as string }))
    .filter(({ name }) => !['host', 'connection'].includes(name.toLowerCase()))
    .map(({ name, value }) => `${name}: ${value.includes(' ...[') ? '{certificate}' : value}`)
}
