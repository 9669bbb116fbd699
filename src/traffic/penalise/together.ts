import { disarm, isThenable } from '../../core/thenable.js'

type Text = string | Promise<string>

/**
 * What each of several readers answers, asked one after the other; at once where all of it is here already. Where one
 * throws, nobody waits any more for those before it: their rejections must not end the process.
 */
export function together<T>(
  readers: readonly T[],
  read: (reader: T) => Text,
): readonly string[] | Promise<readonly string[]> {
  const texts: Text[] = []
  try {
    for (const reader of readers) texts.push(read(reader))
  } catch (cause) {
    texts.forEach(disarm)
    throw cause
  }
  if (!texts.some((text) => isThenable(text))) return texts as readonly string[]
  return Promise.all(texts.map((text) => Promise.resolve(text)))
}
