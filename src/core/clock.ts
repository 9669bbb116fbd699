/** Wall-clock time in **milliseconds** since the epoch: what tokens and records speak of. */
export function wallClockMs(): number {
  return Date.now()
}

/** Monotonic time in **milliseconds**: what durations, cooldowns and back-offs are measured with. */
export function monotonicMs(): number {
  return performance.now()
}
