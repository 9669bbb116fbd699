import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
/** A folder with keys and certificates, made by openssl; one key serves all that are no authorities. */
export function pki() {
    const folder = mkdtempSync(join(tmpdir(), 'bulwark-pki-'));
    let files = 0;
    const file = (end) => join(folder, `${(files += 1)}.${end}`);
    const openssl = (...args) => {
        execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    };
    const newKey = () => {
        const key = file('key');
        openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key);
        openssl('pkey', '-in', key, '-pubout', '-out', `${key}.pub`);
        return key;
    };
    const leafKey = newKey();
    const certificate = (wanted, key, signer) => {
        const { names = [], subject = '/CN=anything', ca = false, purpose, days = 1 } = wanted;
        const [out, extensions] = [file('crt'), file('cnf')];
        const lines = [`basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`];
        if (purpose !== undefined)
            lines.push(`extendedKeyUsage=${purpose}`);
        if (names.length > 0)
            lines.push('subjectAltName=@names', '[names]', ...names);
        writeFileSync(extensions, `${lines.join('\n')}\n`);
        const about = [
            '-subj',
            subject,
            '-set_serial',
            String(files),
            '-days',
            String(days),
            '-extfile',
            extensions,
        ];
        openssl('x509', '-new', '-force_pubkey', `${key}.pub`, ...about, ...signer, '-out', out);
        return out;
    };
    const authorityOf = (cert, key) => {
        const signer = ['-CA', cert, '-CAkey', key];
        return {
            cert: readFileSync(cert, 'utf8'),
            key: readFileSync(key, 'utf8'),
            issue: (wanted = {}) => ({
                cert: readFileSync(certificate(wanted, leafKey, signer), 'utf8'),
                key: readFileSync(leafKey, 'utf8'),
            }),
            intermediate: (commonName, wanted = {}) => {
                const ownKey = newKey();
                return authorityOf(certificate({ ca: true, subject: `/CN=${commonName}`, ...wanted }, ownKey, signer), ownKey);
            },
        };
    };
    return {
        authority: (commonName, days = 1) => {
            const key = newKey();
            const about = { ca: true, subject: `/CN=${commonName}`, days };
            return authorityOf(certificate(about, key, ['-signkey', key]), key);
        },
        close: () => {
            rmSync(folder, { recursive: true, force: true });
        },
    };
}
