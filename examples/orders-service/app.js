import { createService } from './service.js'
import { storeAt } from './store.js'

// The service as it is deployed, and as `npx express-bulwark audit app.js` looks at it.
const {
  ISSUER = 'https://id.example',
  AUDIENCE = 'https://orders.example',
  PROXIES = '1',
  REDIS_URL,
  INSTANCES = '1',
} = process.env
const { store } = await storeAt(REDIS_URL)

export const { app, lifecycle } = createService({
  issuer: ISSUER,
  audience: AUDIENCE,
  proxies: Number(PROXIES),
  store,
  instances: Number(INSTANCES),
})
