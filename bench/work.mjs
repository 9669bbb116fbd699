// The work that every stack does, one issuer that all of them trust, and tokens in any number.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'

export const AUDIENCE = 'https://orders.example'

export const orderSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['customerId', 'currency', 'items', 'shipTo'],
  properties: {
    customerId: { type: 'string', pattern: '^[a-z0-9-]{3,40}$' },
    currency: { type: 'string', enum: ['EUR', 'USD', 'GBP'] },
    reference: { type: 'string', maxLength: 60 },
    express: { type: 'boolean' },
    discount: { type: 'number', minimum: 0, maximum: 100 },
    note: { type: 'string', maxLength: 200 },
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['sku', 'quantity'],
        properties: {
          sku: { type: 'string', maxLength: 40 },
          quantity: { type: 'integer', minimum: 1, maximum: 999 },
          price: { type: 'number', minimum: 0 },
        },
      },
    },
    shipTo: {
      type: 'object',
      additionalProperties: false,
      required: ['line1', 'city', 'country'],
      properties: {
        line1: { type: 'string', maxLength: 100 },
        city: { type: 'string', maxLength: 60 },
        country: { type: 'string', minLength: 2, maxLength: 2 },
      },
    },
  },
}

export const order = {
  customerId: 'cust-0042',
  currency: 'EUR',
  reference: 'po-2024-117',
  express: false,
  discount: 2.5,
  note: 'leave at the door',
  items: [
    { sku: 'A-1', quantity: 2, price: 9.5 },
    { sku: 'B-7', quantity: 1, price: 120 },
  ],
  shipTo: { line1: 'Main street 1', city: 'Graz', country: 'AT' },
}

const KEY_PAIRS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

/** An authorization server on a free loopback port: metadata, one key, and a function that signs access tokens. */
export async function startIssuer(algorithm) {
  const { publicKey, privateKey } = KEY_PAIRS[algorithm]()
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: algorithm, use: 'sig' }
  const documents = {}
  const server = createServer((req, res) => {
    const document = documents[req.url]
    res.statusCode = document === undefined ? 404 : 200
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify(document ?? {}))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${server.address().port}`
  const jwksUri = `${issuer}/jwks`
  documents['/.well-known/openid-configuration'] = { issuer, jwks_uri: jwksUri }
  documents['/jwks'] = { keys: [jwk] }

  const header = encode({ alg: algorithm, kid: 'k1', typ: 'at+jwt' })
  const digest = algorithm === 'EdDSA' ? null : 'sha256'

  function mint(subject, claims = {}) {
    const now = Math.floor(Date.now() / 1000)
    const payload = encode({
      iss: issuer,
      aud: AUDIENCE,
      sub: subject,
      client_id: 'bench',
      scope: 'orders:read orders:write',
      jti: randomUUID(),
      iat: now,
      exp: now + 3600,
      ...claims,
    })
    const signature = sign(digest, Buffer.from(`${header}.${payload}`), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    })
    return `${header}.${payload}.${signature.toString('base64url')}`
  }

  return { issuer, jwksUri, jwk, algorithm, mint, stop: () => server.close() }
}

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
