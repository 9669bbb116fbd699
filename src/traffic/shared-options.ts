import { callback, either, integer, listOf, oneOf, type OptionRule } from '../core/options.js'
import { PERIOD_SECONDS } from '../core/period.js'
import { LIMIT_FACTS } from './counting/keys.js'

const MAX_WINDOW_SECONDS = PERIOD_SECONDS.month

export const windowSeconds: OptionRule = {
  says: `a number from 0.1 to ${MAX_WINDOW_SECONDS} seconds`,
  holds: (value) => typeof value === 'number' && value >= 0.1 && value <= MAX_WINDOW_SECONDS,
}
/** Whom to count. */
export const limitBy = either(oneOf(...LIMIT_FACTS), listOf(oneOf(...LIMIT_FACTS)), callback)
export const addressPrefixRule = oneOf(48, 56, 64)
export const instancesRule = integer(1, 100_000)
export const onOutageRule = oneOf('local', 'deny', 'allow')
