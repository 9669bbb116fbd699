import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import express from 'express'
import { penalise, problem, publicRoute, validateBody, type Store } from './express-bulwark.js'

export interface Account {
  readonly salt: Buffer
  readonly key: Buffer
}

const credentials = {
  type: 'object',
  required: ['account', 'password'],
  properties: {
    // Something is left of it when it is trimmed.
    account: { type: 'string', pattern: '\\S', maxLength: 100 },
    password: { type: 'string', minLength: 1, maxLength: 200 },
  },
} as const

/** One text for all spellings that the login takes for one account: who is counted is who is looked up. */
const accountOf = (req: IncomingMessage): string => {
  const { account } = (req as express.Request).body as { account: string }
  return account.normalize('NFKC').trim().toLowerCase()
}

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>
const nobody: Account = { salt: randomBytes(16), key: randomBytes(32) }

export function loginRouter(
  find: (account: string) => Promise<Account | undefined>,
  startSession: (account: string, res: express.Response) => void,
  store?: Store,
): express.Router {
  const attempts = penalise({
    name: 'login',
    policies: [
      // One address that tries many accounts.
      { name: 'address', limit: 50, windowSeconds: 900, by: 'address', block: { maxSeconds: 86_400 } },
      // One account that is tried from many addresses. No block: it would lock its owner out as well.
      { name: 'account', limit: 20, windowSeconds: 900, by: accountOf },
      // One address that tries one account.
      { name: 'both', limit: 5, windowSeconds: 300, by: ['address', accountOf], block: { maxSeconds: 3600 } },
    ],
    ...(store === undefined ? {} : { store }),
  })

  const router = express.Router()
  router.post(
    '/login',
    publicRoute('login'),
    express.json({ limit: '2kb' }),
    validateBody(credentials),
    attempts,
    (req, res, next) => {
      const account = accountOf(req)
      find(account)
        .then(async (known) => {
          // An account that does not exist takes as long, and is answered alike.
          const { salt, key } = known ?? nobody
          const given = await derive(req.body.password, salt, key.length)
          if (!timingSafeEqual(given, key) || known === undefined)
            throw problem({ status: 401, code: 'login_failed', detail: 'Account or password is wrong.' })
          startSession(account, res)
          res.status(204).end()
        })
        .catch(next)
    },
  )
  return router
}
