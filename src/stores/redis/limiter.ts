import {
  hasRoom,
  type RateLimitAnswer,
  type RateLimitCheck,
  type RateLimitPort,
  type RateLimitState,
  type SharedStore,
} from '../../core/ports.js'
import { command, evaluate, integerIn, unreadable } from './command.js'
import { isCluster, slotOf } from './cluster.js'
import { LIMIT_SCRIPT } from './limit-script.js'

type Step = 'take' | 'peek' | 'refund'

interface Numbered {
  readonly check: RateLimitCheck
  readonly key: string
  readonly index: number
}

/**
 * Counts in Redis or Valkey, by the server's clock: all limits of a request in one round trip.
 *
 * On a Cluster the limits of a request may be kept on several nodes: all are asked at the same time, once for each slot,
 * and where one refuses or fails, what the others charged is given back.
 */
export class RedisLimiter implements RateLimitPort {
  readonly #store: SharedStore
  readonly #isCluster: boolean

  constructor(store: SharedStore) {
    this.#store = store
    this.#isCluster = isCluster(store.client)
  }

  async take(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    const groups = this.#groups(checks)
    const [only] = groups
    if (groups.length < 2) return this.#ask('take', only ?? [])
    const outcomes = await Promise.allSettled(groups.map((group) => this.#ask('take', group)))
    const answers = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined))
    if (answers.every((answer) => answer?.allowed === true))
      return { allowed: true, states: inOrder(groups, answers) }
    // Nobody waits for it: it goes out before the next take of this process, and the answer is known already.
    const charged = groups.map((group, at) => chargedOf(group, answers[at]))
    for (const group of charged) this.#ask('refund', group).catch(() => undefined)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return { allowed: false, states: givenBack(inOrder(groups, answers), charged.flat()) }
  }

  async peek(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    const groups = this.#groups(checks)
    const answers = await Promise.all(groups.map((group) => this.#ask('peek', group)))
    return { allowed: answers.every(({ allowed }) => allowed), states: inOrder(groups, answers) }
  }

  async refund(checks: readonly RateLimitCheck[]): Promise<void> {
    await Promise.all(this.#groups(checks).map((group) => this.#ask('refund', group)))
  }

  async reset(checks: readonly RateLimitCheck[]): Promise<void> {
    const keys = checks.map((check) => this.#keyOf(check))
    await Promise.all(keys.map((key) => command(this.#store, 'DEL', key)))
  }

  async #ask(step: Step, group: readonly Numbered[]): Promise<RateLimitAnswer> {
    const [first, ...others] = group.map(({ key }) => key)
    if (first === undefined) return { allowed: true, states: [] }
    const args = group.flatMap(({ check }) => argumentsOf(check))
    const states = await evaluate(this.#store, LIMIT_SCRIPT, [first, ...others], [step, ...args], (reply) =>
      statesIn(reply, group.length),
    )
    return {
      allowed: hasRoom(
        group.map(({ check }) => check),
        states,
      ),
      states,
    }
  }

  /** One group for each place that can be asked in one step. */
  #groups(checks: readonly RateLimitCheck[]): readonly (readonly Numbered[])[] {
    const numbered = checks.map((check, index) => ({ check, index, key: this.#keyOf(check) }))
    if (!this.#isCluster) return [numbered]
    const bySlot = new Map<number, Numbered[]>()
    for (const one of numbered) {
      const slot = slotOf(one.key)
      bySlot.set(slot, [...(bySlot.get(slot) ?? []), one])
    }
    return [...bySlot.values()]
  }

  /** Its rule's shape is part of a key: a rule that was changed does not read what another wrote. */
  #keyOf({ name, rule, key }: RateLimitCheck): string {
    const shape = rule.algorithm === 'fixed' ? rule.period : `${rule.algorithm}-${rule.windowMs}`
    return `${this.#store.prefix}:limit:${name}:${shape}:{${key}}`
  }
}

function argumentsOf({ rule, cost, isTrial }: RateLimitCheck): string[] {
  const window = rule.algorithm === 'fixed' ? rule.period : String(Math.round(rule.windowMs * 1000))
  const burst = rule.algorithm === 'gcra' ? rule.burst : 0
  return [
    rule.algorithm,
    String(rule.limit),
    window,
    String(burst),
    String(cost),
    isTrial === true ? '1' : '0',
  ]
}

/** A server that answers something else has not counted. */
function statesIn(reply: unknown, count: number): readonly RateLimitState[] {
  if (!Array.isArray(reply) || reply.length !== count * 4) throw unreadable()
  const numbers = reply.map(integerIn)
  return Array.from({ length: count }, (_, index) => {
    const [allowed, remaining, resetMs, retryMs] = numbers.slice(index * 4, index * 4 + 4) as Four
    return {
      allowed: allowed === 1,
      remaining: Math.max(0, remaining),
      resetMs,
      retryMs: retryMs === -1 ? Infinity : retryMs,
    }
  })
}

type Four = [number, number, number, number]

/** What a node that had room has charged. */
function chargedOf(group: readonly Numbered[], answer: RateLimitAnswer | undefined): readonly Numbered[] {
  if (answer?.allowed !== true) return []
  return group.filter((_, place) => answer.states[place]?.allowed === true)
}

/** What is left once the points of a request that another node refused are back. */
function givenBack(
  states: readonly RateLimitState[],
  charged: readonly Numbered[],
): readonly RateLimitState[] {
  const costs = new Map(charged.map(({ index, check }) => [index, check.cost]))
  return states.map((state, index) => ({ ...state, remaining: state.remaining + (costs.get(index) ?? 0) }))
}

function inOrder(
  groups: readonly (readonly Numbered[])[],
  answers: readonly (RateLimitAnswer | undefined)[],
): readonly RateLimitState[] {
  const states: RateLimitState[] = []
  groups.forEach((group, at) => {
    group.forEach(({ index }, place) => {
      states[index] = answers[at]?.states[place] as RateLimitState
    })
  })
  return states
}
