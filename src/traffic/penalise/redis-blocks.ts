import type { SharedStore } from '../../core/ports.js'
import { evaluate, readIntegers } from '../../stores/redis/command.js'
import type { Blocks, Culprit } from './blocks.js'

/** Keys: failures, blocks so far, the block. One step, so that no two instances count one failure to two blocks. */
const SCRIPT = `
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local first, growth, most = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local failures = redis.call('INCR', KEYS[1])
if failures == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if failures < limit then return 0 end
redis.call('DEL', KEYS[1])
local level = redis.call('INCR', KEYS[2])
local length = math.min(most, first * growth ^ (level - 1))
redis.call('SET', KEYS[3], '1', 'PX', string.format('%.0f', length))
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', length + most))
return string.format('%.0f', length)
`

/** Blocks in Redis or Valkey: one for all instances, by the server's clock. */
export class RedisBlocks implements Blocks {
  readonly #store: SharedStore

  constructor(store: SharedStore) {
    this.#store = store
  }

  remainingMs(culprits: readonly Culprit[]): Promise<readonly number[]> {
    const keys = culprits.map((culprit) => this.#key(culprit, 'block'))
    return readIntegers(this.#store, 'PTTL', keys)
  }

  async noteFailure(culprits: readonly Culprit[]): Promise<void> {
    await Promise.all(culprits.map((culprit) => this.#note(culprit)))
  }

  async #note(culprit: Culprit): Promise<void> {
    const { limit, windowMs, block } = culprit
    await evaluate(
      this.#store,
      SCRIPT,
      [this.#key(culprit, 'failures'), this.#key(culprit, 'level'), this.#key(culprit, 'block')],
      [limit, Math.ceil(windowMs), block.firstMs, block.growth, block.maxMs].map(String),
    )
  }

  #key({ name, key }: Culprit, what: 'failures' | 'level' | 'block'): string {
    return `${this.#store.prefix}:penalty:${name}:${what}:{${key}}`
  }
}
