import { createBilling } from './billing.js'
import { authorityOf, edgeSecretOf } from './pki.js'

// The service as it is deployed, and as `npx express-bulwark audit billing-app.js` looks at it.
const { TLS, ISSUER = 'https://id.example', GATEWAY = 'nginx' } = process.env

export const { app, lifecycle } = createBilling({
  issuer: ISSUER,
  audience: 'https://billing.example',
  kind: GATEWAY,
  partnersAuthority: authorityOf(TLS, 'partners'),
  edgeSecret: edgeSecretOf(TLS),
})
