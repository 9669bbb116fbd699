import { destination, pino } from 'pino'

/**
 * The logger of every stack: pino, buffered, into nothing. `BENCH_SINK=discard` leaves out the buffer, whose cost grows
 * with the size of a record and is much of what a small record and a large one differ by.
 */
export function silentLogger(options = {}) {
  const sink =
    process.env.BENCH_SINK === 'discard'
      ? { write() {} }
      : destination({ dest: '/dev/null', sync: false, minLength: 4096 })
  return pino(options, sink)
}
