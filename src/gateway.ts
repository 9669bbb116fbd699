export {
  gateway,
  type Gateway,
  type GatewayOptions,
  type Profile,
  type ProvenBy,
} from './transport/gateway.js'
export { apache, type ApacheOptions } from './transport/gateway/profiles/apache.js'
export { awsAlb, type AwsAlbOptions } from './transport/gateway/profiles/aws-alb.js'
export { caddy, type CaddyOptions } from './transport/gateway/profiles/caddy.js'
export type { CertificateMode } from './transport/gateway/profiles/certificate-mode.js'
export { cloudfront, type CloudfrontOptions } from './transport/gateway/profiles/cloudfront.js'
export { envoy, type EnvoyOptions } from './transport/gateway/profiles/envoy.js'
export { haproxy, type HaproxyOptions } from './transport/gateway/profiles/haproxy.js'
export { nginx, type NginxOptions } from './transport/gateway/profiles/nginx.js'
export { rfc9440, type Rfc9440Options } from './transport/gateway/profiles/rfc9440.js'
export { traefik, type TraefikOptions } from './transport/gateway/profiles/traefik.js'
