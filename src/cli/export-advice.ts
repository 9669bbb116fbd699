import { isApplication } from '../core/router.js'
import { neutralise } from '../core/text.js'
import type { Where } from './find-application.js'
import { quoted } from './words.js'

export interface Export {
  readonly name: string
  readonly value: unknown
}

/** Node.js 23 and later show under this name what a CommonJS module exports, once more. */
const COMMONJS = 'module.exports'
const SHOWN = 10

/** A CommonJS module stands in its namespace as `default`, and what TypeScript made of `export default` one further in. */
export function holdersOf(exported: object): readonly object[] {
  const inner = (exported as { default?: unknown }).default
  return isHolder(inner) ? [exported, inner] : [exported]
}

/** Whether its members are exports, rather than the members of an application, a router or a server. */
function isHolder(value: unknown): value is object {
  if (typeof value === 'function') return !isApplication(value) && !isRouter(value)
  if (typeof value !== 'object' || value === null) return false
  return !('listen' in value || 'then' in value)
}

/** What a module exports, each under one name. */
export function exportsOf(exported: object): readonly Export[] {
  const isOwn = membersOfDefault(exported)
  const named = holdersOf(exported).flatMap((holder) =>
    Object.keys(holder).map((name) => ({ name, value: (holder as Record<string, unknown>)[name] })),
  )
  const shown = named.filter(
    ({ name, value }) =>
      name !== COMMONJS && !(name === 'default' && isCommonJsExports(value)) && !isOwn(name),
  )
  return [...new Map(shown.map((one) => [one.name, one])).values()]
}

/** `module.exports = app` shows what somebody put on that application as if it were exported. */
function membersOfDefault(exported: object): (name: string) => boolean {
  const inner = (exported as { default?: unknown }).default
  if (!isApplication(inner) && !isRouter(inner)) return () => false
  const isCommonJs = COMMONJS in exported || '__esModule' in exported
  return (name) =>
    name !== 'default' && (isCommonJs || Object.hasOwn(inner as object, name)) && sameMember(name)

  function sameMember(name: string): boolean {
    return (exported as Record<string, unknown>)[name] === (inner as Record<string, unknown>)[name]
  }
}

/** The object of exports of a CommonJS module is no export itself. */
function isCommonJsExports(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** `It exports app, close.` */
export function exportsText(exported: object): string {
  return `It exports ${listed(exportsOf(exported).map(({ name }) => name))}.`
}

/** What to do about a module in which no application was found. */
export function adviceFor(exported: object, given: unknown, where: Where): string {
  const { exportName, call } = where
  const all = exportsOf(exported)
  if (call) return answeredText(given, exportName ?? 'default')
  if (all.length === 0)
    return `It exports nothing: add ${isCommonJs(exported) ? '`module.exports = app`' : '`export { app }`'}.`
  const candidates = exportName === undefined ? all : all.filter(({ name }) => name === exportName)
  const router = candidates.find(({ value }) => isRouter(value))
  if (router !== undefined)
    return `${quoted(router.name)} is an express.Router: export the application that mounts it.`
  const applications = all.filter(({ value }) => isApplication(value))
  if (applications.length > 0)
    return `It exports applications: ${applications.map(({ name }) => `--export ${neutralise(name, 60)}`).join(', ')}.`
  const maker = candidates.find(({ value }) => typeof value === 'function')
  if (maker === undefined) return `${exportsText(exported)} Export the application as default or as "app".`
  return `${exportsText(exported)} If ${quoted(maker.name)} makes it: --export ${neutralise(maker.name, 60)} --call`
}

function answeredText(answer: unknown, name: string): string {
  const called = name === 'default' ? 'The default export' : `${neutralise(name, 60)}()`
  return `${called} answered ${kindOf(answer)}.`
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return `${String(value)}; a return may be missing`
  if (isRouter(value)) return 'an express.Router, and not the application that mounts it'
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return typeof value === 'function' ? 'a function' : `a ${typeof value}`
  return `an object with: ${listed(Object.keys(value))}`
}

function isRouter(value: unknown): boolean {
  return (
    typeof value === 'function' &&
    !isApplication(value) &&
    Array.isArray((value as { stack?: unknown }).stack)
  )
}

function isCommonJs(exported: object): boolean {
  return COMMONJS in exported || isCommonJsExports((exported as { default?: unknown }).default)
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'nothing'
  const shown = names.slice(0, SHOWN).map((name) => neutralise(name, 60))
  return `${shown.join(', ')}${names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''}`
}
