import type { OptionRule } from '../core/options.js'

const MAX_WINDOW_SECONDS = 2_678_400

export const windowSeconds: OptionRule = {
  says: `a number from 0.1 to ${MAX_WINDOW_SECONDS} seconds`,
  holds: (value) => typeof value === 'number' && value >= 0.1 && value <= MAX_WINDOW_SECONDS,
}
