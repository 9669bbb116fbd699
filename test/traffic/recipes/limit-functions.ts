import type { IncomingMessage } from 'node:http'
import express from 'express'
import { inputOf, rateLimit, requireClaims, validateBody, type RequestContext } from './express-bulwark.js'

const daily = new Map([
  ['free', 1000],
  ['pro', 50_000],
])

/** The plan stands in the token. Who has none, or one that nobody knows, has the smallest. */
const quotaOf = (_req: IncomingMessage, { principal }: RequestContext): number =>
  daily.get(String(principal?.claims['plan'])) ?? 1000

/** A claim of another name than `tenant`. Another issuer's company is another one. No text is nobody to count: 500. */
const companyOf = (_req: IncomingMessage, { principal }: RequestContext): string => {
  if (principal === undefined) return ''
  const { company } = principal.claims
  return typeof company === 'string' ? JSON.stringify([principal.issuer, company]) : ''
}

const search = validateBody({
  type: 'object',
  required: ['terms'],
  properties: { terms: { type: 'array', maxItems: 20, items: { type: 'string', maxLength: 100 } } },
} as const)

/** A point for each term of the body that `search` has accepted. 0 is no cost: one at least. */
const costOf = (req: IncomingMessage): number => Math.max(1, inputOf(req, search).terms.length)

/** For callers that `authenticate` or `principalFrom` knows by now. */
export function searchRouter(find: (terms: readonly string[]) => unknown): express.Router {
  const router = express.Router()
  router.post(
    '/search',
    // 403 for a caller without the claim, where the limit would answer 500.
    requireClaims({ company: (value) => typeof value === 'string' && value !== '' }),
    express.json(),
    search,
    rateLimit({
      policies: [
        { name: 'plan', limit: quotaOf, period: 'day', by: 'principal' },
        { name: 'company', limit: 100, windowSeconds: 60, by: companyOf, cost: costOf },
      ],
    }),
    (req, res) => {
      res.json(find(req.body.terms))
    },
  )
  return router
}
