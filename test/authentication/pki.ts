import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a certificate of a test is to be. */
export interface Wanted {
  /** Lines of OpenSSL's section of alternative names: `DNS.1=orders.internal`. */
  readonly names?: readonly string[]
  readonly subject?: string
  /** Whether it may issue others. @default false */
  readonly ca?: boolean
  /** OpenSSL's words for the extended key usage: `serverAuth`. @default none */
  readonly purpose?: string
  /** 0 is over already. @default 1 */
  readonly days?: number
}

export interface Issued {
  readonly key: string
  readonly cert: string
}

/** An authority, whose certificate is its own or another authority's work. */
export interface Authority extends Issued {
  issue(wanted?: Wanted): Issued
  /** An authority below this one, with a key of its own. */
  intermediate(commonName: string, wanted?: Wanted): Authority
}

export interface Pki {
  authority(commonName: string, days?: number): Authority
  close(): void
}

/** A folder with keys and certificates, made by openssl; one key serves all that are no authorities. */
export function pki(): Pki {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-pki-'))
  let files = 0
  const file = (end: string): string => join(folder, `${(files += 1)}.${end}`)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  }
  const newKey = (): string => {
    const key = file('key')
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key)
    openssl('pkey', '-in', key, '-pubout', '-out', `${key}.pub`)
    return key
  }
  const leafKey = newKey()

  const certificate = (wanted: Wanted, key: string, signer: readonly string[]): string => {
    const { names = [], subject = '/CN=anything', ca = false, purpose, days = 1 } = wanted
    const [out, extensions] = [file('crt'), file('cnf')]
    const lines = [`basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`]
    if (purpose !== undefined) lines.push(`extendedKeyUsage=${purpose}`)
    if (names.length > 0) lines.push('subjectAltName=@names', '[names]', ...names)
    writeFileSync(extensions, `${lines.join('\n')}\n`)
    const about = [
      '-subj',
      subject,
      '-set_serial',
      String(files),
      '-days',
      String(days),
      '-extfile',
      extensions,
    ]
    openssl('x509', '-new', '-force_pubkey', `${key}.pub`, ...about, ...signer, '-out', out)
    return out
  }

  const authorityOf = (cert: string, key: string): Authority => {
    const signer = ['-CA', cert, '-CAkey', key]
    return {
      cert: readFileSync(cert, 'utf8'),
      key: readFileSync(key, 'utf8'),
      issue: (wanted = {}) => ({
        cert: readFileSync(certificate(wanted, leafKey, signer), 'utf8'),
        key: readFileSync(leafKey, 'utf8'),
      }),
      intermediate: (commonName, wanted = {}) => {
        const ownKey = newKey()
        return authorityOf(
          certificate({ ca: true, subject: `/CN=${commonName}`, ...wanted }, ownKey, signer),
          ownKey,
        )
      },
    }
  }

  return {
    authority: (commonName, days = 1) => {
      const key = newKey()
      const about: Wanted = { ca: true, subject: `/CN=${commonName}`, days }
      return authorityOf(certificate(about, key, ['-signkey', key]), key)
    },
    close: () => {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
