import { inspect } from 'node:util'

/**
 * A set of strings that nobody can change: scopes, roles.
 *
 * `Object.freeze(new Set())` still has a working `add`, and a remembered principal would carry such a change into
 * every later request.
 */
export class TextSet implements Iterable<string> {
  readonly #values: ReadonlySet<string>

  constructor(values: Iterable<string>) {
    this.#values = new Set(values)
    Object.freeze(this)
  }

  get size(): number {
    return this.#values.size
  }

  has(value: string): boolean {
    return this.#values.has(value)
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#values.values()
  }

  toJSON(): string[] {
    return [...this.#values]
  }

  [inspect.custom](): string[] {
    return [...this.#values]
  }
}
