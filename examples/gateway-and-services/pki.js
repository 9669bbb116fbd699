import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Two authorities that know nothing of each other. `internal` says who is what inside: the gateway, and each service.
 * `partners` says who may come from outside with a certificate. No name of one is ever issued by the other.
 */
const AUTHORITIES = {
  internal: {
    gateway: ['DNS:api.example', 'DNS:localhost', 'IP:127.0.0.1'],
    edge: ['DNS:edge.internal'],
    orders: ['DNS:orders.internal'],
    billing: ['DNS:billing.internal'],
  },
  partners: { warehouse: ['DNS:warehouse.partner.example'] },
  // For the demo: an authority that nobody here has heard of, with a partner's name.
  strangers: { stranger: ['DNS:warehouse.partner.example'] },
}
const DAYS = 7

/**
 * Makes them all with openssl, as `<name>.crt`, `<name>.key` and `<name>.pem` (both in one, for HAProxy); and
 * `edge.secret`, which the gateway shares with the services.
 *
 * For trying things out: in your organisation keys are made where they are used, and leave it never.
 *
 * @param {string} [folder] a new one for this user only by default
 */
export function makePki(folder = mkdtempSync(join(tmpdir(), 'gateway-and-services-'))) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

  for (const [authority, holders] of Object.entries(AUTHORITIES)) {
    const ca = `${authority}-ca`
    openssl('req', '-x509', ...newKey, '-days', `${DAYS}`, '-subj', `/CN=${authority}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`) // prettier-ignore
    for (const [name, names] of Object.entries(holders)) {
      writeFileSync(join(folder, `${name}.ext`), extensions(names))
      openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
      openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', `${DAYS}`, '-extfile', `${name}.ext`, '-out', `${name}.crt`) // prettier-ignore
      writeFileSync(join(folder, `${name}.pem`), read(folder, `${name}.crt`) + read(folder, `${name}.key`), { mode: 0o600 }) // prettier-ignore
    }
  }
  writeFileSync(join(folder, 'edge.secret'), randomBytes(32).toString('base64url'), { mode: 0o600 })
  return folder
}

/** Certificate and key of one holder, as `node:https` takes them. */
export function credentialOf(folder, name) {
  return { cert: read(folder, `${name}.crt`), key: read(folder, `${name}.key`) }
}

export function authorityOf(folder, authority) {
  return read(folder, `${authority}-ca.crt`)
}

/** What the gateway writes into X-Edge-Secret. In your services: from the place where secrets are kept. */
export function edgeSecretOf(folder) {
  return read(folder, 'edge.secret')
}

function extensions(names) {
  return [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth,clientAuth',
    `subjectAltName=${names.join(',')}`,
    '',
  ].join('\n')
}

function read(folder, file) {
  if (!folder) throw new Error('TLS is missing: the folder that "node pki.js <folder>" makes')
  return readFileSync(join(folder, file), 'utf8')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(makePki(process.argv[2]))
