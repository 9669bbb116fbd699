import { record, type OptionRule } from '../../core/options.js'
import type { PolicyAction, PolicyEntity } from '../../core/policy.js'
import type { Principal } from '../../core/principal.js'
import { disarm } from '../../core/thenable.js'
import { fault } from '../shared-answers.js'

type Properties = Readonly<Record<string, unknown>>

export const entity: OptionRule = {
  says: 'an object { type, id, properties? }, type and id non-empty strings',
  holds: (value) => {
    if (!record.holds(value)) return false
    const { type, id, properties } = value as Properties
    return isText(type) && isText(id) && (properties === undefined || record.holds(properties))
  },
}

/** The members that an entity has, and no other: what an application passes along may be a row of its database. */
export function entityFrom(value: unknown, what: string): PolicyEntity {
  if (disarm(value)) throw fault(`${what} answered with a promise: load before, as requireResource does`)
  if (!entity.holds(value)) throw fault(`${what} must be ${entity.says}`)
  const { type, id, properties } = value as PolicyEntity
  return { type, id, ...(properties === undefined ? {} : { properties }) }
}

export function actionFrom(value: unknown): PolicyAction {
  if (isText(value)) return { name: value }
  if (disarm(value)) throw fault('action answered with a promise: it must answer at once')
  const { name, properties } = (value ?? {}) as Properties
  if (!isText(name) || (properties !== undefined && !record.holds(properties)))
    throw fault('action must be a non-empty string, or an object { name, properties? }')
  return { name, ...(properties === undefined ? {} : { properties: properties as Properties }) }
}

export function contextFrom(value: unknown): Properties {
  if (disarm(value)) throw fault('context answered with a promise: it must answer at once')
  if (!record.holds(value)) throw fault('context must be an object')
  return value as Properties
}

export function subjectOf({ type, subject, issuer, clientId, roles, scopes }: Principal): PolicyEntity {
  return {
    type,
    id: subject,
    properties: {
      issuer,
      ...(clientId === undefined ? {} : { client_id: clientId }),
      roles: [...roles],
      scopes: [...scopes],
    },
  }
}

/**
 * A resource that every request shares: a policy that changed it would change it for all. Throws a `TypeError` where it
 * is no data.
 */
export function frozenEntity(value: PolicyEntity): PolicyEntity {
  try {
    return deeplyFrozen(structuredClone(entityFrom(value, 'resource')))
  } catch (cause) {
    throw new TypeError('authorize: resource.properties must be plain data', { cause })
  }
}

function deeplyFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  Object.values(value).forEach(deeplyFrozen)
  return value
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
