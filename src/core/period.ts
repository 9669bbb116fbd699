import type { Period } from './ports.js'

/** Length of each calendar period, in **seconds**; of a month, of the longest. No window is longer. */
export const PERIOD_SECONDS: Readonly<Record<Period, number>> = {
  minute: 60,
  hour: 3600,
  day: 86_400,
  month: 2_678_400,
}
