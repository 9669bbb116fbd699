import type { OptionRule } from './options.js'

/** A name that a certificate is to bear, as Node.js prints it, so exact that no two texts mean the same name. */
export const certificateName: OptionRule = {
  says: 'DNS: and a host name without wildcard, or URI: and an absolute URI',
  holds: (value) =>
    typeof value === 'string' &&
    /^(?:DNS:[\w-][\w.-]{0,252}|URI:[A-Za-z][\w+.-]*:[\x21\x23-\x26\x28-\x2b\x2d-\x5b\x5d-\x7e]{1,2000})$/.test(
      value,
    ),
}
