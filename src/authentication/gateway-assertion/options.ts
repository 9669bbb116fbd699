import type { Binding } from './binding.js'
import type { Secrets } from './secrets.js'

export interface GatewayAssertionOptions {
  /** Name of the header that carries the assertion, in any case. Never one that means something already: `Authorization`. */
  readonly header: string
  /** The gateway, exactly as it stands in the `iss` (Issuer) claim. */
  readonly issuer: string
  /** This service, as it stands in the `aud` (Audience) claim: one name, or several of which one must be named. @default not checked */
  readonly audience?: string | readonly string[]
  /** The gateway's public keys (RFC 7517 section 5). One of `jwks`, `jwksUri` and `secrets`. */
  readonly jwks?: { readonly keys: readonly object[] }
  /** Address of the gateway's public keys. https, or http to a loopback host. */
  readonly jwksUri?: string
  /**
   * Secrets that the gateway signs with (HS256), 32 drawn bytes or more each, up to ten that are live; or a function that
   * returns them, called for each assertion. Whoever has one can be the gateway: give it to no other service.
   */
  readonly secrets?: Secrets | (() => Secrets)
  /** Algorithms that are accepted with `jwks` and `jwksUri`. @default ES256, EdDSA, Ed25519 */
  readonly algorithms?: readonly string[]
  /** The `typ` (Type) header that an assertion must have, in any case, with or without `application/`. @default not checked */
  readonly typ?: string
  /** Longest time from `iat` to `exp`, both required, in **seconds**, 1 to 300. @default 60 */
  readonly maxLifetimeSeconds?: number
  /** How far clocks may differ, in **seconds**, 0 to 30. @default 5 */
  readonly clockToleranceSeconds?: number
  /**
   * What an assertion must have been made for: `method` (claim `htm`), `path` (claim `path`: without the query, as it
   * came in here). With an empty list, one assertion serves any request while it lasts. @default both
   */
  readonly boundTo?: readonly Binding[]
}

export interface GoogleIapOptions {
  /** `/projects/NUMBER/global/backendServices/ID` or `/projects/NUMBER/apps/PROJECT`: one, or several of which one must be named. */
  readonly audience: string | readonly string[]
  /** @default 'https://www.gstatic.com/iap/verify/public_key-jwk' */
  readonly jwksUri?: string
}

export interface CloudflareAccessOptions {
  /** Name of the team: `acme` for `https://acme.cloudflareaccess.com`. One of `team` and `issuer`. */
  readonly team?: string
  /** The team's domain as it stands in `iss`, where it is not `https://TEAM.cloudflareaccess.com`. */
  readonly issuer?: string
  /** The application's AUD tag: one, or several of which one must be named. */
  readonly audience: string | readonly string[]
  /**
   * Why nobody reaches this service past Cloudflare. Browsers hold the very same assertion in the cookie
   * `CF_Authorization`: it proves who the user is, and not which way the request came. It stands in the posture.
   */
  readonly reason: string
  /** @default issuer + '/cdn-cgi/access/certs' */
  readonly jwksUri?: string
}

export interface AwsAlbOidcOptions {
  /** AWS region of the load balancer: `eu-west-1`. */
  readonly region: string
  /** ARN of the load balancer, as it stands in `signer`: one, or several of which one must have signed. */
  readonly loadBalancerArn: string | readonly string[]
  /** Client id of the load balancer at its identity provider, as it stands in `client`. */
  readonly clientId: string
  /** Identity provider, as it stands in `iss`. @default not checked */
  readonly issuer?: string
  /** Address that keys are fetched from, without the `kid`; other for GovCloud and China. @default 'https://public-keys.auth.elb.REGION.amazonaws.com' */
  readonly keysUrl?: string
  /** How far clocks may differ, in **seconds**, 0 to 30. @default 5 */
  readonly clockToleranceSeconds?: number
}
