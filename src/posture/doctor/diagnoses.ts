import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { Finding } from '../model.js'
import { services } from './chain.js'
import { expressCopies } from './copies.js'
import { walk, type Examined } from './examined.js'
import { uncalledFactories } from './factories.js'
import { believedCertificates, missingCertificates } from './certificates.js'
import { gatewayUnread, unprovenHops, weakHops } from './gateways.js'
import { reportMode, strictTransport, upgrades } from './guards.js'
import { addressLimits, routeLimits } from './limits.js'
import { memoryStores } from './memories.js'
import { guardsBehindRoutes, parsersBeforeAuthentication, routesBehindNotFound } from './order.js'
import { secretLiterals, secretSettings } from './secrets.js'
import { trustProxy } from './trust-proxy.js'

export interface DiagnoseOptions {
  /** The folder that files in findings are relative to. @default the working directory */
  readonly root?: string
  /** File of the module that makes the application: it is searched for secrets. @default none is searched */
  readonly source?: string
  /** The server that the application answers on: whether it ends TLS, where it listens, whether it takes upgrades. */
  readonly server?: Server
  /** @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Files that Node.js has loaded as CommonJS. @default those of this process */
  readonly loadedFiles?: readonly string[]
}

const EXAMINATIONS: readonly ((examined: Examined) => readonly Finding[])[] = [
  trustProxy,
  gatewayUnread,
  weakHops,
  unprovenHops,
  believedCertificates,
  missingCertificates,
  expressCopies,
  services,
  uncalledFactories,
  guardsBehindRoutes,
  routesBehindNotFound,
  parsersBeforeAuthentication,
  reportMode,
  memoryStores,
  routeLimits,
  addressLimits,
  strictTransport,
  upgrades,
  secretLiterals,
  secretSettings,
]

/** What the doctor finds by itself; what the posture knows of the rows is not among it. */
export function diagnosesOf(application: object, options: DiagnoseOptions): readonly Finding[] {
  const { root = process.cwd(), source, server, environment = process.env, loadedFiles } = options
  const examined: Examined = {
    application,
    ...walk(application),
    environment,
    server,
    loadedFiles: loadedFiles ?? filesOfThisProcess(root),
    source: source === undefined ? undefined : sourceOf(resolve(root, source)),
  }
  return EXAMINATIONS.flatMap((examine) => examine(examined)).map((finding) => placed(finding, root))
}

function filesOfThisProcess(root: string): readonly string[] {
  return Object.keys(createRequire(resolve(root, 'any.js')).cache)
}

/** A source that cannot be read holds no finding: the module was loaded from it a moment ago. */
function sourceOf(file: string): Examined['source'] {
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch {
    return undefined
  }
}

function placed(finding: Finding, root: string): Finding {
  const { file } = finding
  if (file === undefined || !isAbsolute(file)) return finding
  const path = relative(root, file).split(sep).join('/')
  return { ...finding, file: path === '' ? file : path }
}
