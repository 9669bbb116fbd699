import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { certificateThumbprint } from '../../src/core/client-certificate.js'
import { holder, type Holder } from '../authentication/dpop-client.js'
import type { Issued } from '../authentication/pki.js'
import type { Answer } from '../support/journey-caller.js'
import {
  FORMS,
  ORIGIN,
  world,
  type Carried,
  type Form,
  type Hop,
  type World,
} from '../support/journey-world.js'
import { describeWith, program } from '../support/requirements.js'

const HOPS: readonly Hop[] = ['nginx', 'haproxy']
const EVERY = HOPS.flatMap((hop) => FORMS.map((form) => [hop, form] as const))
const VERIFIED_BY = { jwt: 'jwt', opaque: 'introspection' } as const
/** What a caller may try who wants to be somewhere else. */
const ELSEWHERE = { host: 'evil.test', 'x-forwarded-host': 'evil.test' }

const needed = ['openssl', 'nginx', 'haproxy'].map((name) => program(name, name))

describeWith(
  needed.find(({ met }) => !met) ?? program('node', 'nodejs'),
  'real tokens of every kind, through a real nginx and a real HAProxy',
  () => {
    let all: World
    let key: Holder

    beforeAll(async () => {
      all = await world()
      key = holder()
    }, 30_000)
    afterAll(() => all.end())

    const through = (hop: Hop, carried?: Carried): Promise<Answer> => all.through(hop, carried)
    const free = (form: Form): Promise<string> => all.server.token(form)
    const boundToKey = (form: Form): Promise<string> =>
      all.server.token(form, { proof: (htu) => key.proof('', { htm: 'POST', htu, ath: undefined }) })
    const boundToCertificate = (form: Form): Promise<string> =>
      all.server.token(`${form}-certificate`, { credential: all.member })

    /** The status, and why it was refused: what the caller is not told. */
    async function outcome(asked: Promise<Answer>): Promise<string> {
      const earlier = all.records.kept.length
      const { status } = await asked
      const refused = all.records.kept.slice(earlier).find(({ record }) => record.event?.reason !== undefined)
      const words = [status, refused?.record.event.reason, refused?.record.evidence?.mismatch]
      return words.filter((word) => word !== undefined).join(' ')
    }

    describe('accepts', () => {
      const accepted = (hop: Hop, subject: string, authenticatedBy: string) => ({
        status: 200,
        body: { subject, authenticatedBy, provenHop: hop, address: '127.0.0.1', protocol: 'https' },
      })

      it.each(EVERY)('through %s a token: %s', async (hop, form) => {
        const answer = await through(hop, { token: await free(form) })
        expect(answer).toMatchObject(accepted(hop, form, VERIFIED_BY[form]))
      })

      it.each(EVERY)('through %s one that is bound to a key, with its proof: %s', async (hop, form) => {
        const token = await boundToKey(form)
        const answer = await through(hop, { token, scheme: 'DPoP', proof: key.proof(token) })
        expect(answer).toMatchObject(accepted(hop, form, VERIFIED_BY[form]))
      })

      it.each(EVERY)('through %s one that is bound to a certificate, with it: %s', async (hop, form) => {
        const answer = await through(hop, { token: await boundToCertificate(form), credential: all.member })
        expect(answer).toMatchObject(accepted(hop, `${form}-certificate`, VERIFIED_BY[form]))
      })

      it.each(HOPS)('through %s an API key', async (hop) => {
        const answer = await through(hop, { headers: { 'x-api-key': all.apiKey } })
        expect(answer).toMatchObject(accepted(hop, 'robot', 'api-key'))
      })

      it.each(HOPS)('through %s a certificate alone', async (hop) => {
        const answer = await through(hop, { credential: all.member })
        expect(answer).toMatchObject(accepted(hop, 'DNS:member.partner.example', 'certificate'))
      })
    })

    describe('refuses', () => {
      it.each(HOPS)('through %s nobody, who learns of every scheme', async (hop) => {
        const { status, challenge } = await through(hop)
        expect(status).toBe(401)
        expect(challenge).toMatch(/Bearer.*ApiKey.*ClientCertificate.*DPoP algs=/)
      })

      it.each(EVERY)('through %s a token without its certificate, or with another: %s', async (hop, form) => {
        const token = await boundToCertificate(form)
        for (const carried of [{ token }, { token, credential: all.other }])
          expect(await outcome(through(hop, carried))).toBe('401 confirmation_mismatch')
      })

      it.each(HOPS)('through %s its certificate in forged headers', async (hop) => {
        const [headers, token] = [forged(all.member), await boundToCertificate('jwt')]
        for (const carried of [{ token }, { token, credential: all.other }])
          expect(await outcome(through(hop, { ...carried, headers }))).toBe('401 confirmation_mismatch')
        expect(await outcome(through(hop, { headers }))).toBe('401 credential_missing')
      })

      it.each(HOPS)('through %s a certificate by which the service knows nobody', async (hop) => {
        expect(await outcome(through(hop, { credential: all.other }))).toBe('401 certificate_refused')
      })

      it.each(HOPS)('past %s good credentials, with everything that it writes', async (hop) => {
        const token = await free('jwt')
        const headers = { ...forged(all.member), 'x-edge-secret': 'guessed-0123456789abcdef0123456789' }
        for (const shown of [undefined, all.member, all.colleague]) {
          const carried = { token, headers, ...(shown && { credential: shown }) }
          expect(await outcome(all.past(hop, carried))).toBe('403 hop_unproven')
        }
      })

      it.each(EVERY)(
        'through %s a token that is bound to a key without a proof of it: %s',
        async (hop, form) => {
          const token = await boundToKey(form)
          const asBearer = await through(hop, { token, proof: key.proof(token) })
          expect(asBearer.status).toBe(401)
          expect(asBearer.challenge).toMatch(/^DPoP .*algs=/)
          const carried = { token, scheme: 'DPoP' } as const
          const byAnother = { ...carried, proof: holder().proof(token) }
          expect(await outcome(through(hop, carried))).toBe('401 dpop_proof_missing')
          expect(await outcome(through(hop, byAnother))).toBe('401 dpop_proof_mismatch key')
        },
      )

      it.each(HOPS)('through %s a token that is bound to no key, under DPoP', async (hop) => {
        const token = await free('jwt')
        const carried = { token, scheme: 'DPoP', proof: key.proof(token) } as const
        expect(await outcome(through(hop, carried))).toBe('401 confirmation_missing')
      })

      it('through either a proof that was used through one of them', async () => {
        const token = await boundToKey('jwt')
        const carried = { token, scheme: 'DPoP', proof: key.proof(token) } as const
        expect((await through('nginx', carried)).status).toBe(200)
        for (const hop of HOPS) expect(await outcome(through(hop, carried))).toBe('401 dpop_proof_replayed')
      })

      it.each(HOPS)('through %s a proof for another address or token, whatever Host says', async (hop) => {
        const token = await boundToKey('jwt')
        const wrong = ['https://evil.test/', 'https://orders.test/', `${ORIGIN}/other`].map((htu) => ({
          htu,
        }))
        const carried = { token, scheme: 'DPoP', headers: ELSEWHERE } as const
        for (const claims of wrong) {
          const asked = through(hop, { ...carried, proof: key.proof(token, claims) })
          expect(await outcome(asked)).toBe('401 dpop_proof_mismatch url')
        }
        const forAnother = through(hop, { ...carried, proof: key.proof(await boundToKey('jwt')) })
        expect(await outcome(forAnother)).toBe('401 dpop_proof_mismatch token')
      })

      it.each(HOPS)('through %s a token that was revoked here, also where it is remembered', async (hop) => {
        const token = await free('jwt')
        expect((await through(hop, { token })).status).toBe(200)
        const { jti } = payloadOf(token) as { jti: string }
        await all.revocations.revokeToken({ issuer: all.server.issuer, jti })
        expect(await outcome(through(hop, { token }))).toBe('401 token_revoked')
      })

      it.each(HOPS)('through %s an opaque token that was revoked at the issuer', async (hop) => {
        const token = await free('opaque')
        expect((await through(hop, { token })).status).toBe(200)
        await all.server.revoke('opaque', token)
        expect(await outcome(through(hop, { token }))).toBe('401 token_inactive')
      })

      it.each(HOPS)('through %s an API key beside a token', async (hop) => {
        const carried = { token: await free('jwt'), headers: { 'x-api-key': all.apiKey } }
        expect(await outcome(through(hop, carried))).toBe('400 credentials_conflict')
      })
    })

    it('binds, at the issuer, to the certificate that it saw, and gives nothing without one', async () => {
      const thumbprint = certificateThumbprint(new X509Certificate(all.member.cert))
      expect(payloadOf(await boundToCertificate('jwt'))).toMatchObject({ cnf: { 'x5t#S256': thumbprint } })
      await expect(all.server.token('jwt-certificate')).rejects.toThrow('invalid_grant')
    })

    it('leaves no token, key, proof or secret of all this in any record', () => {
      const written = JSON.stringify(all.records.kept)
      expect(written).toContain('dpop_proof_replayed')
      expect(written).not.toMatch(/eyJ[\w-]{20}|acme_|edge-secret|guessed|BEGIN/)
      expect(written).not.toContain(all.apiKey)
    })
  },
)

function payloadOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** The certificate as nginx, HAProxy and others would forward it. */
function forged({ cert }: Issued): Readonly<Record<string, string>> {
  const escaped = encodeURIComponent(cert)
  return {
    'x-ssl-client-cert': escaped,
    'x-ssl-client-verify': 'SUCCESS',
    'x-ssl-client-used': '1',
    'client-cert': `:${new X509Certificate(cert).raw.toString('base64')}:`,
    'x-forwarded-client-cert': `Cert="${escaped}"`,
    'x-amzn-mtls-clientcert': escaped,
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-host': 'evil.test',
  }
}
