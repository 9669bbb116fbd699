/** A header value that is not of its format. Its message says what is wrong, and never holds anything of the value. */
export class MalformedValue extends Error {
  override readonly name = 'MalformedValue'
}
