import { createService } from './service.js'

// The service as it is deployed, and as `npx express-bulwark audit app.js` looks at it.
const { ISSUER = 'https://id.example', AUDIENCE = 'https://orders.example', PROXIES = '1' } = process.env

export const { app, lifecycle } = createService({
  issuer: ISSUER,
  audience: AUDIENCE,
  proxies: Number(PROXIES),
})
