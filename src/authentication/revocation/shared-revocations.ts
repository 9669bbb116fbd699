import { monotonicMs, wallClockMs } from '../../core/clock.js'
import { Generations } from '../../core/generations.js'
import type { Health } from '../../core/lifecycle.js'
import type { SharedStore } from '../../core/ports.js'
import { SecurityProblem } from '../../core/problem.js'
import { command, evaluate } from '../../stores/redis/command.js'
import type { Verified } from '../verifier.js'
import { judge, type Moments } from './judge.js'
import type { Names } from './names.js'
import type { RevocationStore } from './revocation-store.js'
import { RevokedNames } from './revoked-names.js'

interface Answer {
  readonly moments: Moments
  /** When it was asked for, not when it came: what was revoked in between may not be in it. */
  readonly askedMs: number
  readonly bytes: number
}

export interface SharedPolicy {
  readonly store: SharedStore
  readonly name: string
  readonly freshMs: number
  /** 0: none. */
  readonly snapshotMs: number
}

// Answers and own revocations that are remembered here.
const MAX_ANSWERS = 20_000
const MAX_OWN = 10_000

/** The later moment and the later end win, whoever writes when; an end of 0 is none. */
const STRENGTHEN = `
local known = redis.call('GET', KEYS[1])
local at = ARGV[1]
local left = tonumber(ARGV[2])
if known then
  if tonumber(known) > tonumber(at) then at = known end
  local before = redis.call('PTTL', KEYS[1])
  if before == -1 then left = 0 elseif left > 0 and before > left then left = before end
end
if left == 0 then redis.call('SET', KEYS[1], at) else redis.call('SET', KEYS[1], at, 'PX', left) end
return 1`

/**
 * Revocations in Redis: one MGET for a credential, whose keys are in one slot. An answer is believed for `freshMs`; what
 * this process itself revoked is known at once.
 */
export class SharedRevocations implements RevocationStore {
  readonly #policy: SharedPolicy
  readonly #prefix: string
  readonly #answers = new Generations<Answer>({ maxEntries: MAX_ANSWERS })
  /** Laid over every answer that may be older than they are. */
  readonly #own = new RevokedNames(MAX_OWN)
  #epoch = 0

  constructor(policy: SharedPolicy) {
    this.#policy = policy
    this.#prefix = `${policy.store.prefix}:revocation:{${policy.name}}:`
  }

  get isEmpty(): boolean {
    return false
  }

  async add(digest: string, at: number, endsMs: number): Promise<void> {
    const { store, freshMs, snapshotMs } = this.#policy
    const now = wallClockMs()
    // Before Redis has it: no answer that is on its way may be believed without it.
    const isKnownHere = this.#own.add(digest, at, Math.min(endsMs, now + freshMs + snapshotMs + 10_000))
    const leftMs = endsMs === Infinity ? 0 : Math.max(1, Math.ceil(endsMs - now))
    await evaluate(store, STRENGTHEN, [this.#prefix + digest], [String(at), String(leftMs)])
    if (!isKnownHere) this.#forgetAnswers()
  }

  check(names: Names, verified: Verified): void | Promise<void> {
    this.#judgeOwn(names, verified)
    const known = this.#answers.get(names.id)
    if (known === undefined || monotonicMs() - known.askedMs >= this.#policy.freshMs)
      return this.#ask(names, verified)
    judge(names.names, known.moments, verified)
  }

  health(): Omit<Health, 'name'> {
    const { store, snapshotMs } = this.#policy
    const { status, detail = '' } = store.health()
    return { status: status === 'down' && snapshotMs > 0 ? 'degraded' : status, detail: `redis: ${detail}` }
  }

  close(): void {
    this.#forgetAnswers()
  }

  async #ask(names: Names, verified: Verified): Promise<void> {
    const askedMs = monotonicMs()
    judge(names.names, await this.#momentsOf(names, askedMs), verified)
    // Somebody may have revoked it here while Redis was being asked.
    this.#judgeOwn(names, verified)
  }

  async #momentsOf({ names, id }: Names, askedMs: number): Promise<Moments> {
    const { store, snapshotMs } = this.#policy
    const epoch = this.#epoch
    const [first = '', ...others] = names.map(({ digest }) => this.#prefix + digest)
    try {
      const moments = momentsIn(await command(store, 'MGET', first, ...others), names.length)
      if (epoch === this.#epoch) this.#answers.set(id, { moments, askedMs, bytes: 0 })
      return moments
    } catch (cause) {
      const last = this.#answers.get(id)
      if (last !== undefined && monotonicMs() - last.askedMs <= snapshotMs) return last.moments
      throw cause
    }
  }

  /** Also those that are on their way. */
  #forgetAnswers(): void {
    this.#answers.clear()
    this.#epoch += 1
  }

  #judgeOwn({ names }: Names, verified: Verified): void {
    if (this.#own.size === 0) return
    judge(
      names,
      names.map(({ digest }) => this.#own.find(digest)),
      verified,
    )
  }
}

/** A value that is no number is a revocation that somebody else wrote: it reaches everything. */
function momentsIn(reply: unknown, length: number): Moments {
  if (!Array.isArray(reply) || reply.length !== length) {
    throw new SecurityProblem('store_unavailable', {
      headers: { 'retry-after': '1' },
      evidence: { store: 'redis', problem: 'the reply to MGET makes no sense' },
    })
  }
  return reply.map((value: unknown) => {
    if (value === null) return undefined
    const at = Number(value)
    return Number.isFinite(at) ? at : Infinity
  })
}
