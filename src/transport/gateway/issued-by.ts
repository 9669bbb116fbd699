import { X509Certificate } from 'node:crypto'
import { either, listOf, type OptionRule } from '../../core/options.js'

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** Authorities in PEM form, one or several in a text. */
const authorityRule: OptionRule = {
  says: 'PEM text with certificates of authorities',
  holds: (value) => typeof value === 'string' && value.length <= 1_000_000 && authoritiesIn(value).length > 0,
}

export const authoritiesRule: OptionRule = either(authorityRule, listOf(authorityRule))

/** The certificates in PEM text; none where one of them is no authority's. */
export function authoritiesIn(pem: string): readonly X509Certificate[] {
  try {
    const found = (pem.match(PEM) ?? []).map((text) => new X509Certificate(text))
    return found.every(({ ca }) => ca) ? found : []
  } catch {
    return []
  }
}
