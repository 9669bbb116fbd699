import type { CommandDescription, OptionDescription } from '../../command-list.js'

/** What the command is told, beside the options of all commands. */
export function keyDescription(shared: Readonly<Record<string, OptionDescription>>): CommandDescription {
  return {
    summary: 'makes an API key (new), shown once; lists, disables, enables and rotates those in a file',
    actions: ['new', 'list', 'disable', 'enable', 'rotate'],
    subject: { value: 'id', of: ['disable', 'enable', 'rotate'] },
    options: {
      prefix: { value: 'prefix', says: 'new, rotate: begins the key, as in apiKeys({ prefix }); needed' },
      scopes: { value: 'a,b', says: 'what its holder may do, separated by commas (default: nothing)' },
      tenant: { value: 'name', says: 'the tenant it is for' },
      'rate-tier': { value: 'name', says: 'its rate tier' },
      'client-id': { value: 'id', says: 'the client it is for' },
      subject: { value: 'name', says: 'whose it is (default: the client, or the id of the key)' },
      name: { value: 'text', says: 'for people: what it is for' },
      expires: {
        value: 'time',
        says: 'when it ends: 90d or 12h from now (default: never; rotate: as it was)',
      },
      overlap: {
        value: 'time',
        says: 'rotate: how long the old one works: 7d, 12h, or 0 where it leaked; needed',
      },
      file: { value: 'file', says: 'the key file; new makes it where there is none; the others need it' },
      'pepper-variable': {
        value: 'name',
        says: 'the environment variable that holds the pepper of apiKeys({ pepper })',
      },
      ...shared,
    },
  }
}
