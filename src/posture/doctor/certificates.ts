import { Server as TlsServer } from 'node:tls'
import type { GuardMetadata } from '../../core/metadata.js'
import { found } from '../catalogue.js'
import type { Finding } from '../model.js'
import { isForAll, onceEach, type Examined, type Station } from './examined.js'
import { isGateway, isOwnGuard, textsOf } from './gateways.js'

/** Hops whose word is taken for a certificate, whoever issued it. */
export function believedCertificates({ stations }: Examined): readonly Finding[] {
  return onceEach(stations, isGateway).flatMap(({ about }) => {
    const believed = textsOf(about?.facts['believed'])
    if (believed.length === 0) return []
    const message = `gateway "${about?.name ?? ''}" takes the word of ${believed.join(', ')} for every client certificate.`
    return [found('forwarded-certificate-believed', message, { ...about?.definedAt })]
  })
}

/** A verifier of certificates that none reaches, as far as can be seen from here. */
export function missingCertificates(examined: Examined): readonly Finding[] {
  const { stations } = examined
  const verifying = onceEach(stations, ({ about }) => about?.kind === 'authenticate' && verifies(about))
  if (verifying.length === 0 || stations.some(isOwnGuard)) return []
  const gateways = stations.filter(isGateway)
  if (gateways.some(mayForward)) return []
  const why = whyNone(examined, gateways)
  if (why === undefined) return []
  return verifying.map(({ about }) =>
    found(
      'certificates-never-come',
      `authenticate "${about?.name ?? ''}" verifies certificates, ${why.says}.`,
      {
        ...about?.definedAt,
        ...why.about,
      },
    ),
  )
}

function verifies({ facts }: GuardMetadata): boolean {
  const verifiers: readonly unknown[] = Array.isArray(facts['verifiers']) ? facts['verifiers'] : []
  return verifiers.some((each) => (each as { readonly kind?: unknown } | null)?.kind === 'certificate')
}

/** Whether a hop that is proven by more than a network forwards certificates. A gateway that does not say may. */
function mayForward({ about }: Station): boolean {
  const { certificates, weak } = about?.facts ?? {}
  if (certificates === undefined) return true
  const weakly = textsOf(weak)
  return textsOf(certificates).some((hop) => !weakly.includes(hop))
}

interface Why {
  readonly says: string
  readonly about?: Parameters<typeof found>[2]
}

function whyNone({ server }: Examined, gateways: readonly Station[]): Why | undefined {
  // What passes such a gateway came by a hop, whose own certificate is nobody's.
  if (gateways.some((station) => isForAll(station) && station.about?.facts['unproven'] === 'refuse'))
    return { says: 'and the gateway() before it forwards none' }
  if (server === undefined)
    return {
      says: 'no gateway() forwards them, and the server cannot be seen from here',
      about: {
        severity: 'note',
        consequence: 'Unless the server asks its callers for certificates itself, none ever comes.',
      },
    }
  if (!(server instanceof TlsServer))
    return { says: 'no gateway() forwards them, and the server ends no TLS' }
  // Node.js keeps what it was told under this name; it is in no documentation, so what is not there says nothing.
  const { requestCert } = server as { readonly requestCert?: unknown }
  return requestCert === false
    ? { says: 'no gateway() forwards them, and the server asks for none' }
    : undefined
}
