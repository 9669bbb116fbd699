// What gateways, load balancers and login proxies write to say where a request came from and who sent it. Whatever is
// not known to come from the configured hop is the caller's word. Exact names, and beginnings of names.
const NAMES = [
  'client-ip',
  'do-connecting-ip',
  'eppn',
  'front-end-https',
  'gap-auth',
  'incap-client-ip',
  'kubeflow-userid',
  'proxy-client-ip',
  'proxy-remote-user',
  'proxy-user',
  'remote-addr',
  'true-client-ip',
  'wl-proxy-client-ip',
  'x-access-token',
  'x-anonymous-consumer',
  'x-cluster-client-ip',
  'x-email',
  'x-groups',
  'x-host',
  'x-https',
  'x-id-token',
  'x-nf-client-connection-ip',
  'x-original-host',
  'x-proxy-user',
  'x-proxyuser-ip',
  'x-roles',
  'x-scheme',
  'x-sucuri-clientip',
  'x-token-subject',
  'x-url-scheme',
]

const BEGINNINGS = [
  'akamai-',
  'cf-',
  'client-cert',
  'cloudfront-',
  'fastly-',
  'fly-',
  'forwarded',
  'impersonate-',
  'iv-',
  'oam-',
  'oidc-',
  'remote-user',
  'remote-group',
  'remote-email',
  'remote-name',
  'shib-',
  // SiteMinder.
  'sm-',
  'ssl-client-',
  'tailscale-',
  'x-akamai-',
  // All but the id of a trace.
  'x-amzn-(?!trace-id$)',
  'x-apigateway-',
  'x-appengine-',
  'x-arr-',
  'x-auth',
  'x-azure-',
  'x-cert-',
  'x-client-',
  'x-consumer-',
  'x-credential-',
  'x-endpoint-api-',
  'x-envoy-',
  'x-forward',
  'x-goog-authenticated-user-',
  'x-goog-iap-',
  'x-istio-',
  'x-jwt-',
  'x-ms-client-principal',
  'x-ms-token-',
  'x-mtls-',
  'x-original-',
  'x-pomerium-',
  'x-real-ip',
  'x-remote-',
  'x-rewrite-',
  'x-spiffe-',
  'x-ssl-',
  'x-tls-',
  'x-user',
  'x-verified-',
  'x-vercel-',
  'x-vouch-',
  'x-webauth-',
]

const KNOWN = new RegExp(`^(?:(?:${NAMES.join('|')})$|${BEGINNINGS.join('|')})`)

/**
 * The name under which servers of other kinds would find a header: CGI, and many a framework, take `X_User_Id` and
 * `X.User.Id` for `X-User-Id`.
 */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9-]/g, '-')
}

/** Whether a header, by its canonical name, is one that some gateway writes to tell of the caller. */
export function isKnownHeader(canonical: string): boolean {
  return KNOWN.test(canonical)
}
