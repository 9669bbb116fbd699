// What is known of a principal's claims. Compiled with the types of Express 5 and of Express 4.
import express from 'express'
import { z } from 'zod'
import {
  authenticate,
  optionalPrincipalOf,
  principalOf,
  type Claims,
  type Principal,
} from '../../src/index.js'
import { proves, typeOf, type Same } from './support.js'

const app = express()
const base = { issuer: 'https://id.example', audience: 'https://orders.example' }

// Claims are typed by a schema that is also checked, and by nothing else.
const auth = authenticate({ ...base, claims: z.object({ tenant: z.string() }) })
app.get('/orders/:id', auth, (req) => {
  const principal = auth.principalOf(req)
  typeOf(principal).is<Principal<{ tenant: string }>>()
  typeOf(principal.claims.tenant).is<string>()
  typeOf(req.params).is<{ id: string }>()
})

const plain = authenticate(base)
app.get('/orders/:id', plain, (req) => {
  proves<Same<ReturnType<typeof plain.principalOf>['claims'], Claims>>()
  proves<Same<ReturnType<typeof plain.principalOf>['claims']['tenant'], unknown>>()
  typeOf(req.params).is<{ id: string }>()
})

export function controller(req: object): Principal {
  // @ts-expect-error -- a type parameter would be a cast that nobody checks
  void principalOf<{ tenant: string }>(req)
  // @ts-expect-error -- likewise
  void optionalPrincipalOf<{ tenant: string }>(req)
  proves<Same<ReturnType<typeof optionalPrincipalOf>, Principal | undefined>>()
  return principalOf(req)
}

export async function upgrade(req: Parameters<typeof auth.verifyRequest>[0]): Promise<string> {
  return (await auth.verifyRequest(req)).claims.tenant
}
