const PARSES_BODY = /\bread\(req, res, next, (?:parse|passthrough), debug,/
const BODY_PARSERS = new Set(['jsonParser', 'urlencodedParser', 'rawParser', 'textParser'])

/** Companions of Express that pass requests on: the name of each, and what only its own source says. */
const KNOWN: ReadonlyMap<string, RegExp> = new Map([
  ...[...BODY_PARSERS].map((name) => [name, PARSES_BODY] as const),
  ['compression', /\b_end = res\.end\b/],
  ['cookieParser', /\breq\.signedCookies = Object\.create\(null\)/],
  ['corsMiddleware', /\boptionsCallback\(req, function ?\(err, options\)/],
  ['helmetMiddleware', /\bmiddlewareFunctions\[\w+\]/],
])

/** As above, of others that also write files or change the method: no matter of course before authentication. */
const PASSING_ON: ReadonlyMap<string, RegExp> = new Map([
  ...KNOWN,
  ['methodOverride', /\breq\.originalMethod = req\.originalMethod \|\| req\.method\b/],
  ['multerMiddleware', /\bif \(!is\(req, \['multipart'\]\)\) return next\(\)/],
  ['responseTime', /\bonHeaders\(res,/],
])

/** Whether a function is one that passes requests on, by its name and by its source. A name alone proves nothing. */
export function isKnownHandler(handle: unknown): boolean {
  return isAmong(KNOWN, handle)
}

/** As above, among those too that do more. */
export function passesOn(handle: unknown): boolean {
  return isAmong(PASSING_ON, handle)
}

function isAmong(handlers: ReadonlyMap<string, RegExp>, handle: unknown): boolean {
  return handlers.get(nameOf(handle) ?? '')?.test(sourceOf(handle)) ?? false
}

export function isNamedLikeBodyParser(handle: unknown): boolean {
  return BODY_PARSERS.has(nameOf(handle) ?? '')
}

/** Whether a function is one of body-parser's, by its name and by what it ends with. */
export function isBodyParser(handle: unknown): boolean {
  return isNamedLikeBodyParser(handle) && isKnownHandler(handle)
}

/** Whether a function is seen to change where a request goes: what stood before it looked at another path. */
export function rewritesUrl(handle: unknown): boolean {
  return /(?:\.url|\[['"`]url['"`]\])\s*[-+*/%&|^?<>]{0,3}=(?![=>])/.test(sourceOf(handle))
}

export function nameOf(handle: unknown): string | undefined {
  const name: unknown = typeof handle === 'function' ? handle.name : undefined
  return typeof name === 'string' && name !== '' ? name : undefined
}

const sources = new WeakMap<object, string>()

function sourceOf(handle: unknown): string {
  if (typeof handle !== 'function') return ''
  const known = sources.get(handle)
  if (known !== undefined) return known
  const source = Function.prototype.toString.call(handle)
  sources.set(handle, source)
  return source
}
