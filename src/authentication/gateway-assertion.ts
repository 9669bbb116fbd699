export { awsAlbOidc } from './gateway-assertion/aws-alb-oidc.js'
export { cloudflareAccess } from './gateway-assertion/cloudflare-access.js'
export { googleIap } from './gateway-assertion/google-iap.js'
export { gatewayAssertion } from './gateway-assertion/own.js'
export type {
  AwsAlbOidcOptions,
  CloudflareAccessOptions,
  GatewayAssertionOptions,
  GoogleIapOptions,
} from './gateway-assertion/options.js'
