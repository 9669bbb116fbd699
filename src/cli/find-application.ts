import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { isApplication } from '../core/router.js'
import { neutralise } from '../core/text.js'
import { unloadable } from './failure.js'

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

const USUAL_NAMES = ['default', 'app', 'application', 'server']

/** Finds the application among what a module exports. */
export async function findApplication(exported: object, where: Where): Promise<FoundApplication> {
  const value = where.exportName === undefined ? exported : namedExport(exported, where.exportName, where)
  const given = where.call ? await called(value, where) : await awaited(value, where)
  const found = applicationIn(await settledMembers(given, where), 0)
  if (found !== undefined) return found
  const subject =
    where.exportName === undefined ? quoted(where.module) : `The export ${quoted(where.exportName)}`
  throw unloadable(`${subject} gives no Express application.`, hintFor(exported, where))
}

function namedExport(exported: object, name: string, { module }: Where): unknown {
  for (const holder of holdersOf(exported)) {
    if (Object.hasOwn(holder, name)) return (holder as Record<string, unknown>)[name]
  }
  throw unloadable(`${quoted(module)} has no export ${quoted(name)}.`, `It exports ${listed(exported)}.`)
}

/** A CommonJS module stands in its namespace as `default`, and what TypeScript made of `export default` one further in. */
function holdersOf(exported: object): readonly object[] {
  const inner = (exported as { default?: unknown }).default
  const isHolder = (typeof inner === 'object' || typeof inner === 'function') && inner !== null
  return isHolder ? [exported, inner] : [exported]
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

function applicationIn(value: unknown, depth: number): FoundApplication | undefined {
  if (isApplication(value)) return { application: value, server: undefined }
  if (isServer(value)) return applicationOn(value)
  if (typeof value !== 'object' || value === null || depth > 2) return undefined
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

function hintFor(exported: object, { exportName, call }: Where): string {
  const makers = holdersOf(exported).flatMap((holder) =>
    Object.keys(holder).filter((name) => typeof (holder as Record<string, unknown>)[name] === 'function'),
  )
  const [maker] = makers
  const advice =
    maker === undefined || call
      ? 'Export it as default or as "app".'
      : `If ${quoted(exportName ?? maker)} makes it: --export ${neutralise(exportName ?? maker, 60)} --call`
  return `The module exports ${listed(exported)}. ${advice}`
}

function listed(exported: object): string {
  const names = [...new Set(holdersOf(exported).flatMap((holder) => Object.keys(holder)))]
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, 10).map((name) => neutralise(name, 60))
  return `${shown.join(', ')}${names.length > shown.length ? ` and ${names.length - shown.length} more` : ''}`
}

export function quoted(text: string): string {
  return `"${neutralise(text, 200)}"`
}

/** What was thrown, on one line. */
export function described(cause: unknown): string {
  if (cause instanceof Error) {
    const [first = ''] = cause.message.split('\n', 1)
    return `${neutralise(cause.name, 60)}: ${neutralise(first, 500)}`
  }
  return typeof cause === 'string' ? quoted(cause) : 'something that is no Error'
}
