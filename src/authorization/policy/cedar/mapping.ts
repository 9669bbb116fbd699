import { checkOptions, misuse, text, type OptionRule } from '../../../core/options.js'
import type { PolicyEntity, PolicyRequest } from '../../../core/policy.js'
import { cedarRecord, type CedarValue } from './values.js'

export interface CedarMapping {
  /** Put before every type: `Shop` makes `Shop::User` and `Shop::Action`. @default none */
  readonly namespace?: string
  /** Cedar's name for a type of AuthZEN's. @default the type with a capital first letter: `user` is `User` */
  readonly types?: Readonly<Record<string, string>>
  /** Properties that name parents, with the parents' type: `{ roles: 'role' }` puts a subject into its roles. */
  readonly parents?: Readonly<Record<string, string>>
  /** Properties that name another entity, with its type: `{ owner: 'user' }` for `resource.owner == principal`. */
  readonly references?: Readonly<Record<string, string>>
}

interface Uid {
  readonly type: string
  readonly id: string
}

interface KnownEntity {
  readonly uid: Uid
  readonly attrs?: Readonly<Record<string, unknown>>
  readonly parents?: readonly Uid[]
}

interface EntityJson {
  readonly uid: Uid
  attrs: Record<string, CedarValue>
  parents: Uid[]
}

/** One question, as Cedar wants it. Types and ids stay apart: nothing is joined to text that Cedar would parse. */
export interface CedarCall {
  readonly principal: Uid
  readonly action: Uid
  readonly resource: Uid
  readonly context: Record<string, CedarValue>
  readonly entities: EntityJson[]
}

// Not all of Cedar's reserved words; Cedar refuses the rest.
const TYPE = /^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/
const typeName: OptionRule = {
  says: 'a Cedar type name',
  holds: (value) => typeof value === 'string' && TYPE.test(value),
}
const names = (item: OptionRule): OptionRule => ({
  says: `an object whose values are each ${item.says}`,
  holds: (value) => typeof value === 'object' && value !== null && Object.values(value).every(item.holds),
})

export function readMapping(mapping: CedarMapping = {}): CedarMapping {
  checkOptions('cedarPolicy.mapping', mapping, {
    namespace: typeName,
    types: names(typeName),
    parents: names(text(100)),
    references: names(text(100)),
  })
  for (const property of Object.keys(mapping.parents ?? {})) {
    if (Object.hasOwn(mapping.references ?? {}, property)) {
      throw misuse(
        'cedarPolicy',
        'mapping',
        'free of properties that are both parents and references',
        property,
      )
    }
  }
  return structuredClone(mapping)
}

/** The request in Cedar's terms. Throws for what Cedar has no way to say. */
export function cedarEntities(
  request: PolicyRequest,
  mapping: CedarMapping,
  known: readonly KnownEntity[],
): CedarCall {
  const context = cedarRecord(request.context)
  if (Object.hasOwn(context, 'action')) throw new Error('cedarPolicy: context.action is taken by the action')
  context['action'] = cedarRecord(request.action.properties)

  const principal = uidOf(request.subject, mapping)
  const resource = uidOf(request.resource, mapping)
  const entities = new Map(known.map((entity) => [keyOf(entity.uid), ownCopy(entity)]))
  for (const [uid, entity] of [
    [principal, request.subject],
    [resource, request.resource],
  ] as const) {
    entities.set(keyOf(uid), joined(entityOf(uid, entity, mapping), entities.get(keyOf(uid))))
  }
  return {
    principal,
    action: { type: inNamespace('Action', mapping), id: request.action.name },
    resource,
    context,
    entities: [...entities.values()],
  }
}

function entityOf(uid: Uid, { properties = {} }: PolicyEntity, mapping: CedarMapping): EntityJson {
  const { parents = {}, references = {} } = mapping
  const plain = Object.entries(properties).filter(
    ([name]) => !Object.hasOwn(parents, name) && !Object.hasOwn(references, name),
  )
  const referring = Object.entries(references).flatMap(([name, type]) => {
    if (!Object.hasOwn(properties, name) || isAbsent(properties[name])) return []
    const uids = idsIn(properties[name]).map((id): CedarValue => ({
      __entity: { ...uidOf({ type, id }, mapping) },
    }))
    return [[name, Array.isArray(properties[name]) ? uids : (uids[0] as CedarValue)] as const]
  })
  return {
    uid,
    attrs: Object.fromEntries([...Object.entries(cedarRecord(Object.fromEntries(plain))), ...referring]),
    parents: Object.entries(parents).flatMap(([name, type]) =>
      Object.hasOwn(properties, name) && !isAbsent(properties[name])
        ? idsIn(properties[name]).map((id) => uidOf({ type, id }, mapping))
        : [],
    ),
  }
}

// What the service has configured is not for a request to change.
function joined(asked: EntityJson, configured: EntityJson | undefined): EntityJson {
  if (configured === undefined) return asked
  const parents = new Map([...asked.parents, ...configured.parents].map((uid) => [keyOf(uid), uid]))
  return {
    uid: asked.uid,
    attrs: Object.fromEntries([...Object.entries(asked.attrs), ...Object.entries(configured.attrs)]),
    parents: [...parents.values()],
  }
}

function ownCopy({ uid, attrs = {}, parents = [] }: KnownEntity): EntityJson {
  return { uid, attrs: attrs as Record<string, CedarValue>, parents: [...parents] }
}

function uidOf({ type, id }: Uid, mapping: CedarMapping): Uid {
  const named =
    mapping.types !== undefined && Object.hasOwn(mapping.types, type)
      ? (mapping.types[type] as string)
      : type.charAt(0).toUpperCase() + type.slice(1)
  if (!TYPE.test(named))
    throw new Error('cedarPolicy: a type is no Cedar type name; name one in mapping.types')
  return { type: inNamespace(named, mapping), id }
}

function inNamespace(type: string, { namespace }: CedarMapping): string {
  return namespace === undefined ? type : `${namespace}::${type}`
}

function keyOf({ type, id }: Uid): string {
  return JSON.stringify([type, id])
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function idsIn(value: unknown): string[] {
  const ids: unknown[] = Array.isArray(value) ? value : [value]
  if (ids.every((id) => typeof id === 'string')) return ids
  throw new Error('cedarPolicy: a property that names entities must be a text or a list of texts')
}
