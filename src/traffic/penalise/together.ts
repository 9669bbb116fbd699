import { isThenable } from '../../core/thenable.js'

/** All of several texts, at once where all are here already. */
export function together(
  texts: readonly (string | Promise<string>)[],
): readonly string[] | Promise<readonly string[]> {
  if (!texts.some((text) => isThenable(text))) return texts as readonly string[]
  return Promise.all(texts.map((text) => Promise.resolve(text)))
}
