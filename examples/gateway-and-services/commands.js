import { join } from 'node:path'

/** What may be pasted into another terminal while all is running. */
export async function commandsFor({ ports, tls, tokenOf, audiences: { ORDERS } }) {
  const shop = await tokenOf.shop(ORDERS, 'orders:read orders:write')
  const bearer = `-H 'Authorization: Bearer ${shop}'`
  const order = `-H 'Content-Type: application/json' -d '{"sku":"TEA-100","quantity":2}'`
  const curl = (ca, host, port, rest) =>
    `curl -i -w '\\n' --cacert ${join(tls, `${ca}-ca.crt`)} --resolve ${host}:${port}:127.0.0.1 https://${host}:${port}${rest}`
  const partner = `--cert ${join(tls, 'warehouse.crt')} --key ${join(tls, 'warehouse.key')}`
  const edge = (rest) => curl('internal', 'api.example', ports.edge, rest)

  const through = [
    ['201  the shop places an order', edge(`/orders ${order} ${bearer}`)],
    ['200  a partner reads what is open, with a certificate', edge(`/orders/open ${partner}`)],
    ['401  nobody', edge(`/orders ${order}`)],
  ]
  const past = [
    [
      '403  past the gateway',
      curl('internal', 'orders.internal', ports.orders, `/orders ${order} ${bearer}`),
    ],
  ]
  const commands = [...(ports.edge === undefined ? [] : through), ...past]
  return [
    'Paste any of these into another terminal. The token is good for ten minutes. Ctrl-C ends it all.\n',
    ...commands.map(([title, command]) => `${title}\n     ${command}\n`),
    'Audit records of both services, as they are written:\n',
  ].join('\n')
}
