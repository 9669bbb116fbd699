import type { HopProof } from '../../core/hop-proof.js'
import { checkOptions, integer, misuse, required, text } from '../../core/options.js'
import { awsAlbAssertion } from './alb-assertion.js'
import { assertionProof } from './assertion-proof.js'
import type { AwsAlbOidcOptions } from './options.js'
import { plainSecureUrl } from '../../core/remote-json.js'
import { listed, names } from './rules.js'

/**
 * Proves a hop by what an AWS Application Load Balancer says of a user whom it authenticated (`x-amzn-oidc-data`):
 * ES256, signed by this load balancer for this client, not expired.
 *
 * Keys are fetched one by one, each when an assertion first names it. What the load balancer says beside the assertion,
 * unsigned (`x-amzn-oidc-identity`, `x-amzn-oidc-accesstoken`), is removed.
 *
 * **Not checked:** whether the assertion was seen before; which method and path it was made for, for it does not say.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. Source: AWS, "Authenticate users using an Application
 * Load Balancer".
 */
export function awsAlbOidc(options: AwsAlbOidcOptions): HopProof {
  const me = 'awsAlbOidc'
  checkOptions(me, options, {
    region: required({
      says: 'an AWS region, such as "eu-west-1"',
      holds: (value) => typeof value === 'string' && /^[a-z]{2}(?:-[a-z]{1,20}){1,3}-\d{1,2}$/.test(value),
    }),
    loadBalancerArn: required(names),
    clientId: required(text()),
    issuer: text(),
    keysUrl: plainSecureUrl,
    clockToleranceSeconds: integer(0, 30, 'seconds'),
  })
  const { region, keysUrl } = options
  const signers = listed(options.loadBalancerArn)
  const arn = new RegExp(
    `^arn:aws[a-z-]*:elasticloadbalancing:${region}:\\d{12}:loadbalancer/app/[\\w-]+/[0-9a-f]+$`,
  )
  for (const signer of signers) {
    if (!arn.test(signer))
      throw misuse(me, 'loadBalancerArn', `the ARN of an Application Load Balancer in ${region}`, signer)
  }
  return assertionProof(
    awsAlbAssertion({
      signers,
      client: options.clientId,
      issuer: options.issuer,
      address: (keysUrl ?? `https://public-keys.auth.elb.${region}.amazonaws.com`).replace(/\/$/, ''),
      clockToleranceSeconds: options.clockToleranceSeconds ?? 5,
    }),
  )
}
