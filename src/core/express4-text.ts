interface Key {
  readonly name: string | number
}

interface Token {
  readonly form: RegExp
  readonly textOf: (match: RegExpExecArray, name: string) => string
  readonly isKey: boolean
  readonly isLast?: boolean
}

// What path-to-regexp 0.1 compiles the parts of a template to. Anything else is a pattern, whatever it looks like.
const TOKENS: readonly Token[] = [
  { form: /\\\/\(\.\*\)(?![?*+{])/y, textOf: () => '/*', isKey: true },
  {
    form: /\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)(?![?*+{])/y,
    textOf: (_match, name) => `/:${name}`,
    isKey: true,
  },
  {
    form: /\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)\?$/y,
    textOf: (_match, name) => `/:${name}?`,
    isKey: true,
    isLast: true,
  },
  {
    form: /\(\?:\\\/\(((?:\\[dw]|[\w|+,{}-])*)\)\)(?![?*+{])/y,
    textOf: (match, name) => `/:${name}(${match[1] ?? ''})`,
    isKey: true,
  },
  { form: /\\([/.])(?![?*+{])/y, textOf: (match) => match[1] as string, isKey: false },
  // Not a colon either: what is plain text here would read as a parameter.
  { form: /[^\\^$*+?.()[\]{}|:](?![?*+{])/y, textOf: (match) => match[0], isKey: false },
]

/** What follows a template of `use`, which takes the beginning of a path: an expression that ends otherwise takes less. */
const MOUNT_ENDS = ['\\/?(?=\\/|$)']
/** What follows a template of a route; the second with strict routing. */
const ROUTE_ENDS = ['\\/?$', '$']

/**
 * Express 4 keeps only what it compiled of a path; this reads the templates back out of it, one for each path of a list,
 * and `undefined` where the expression is not exactly what one of them compiles to.
 */
export function express4Texts(
  regexp: RegExp & { readonly fast_star?: boolean },
  keys: readonly Key[],
  isRoute: boolean,
): readonly string[] | undefined {
  if (regexp.fast_star === true) return ['*']
  if (regexp.flags !== '' && regexp.flags !== 'i') return undefined
  if (!regexp.source.startsWith('^')) return undefined
  const names = keys.map(({ name }) => String(name))
  const texts: string[] = []
  for (const piece of regexp.source.slice(1).split('|^')) {
    const text = templateOf(piece, names, isRoute ? ROUTE_ENDS : MOUNT_ENDS)
    if (text === undefined) return undefined
    texts.push(text)
  }
  return texts
}

function templateOf(piece: string, names: string[], ends: readonly string[]): string | undefined {
  const end = ends.find((candidate) => piece.endsWith(candidate))
  if (end === undefined) return undefined
  const core = piece.slice(0, -end.length)
  let text = ''
  let at = 0
  while (at < core.length) {
    const found = tokenAt(core, at)
    if (found === undefined) return undefined
    text += found.token.textOf(found.match, found.token.isKey ? (names.shift() ?? 'param') : '')
    at += found.match[0].length
  }
  return text
}

function tokenAt(core: string, at: number): { token: Token; match: RegExpExecArray } | undefined {
  for (const token of TOKENS) {
    token.form.lastIndex = at
    const match = token.form.exec(core)
    if (match !== null) return { token, match }
  }
  return undefined
}
