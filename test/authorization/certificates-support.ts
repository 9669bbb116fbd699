import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Credential {
  readonly key: string
  readonly cert: string
}

export interface Authority {
  readonly cert: string
  /** A certificate with these lines of OpenSSL's section of alternative names, or without any. */
  issue(commonName: string, ...names: readonly string[]): Credential
  close(): void
}

/** A certificate authority of one test, made by openssl. */
export function authority(commonName: string): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-ca-'))
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', `/CN=${commonName}`)
  let number = 0

  return {
    cert: read('ca.crt'),
    issue(name, ...names) {
      number += 1
      const [key, csr, crt, cnf] = ['key', 'csr', 'crt', 'cnf'].map((end) => `${number}.${end}`) as [
        string,
        string,
        string,
        string,
      ]
      const section = names.length === 0 ? '' : `subjectAltName=@names\n[names]\n${names.join('\n')}\n`
      writeFileSync(join(folder, cnf), `basicConstraints=CA:FALSE\n${section}`)
      openssl('req', ...newKey, '-keyout', key, '-out', csr, '-subj', `/CN=${name}`)
      const signer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', String(number)]
      openssl('x509', '-req', '-in', csr, ...signer, '-days', '1', '-extfile', cnf, '-out', crt)
      return { key: read(key), cert: read(crt) }
    },
    close() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
