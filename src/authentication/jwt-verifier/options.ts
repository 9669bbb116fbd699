import type { Mode } from '../../core/decision.js'
import type { StandardSchema } from '../../core/standard-schema.js'
import type { PrincipalMapping } from './principal-mapping.js'

/** A duration that refuses, or in mode `report` only says in the audit record whom it would have refused. */
export interface TighteningOption {
  /** In **seconds**, 1 to a year. */
  readonly seconds: number
  /** @default 'enforce' */
  readonly mode?: Mode
}

export interface JwtVerifierOptions<S extends StandardSchema | undefined = undefined> {
  /**
   * The authorization server, exactly as it stands in the `iss` (Issuer) claim. Without `jwksUri` and `jwks` its
   * metadata is asked for the address of its keys (OpenID Connect Discovery, RFC 8414): it must then be an https URL.
   */
  readonly issuer: string
  /**
   * This service, as it stands in the `aud` (Audience) claim: one name, or several of which one must be named. For
   * issuers that send no `aud`, another claim that names it: `{ claim: 'client_id', value: 'orders' }`.
   */
  readonly audience: string | readonly string[] | { readonly claim: string; readonly value: string }
  /** Address of the key set, where the issuer's metadata is not to be asked. https, or http to a loopback host. */
  readonly jwksUri?: string
  /** The key set itself (RFC 7517 section 5): public keys. Nothing is fetched. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** Signature algorithms that are accepted; asymmetric ones only. @default RS, PS, ES (256, 384, 512), EdDSA, Ed25519 */
  readonly algorithms?: readonly string[]
  /**
   * Token types that are accepted, from the `typ` (Type) header, in any case, with or without `application/`.
   * Where anything but `at+jwt` is accepted, ID and logout tokens are still refused, by their shape.
   * @default 'at+jwt'
   */
  readonly typ?:
    string | readonly string[] | { readonly value: string | readonly string[]; readonly mode?: Mode }
  /** How far clocks may differ, in **seconds**, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** Longest time since the `iat` (Issued At) claim, in **seconds**, 1 to a year. Makes `iat` required. */
  readonly maxTokenAgeSeconds?: number
  /** As `maxTokenAgeSeconds`, with a mode. */
  readonly maxTokenAge?: TighteningOption
  /** Longest time from `iat` to `exp`, in **seconds**, 1 to a year. Makes `iat` required. */
  readonly maxTokenLifetimeSeconds?: number
  /** As `maxTokenLifetimeSeconds`, with a mode. */
  readonly maxTokenLifetime?: TighteningOption
  /** Claims that must be there and not be empty, beside `iss`, `sub`, `exp` and the audience, which always must. */
  readonly requiredClaims?: readonly string[]
  /** Where scopes, roles and the kind of caller are found in the claims. */
  readonly principal?: PrincipalMapping
  /** A Standard Schema (zod, valibot and others) for the claims; its output becomes `principal.claims`, typed. */
  readonly claims?: S
  /** Longest wait for the key server, metadata and keys together, in **milliseconds**, 100 to 30000. @default 5000 */
  readonly jwksTimeoutMs?: number
  /** After a load, how long an unknown `kid` is taken as unknown, in **milliseconds**, 1 s to 1 h. @default 30000 */
  readonly jwksCooldownMs?: number
  /** Age at which keys are refreshed in the background, in **milliseconds**, 1 s to 24 h. @default 600000 */
  readonly jwksMaxAgeMs?: number
  /** How long past that age the last good keys serve while the server is out, in **milliseconds**, 0 to 24 h. @default 3600000 */
  readonly jwksStaleMs?: number
  /**
   * Bounds of the memory of verified tokens, or `false` for none: 2 to 1000000 entries, 65536 **bytes** to 1 GiB.
   * @default 10000 entries, 32 MiB
   */
  readonly verifiedTokens?: false | { readonly maxEntries?: number; readonly maxBytes?: number }
}
