import { withParameters } from '../../core/challenge.js'
import type { WritableContext } from '../../core/context.js'
import { SecurityProblem, isSecurityProblem } from '../../core/problem.js'
import { CERTIFICATE } from './credentials.js'
import type { Settings } from './settings.js'

/** The challenges of one `authenticate` (RFC 9110 section 11.6.1), and what each refusal says of them. */
export class Challenges {
  /** By lower-case scheme or header: `bearer`, `dpop`, `x-api-key`, `certificate`. */
  readonly #byScheme = new Map<string, string>()
  /** What stands for each of them in an answer: `Bearer`. */
  readonly #schemes: ReadonlyMap<string, string>
  readonly #all: readonly string[]

  constructor({ verifiers, dpop, resourceMetadata }: Settings) {
    const parameters: Record<string, string> =
      resourceMetadata === undefined ? {} : { resource_metadata: resourceMetadata }
    for (const verifier of verifiers) {
      const { challenge, header } = verifier
      const key = verifier.recognises(CERTIFICATE)
        ? CERTIFICATE.scheme
        : (header ?? schemeIn(challenge).toLowerCase())
      if (!this.#byScheme.has(key)) this.#byScheme.set(key, withParameters(challenge, parameters))
    }
    if (dpop !== undefined) this.#byScheme.set('dpop', withParameters(dpop.challenge, parameters))
    this.#schemes = new Map([...this.#byScheme].map(([scheme, challenge]) => [scheme, schemeIn(challenge)]))
    this.#all = [...new Set(this.#byScheme.values())]
  }

  announce(context: WritableContext): void {
    for (const challenge of this.#all) context.addChallenge(challenge)
  }

  /** Scheme as it stands in its challenge. */
  schemeOf(scheme: string): string | undefined {
    return this.#schemes.get(scheme)
  }

  /**
   * Throws what was thrown, with its challenge: every scheme that is accepted where no credential was recognised; else
   * the one that was used, with the error's code and never a word about why.
   */
  refuse(cause: unknown, scheme: string | undefined): never {
    if (!isSecurityProblem(cause) || (cause.status !== 401 && cause.status !== 400)) throw cause
    const { reason, status, code, title, detail, type, members, headers, evidence } = cause
    throw new SecurityProblem(reason, {
      ...{ status, code, title, detail, type, members },
      headers: { ...headers, 'www-authenticate': this.#challengeFor(cause, scheme) },
      ...(evidence === undefined ? {} : { evidence }),
      cause: cause.cause,
    })
  }

  #challengeFor({ reason, code }: SecurityProblem, scheme: string | undefined): string {
    if (code === 'unauthorized') return this.#all.join(', ')
    // RFC 9449 section 7.2: whoever sends a bound token as Bearer learns which scheme it needs.
    const used = reason === 'bound_token_as_bearer' ? 'dpop' : (scheme ?? 'bearer')
    return withParameters(this.#byScheme.get(used) ?? this.#all[0] ?? 'Bearer', { error: code })
  }
}

function schemeIn(challenge: string): string {
  return challenge.split(' ', 1)[0] ?? challenge
}
