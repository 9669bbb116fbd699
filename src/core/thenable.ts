/**
 * Whether a value is to be waited for. Not `instanceof Promise`: query builders and promises of another realm are
 * waited for too. Wrap what it says yes to in `Promise.resolve()`, which settles once whatever the other does.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}

/**
 * Whether a callback that must answer at once answered with a promise. Nobody waits for it, so its rejection is taken
 * here: it must not end the process.
 */
export function disarm(answer: unknown): boolean {
  if (!isThenable(answer)) return false
  Promise.resolve(answer).catch(() => undefined)
  return true
}

/** What `then` makes of a value, at once where the value is here already. */
export function chain<T, R>(value: T | PromiseLike<T>, then: (value: T) => R | Promise<R>): R | Promise<R> {
  return isThenable(value) ? Promise.resolve(value).then(then) : then(value)
}
