import type { KeyObject } from 'node:crypto'
import type { SharedStore } from '../../core/ports.js'
import type { PrincipalMapping } from '../jwt-verifier/principal-mapping.js'

/** A value, or a function that is called for each request to the server: what is rotated elsewhere is current here. */
export type Rotating<T> = T | (() => T | Promise<T>)

/** Authenticates this service by a secret that it shares with the authorization server (RFC 6749 section 2.3.1). */
export interface SecretClient {
  readonly id: string
  readonly secret: Rotating<string>
  /** In the Authorization header, or in the form. @default 'basic' */
  readonly authentication?: 'basic' | 'post'
}

/** Authenticates this service by a signature (RFC 7523 section 2.2, OpenID Connect Core section 9). */
export interface KeyClient {
  readonly id: string
  readonly authentication: 'private_key_jwt'
  /** A private key: a `KeyObject`, or a JWK. */
  readonly privateKey: Rotating<KeyObject | Readonly<Record<string, unknown>>>
  /** Asymmetric: `ES256`, `PS256`, `RS256`, `EdDSA` and their like. */
  readonly algorithm: string
  /** The `kid` in the assertion's header. @default the JWK's own, if it has one */
  readonly keyId?: string
  /** The `aud` of the assertion. @default the issuer */
  readonly assertionAudience?: string
}

export type IntrospectionClient = SecretClient | KeyClient

export interface IntrospectionCacheOptions {
  /** Longest time that an answer about a good token is believed, in **seconds**, 1 to 60. @default 10 */
  readonly maxSeconds?: number
  /** Answers about good tokens that are remembered, 2 to 1000000. @default 10000 */
  readonly maxEntries?: number
  /** Room for them, in **bytes**, 65536 to 1 GiB. @default 33554432 (32 MiB) */
  readonly maxBytes?: number
  /** As `maxSeconds`, of a token that is refused; 0 to 60, 0 for never. @default 10 */
  readonly refusedSeconds?: number
  /** Refused tokens that are remembered, 1 to 10000. @default 1000 */
  readonly maxRefusedEntries?: number
}

export interface IntrospectionVerifierOptions {
  /**
   * Identifier of the authorization server: the issuer of every principal, and what `iss` must be where an answer has
   * it. Without `endpoint` its metadata is asked for the address: it must then be an https URL.
   */
  readonly issuer: string
  /** Address of the introspection endpoint, where the metadata is not to be asked. https, or http to a loopback host. */
  readonly endpoint?: string
  /** This service, as `jwtVerifier` has it: a name, several, or `{ claim: 'client_id', value }` where there is no `aud`. */
  readonly audience: string | readonly string[] | { readonly claim: string; readonly value: string }
  /** By what this service authenticates to the endpoint. */
  readonly client: IntrospectionClient
  /** Longest wait for an answer, in **milliseconds**, 100 to 30000; and longest wait for a turn to ask. @default 5000 */
  readonly timeoutMs?: number
  /** Requests to the endpoint at one time, 1 to 1000. @default 32 */
  readonly maxConcurrent?: number
  /** Tokens that wait for their turn, 0 to 100000; further ones get 503. @default 256 */
  readonly maxWaiting?: number
  /** What is remembered of answers, or `false` for nothing. */
  readonly cache?: false | IntrospectionCacheOptions
  /** Shares answers about good tokens with other instances. @default the memory of this process */
  readonly store?: SharedStore
  /** Where scopes, roles and the kind of caller are found in an answer. */
  readonly principal?: PrincipalMapping
  /** Members that an answer must have, beside `active` and the audience: `['exp']`. */
  readonly requiredClaims?: readonly string[]
  /** How far clocks may differ, in **seconds**, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** `opaque` leaves everything in the form of a JWT to another verifier. @default 'any' */
  readonly tokens?: 'any' | 'opaque'
  /**
   * What becomes of a token without `sub`, as some servers describe those of the client credentials grant: refused, or
   * taken to be its client's (`client_id`), a service. @default 'refused'
   */
  readonly withoutSubject?: 'refused' | 'client'
}
