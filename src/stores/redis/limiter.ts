import {
  hasRoom,
  type RateLimitAnswer,
  type RateLimitCheck,
  type RateLimitPort,
  type RateLimitState,
  type SharedStore,
} from '../../core/ports.js'
import { evaluate } from './command.js'
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
 * On a Cluster the limits of a request may be kept on several nodes: each node is asked once, at the same time, and
 * where one refuses, what the others charged is given back.
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
    if (groups.length < 2) return this.#ask('take', groups[0] ?? [])
    const answers = await Promise.all(groups.map((group) => this.#ask('take', group)))
    const allowed = answers.every((answer) => answer.allowed)
    if (!allowed) await this.#giveBack(groups, answers)
    return { allowed, states: inOrder(groups, answers) }
  }

  /** What the nodes that had room have charged for a request that another one refused. */
  async #giveBack(
    groups: readonly (readonly Numbered[])[],
    answers: readonly RateLimitAnswer[],
  ): Promise<void> {
    const charged = groups.map((group, at) =>
      answers[at]?.allowed === true ? group.filter((_, place) => answers[at]?.states[place]?.allowed) : [],
    )
    await Promise.all(charged.map((group) => this.#ask('refund', group)))
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
    await Promise.all(keys.map((key) => evaluate(this.#store, DELETE_SCRIPT, [key], [])))
  }

  async #ask(step: Step, group: readonly Numbered[]): Promise<RateLimitAnswer> {
    const [first, ...others] = group.map(({ key }) => key)
    if (first === undefined) return { allowed: true, states: [] }
    const args = group.flatMap(({ check }) => argumentsOf(check))
    const numbers = await evaluate(this.#store, LIMIT_SCRIPT, [first, ...others], [step, ...args])
    const states = statesIn(numbers, group.length)
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

const DELETE_SCRIPT = "return redis.call('DEL', KEYS[1])"

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
function statesIn(numbers: unknown, count: number): readonly RateLimitState[] {
  if (!Array.isArray(numbers) || numbers.length !== count * 4 || !numbers.every(Number.isFinite))
    throw new Error('the limit script answered something else')
  return Array.from({ length: count }, (_, index) => {
    const [allowed, remaining, resetMs, retryMs] = numbers.slice(index * 4, index * 4 + 4) as number[]
    return {
      allowed: allowed === 1,
      remaining: Math.max(0, remaining ?? 0),
      resetMs: resetMs ?? 0,
      retryMs: retryMs === -1 ? Infinity : (retryMs ?? 0),
    }
  })
}

function inOrder(
  groups: readonly (readonly Numbered[])[],
  answers: readonly RateLimitAnswer[],
): readonly RateLimitState[] {
  const states: RateLimitState[] = []
  groups.forEach((group, at) => {
    group.forEach(({ index }, place) => {
      states[index] = answers[at]?.states[place] as RateLimitState
    })
  })
  return states
}
