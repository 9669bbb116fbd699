import { disarm, isThenable } from '../../core/thenable.js'

/**
 * What each of several readers answers, asked one after the other; at once where all of it is here already. Where one
 * throws, nobody waits any more for those before it: their rejections must not end the process.
 */
export function together<T, R>(
  readers: readonly T[],
  read: (reader: T) => R | Promise<R>,
): readonly R[] | Promise<readonly R[]> {
  const answers: (R | Promise<R>)[] = []
  try {
    for (const reader of readers) answers.push(read(reader))
  } catch (cause) {
    answers.forEach(disarm)
    throw cause
  }
  if (!answers.some((answer) => isThenable(answer))) return answers as readonly R[]
  return Promise.all(answers.map((answer) => Promise.resolve(answer)))
}
