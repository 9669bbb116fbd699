import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { isApplication } from '../core/router.js'
import { adviceFor, exportsOf, exportsText, holdersOf } from './export-advice.js'
import { unloadable } from './failure.js'
import { described, quoted } from './words.js'

export interface FoundApplication {
  readonly application: object
  /** The server that it answers on, where that was exported. */
  readonly server: HttpServer | undefined
}

export interface Where {
  /** As the caller wrote it. */
  readonly module: string
  readonly exportName: string | undefined
  readonly call: boolean
}

const MAX_DEPTH = 3
const USUAL_NAMES = ['default', 'app', 'application', 'server']

/** Finds the application among what a module exports. */
export async function findApplication(exported: object, where: Where): Promise<FoundApplication> {
  const value = where.exportName === undefined ? exported : namedExport(exported, where.exportName, where)
  const given = where.call ? await called(value, where) : await awaited(value, where)
  const found = applicationIn(await settledMembers(given, where), 0) ?? onlyApplication(exported, where)
  if (found !== undefined) return found
  const subject =
    where.exportName === undefined ? quoted(where.module) : `The export ${quoted(where.exportName)}`
  throw unloadable(`${subject} gives no Express application.`, adviceFor(exported, given, where))
}

function namedExport(exported: object, name: string, { module }: Where): unknown {
  for (const holder of holdersOf(exported)) {
    if (Object.hasOwn(holder, name)) return (holder as Record<string, unknown>)[name]
  }
  throw unloadable(`${quoted(module)} has no export ${quoted(name)}.`, exportsText(exported))
}

async function called(value: unknown, where: Where): Promise<unknown> {
  const name = quoted(where.exportName ?? 'default')
  const make = where.exportName === undefined ? defaultOf(value) : value
  if (typeof make !== 'function' || isApplication(make))
    throw unloadable(`The export ${name} is no function that could be called for the application.`)
  try {
    return await (make as () => unknown)()
  } catch (cause) {
    throw unloadable(
      `The function ${name} of ${quoted(where.module)} failed: ${described(cause)}`,
      undefined,
      cause,
    )
  }
}

function defaultOf(exported: unknown): unknown {
  const inner = (exported as { default?: unknown }).default
  return typeof inner === 'object' && inner !== null
    ? ((inner as { default?: unknown }).default ?? inner)
    : inner
}

async function awaited(value: unknown, { module }: Where): Promise<unknown> {
  try {
    return await value
  } catch (cause) {
    throw unloadable(
      `A promise that ${quoted(module)} exports was rejected: ${described(cause)}`,
      undefined,
      cause,
    )
  }
}

/** A copy of an object of exports in which promises under the usual names are what they became. */
async function settledMembers(value: unknown, where: Where): Promise<unknown> {
  if (typeof value !== 'object' || value === null || isServer(value)) return value
  const members = USUAL_NAMES.filter((name) => name in value).map(async (name) => {
    const member = (value as Record<string, unknown>)[name]
    return [name, await awaited(member, where)] as const
  })
  return Object.fromEntries(await Promise.all(members))
}

/** The only application that a module exports is meant, whatever its name is. */
function onlyApplication(exported: object, { exportName, call }: Where): FoundApplication | undefined {
  if (exportName !== undefined || call) return undefined
  const found = exportsOf(exported).flatMap(({ value }) => applicationIn(value, MAX_DEPTH) ?? [])
  const [first] = found
  return found.every(({ application }) => application === first?.application) ? first : undefined
}

function applicationIn(value: unknown, depth: number): FoundApplication | undefined {
  if (isApplication(value)) return { application: value, server: undefined }
  if (isServer(value)) return applicationOn(value)
  if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return undefined
  const members = value as Record<string, unknown>
  const candidates = USUAL_NAMES.filter((name) => name in members)
  const found = candidates
    .map((name) => applicationIn(members[name], depth + 1))
    .find((one) => one !== undefined)
  if (found === undefined) return undefined
  const { server } = members
  const isItsOwn = isServer(server) && applicationOn(server)?.application === found.application
  return { ...found, server: found.server ?? (isItsOwn ? server : undefined) }
}

/** HTTP or HTTPS, for either listens to requests in the same way. */
function isServer(value: unknown): value is HttpServer {
  return value instanceof HttpServer || value instanceof HttpsServer
}

function applicationOn(server: HttpServer): FoundApplication | undefined {
  const application = server.listeners('request').find(isApplication)
  return application === undefined ? undefined : { application, server }
}
