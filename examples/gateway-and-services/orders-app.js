import { billingClient } from './billing-client.js'
import { createOrders } from './orders.js'
import { authorityOf, credentialOf, edgeSecretOf } from './pki.js'
import { tokenSource } from './tokens.js'

// The service as it is deployed, and as `npx express-bulwark audit orders-app.js` looks at it.
const { TLS, ISSUER = 'https://id.example', CLIENT_SECRET = '', GATEWAY = 'nginx' } = process.env
const { BILLING_HOST = 'billing.internal', BILLING_PORT = '9443' } = process.env
const BILLING = 'https://billing.example'

const tokenFor = tokenSource({ issuer: ISSUER, client: { id: 'orders', secret: CLIENT_SECRET } })
const billing = billingClient({
  host: BILLING_HOST,
  port: Number(BILLING_PORT),
  credential: credentialOf(TLS, 'orders'),
  authority: authorityOf(TLS, 'internal'),
  token: () => tokenFor(BILLING, 'invoices:write'),
})

export const { app, lifecycle } = createOrders({
  issuer: ISSUER,
  audience: 'https://orders.example',
  kind: GATEWAY,
  partnersAuthority: authorityOf(TLS, 'partners'),
  edgeSecret: edgeSecretOf(TLS),
  createInvoice: billing.createInvoice,
})
