import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { apiKeyVerifier } from '../../src/authentication/api-key-verifier.js'
import { apiKeys } from '../../src/authentication/api-keys.js'
import { authenticate, type Authenticator } from '../../src/authentication/authenticate.js'
import { certificateVerifier } from '../../src/authentication/certificate-verifier.js'
import { introspectionVerifier } from '../../src/authentication/introspection-verifier.js'
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js'
import { revocation, type Revocation } from '../../src/authentication/revocation.js'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { contextOf, principalOf } from '../../src/core/context.js'
import type { Guard } from '../../src/core/guard.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { gateway } from '../../src/transport/gateway.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'
import { pki, type Issued } from '../authentication/pki.js'
import { documented, freePorts, startHaproxy, startNginx, workshop } from './gateways.js'
import {
  journeyAuthorizationServer,
  type JourneyAuthorizationServer,
} from './journey-authorization-server.js'
import { ask, type Answer } from './journey-caller.js'
import { keepingLogger } from './records.js'

/** What clients know the service by. No server here has this name, and none is asked for it. */
export const ORIGIN = 'https://orders.example'
const AUDIENCE = ORIGIN
const CLIENT_SECRET = 'a client secret of more than 32 characters'
const EDGE_SECRET = 'edge-0123456789abcdef-Zk3vQ8rTn1Lw5y'

export type Hop = 'nginx' | 'haproxy'
export const FORMS = ['jwt', 'opaque'] as const
export type Form = (typeof FORMS)[number]

/** What a request carries. */
export interface Carried {
  readonly token?: string
  readonly scheme?: 'Bearer' | 'DPoP'
  readonly proof?: string
  readonly credential?: Issued
  readonly headers?: Readonly<Record<string, string>>
}

/** An authorization server, a service with every verifier, and two gateways in front of it: all real. */
export interface World {
  readonly server: JourneyAuthorizationServer
  readonly revocations: Revocation
  readonly records: ReturnType<typeof keepingLogger>
  readonly apiKey: string
  /** Certificates: one that the service knows, one of the same authority, and one of another service. */
  readonly member: Issued
  readonly other: Issued
  readonly colleague: Issued
  through(hop: Hop, carried?: Carried): Promise<Answer>
  /** Past the gateway, to the port of the service. */
  past(hop: Hop, carried: Carried): Promise<Answer>
  end(): Promise<void>
}

/** In front of a service that asks for its certificate; what the client shows is passed on. */
const nginxServer = (folder: string, port: number, node: number): string => `server {
  listen 127.0.0.1:${port} ssl;
  ssl_certificate ${folder}/front.crt; ssl_certificate_key ${folder}/front.key;
  ssl_client_certificate ${folder}/clients.crt; ssl_verify_client optional;
  location / {
    proxy_pass https://127.0.0.1:${node};
    proxy_ssl_certificate ${folder}/edge.crt; proxy_ssl_certificate_key ${folder}/edge.key;
    proxy_ssl_trusted_certificate ${folder}/services.crt; proxy_ssl_verify on; proxy_ssl_name orders.internal;
    proxy_ssl_session_reuse off; proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
    proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
  }
}`

export async function world(): Promise<World> {
  const certificates = certificatesOfAll()
  const { clients, services, orders, front, edge } = certificates
  const records = keepingLogger()
  const revocations = revocation()
  const keys = apiKeys({ prefix: 'acme' })
  const server = await issuer(front, clients.cert, services.cert)
  const authentication = authenticationBy(server.issuer, clients.cert, keys, revocations)
  const { key: apiKey } = await keys.create({
    subject: 'robot',
    scopes: ['orders:read'],
    expiresAt: Math.floor(Date.now() / 1000) + 600,
  })

  const forwarded = { clientCertificate: true, certificateAuthorities: [clients.cert] } as const
  const peerCertificate = { names: ['DNS:edge.internal'] }
  const secret = { header: 'x-edge-secret', values: EDGE_SECRET }
  const application = (door: Guard): Express => service(door, authentication, records)
  const behindNginx = createTlsServer(
    { ...orders, ca: services.cert, requestCert: true, rejectUnauthorized: false },
    application(gateway(nginx({ provenBy: { peerCertificate }, ...forwarded }))),
  )
  const behindHaproxy = createServer(application(gateway(haproxy({ provenBy: { secret }, ...forwarded }))))
  const ports = { nginx: await listen(behindNginx), haproxy: await listen(behindHaproxy) }

  const shop = workshop()
  for (const [name, { cert, key }] of Object.entries({ front, edge, clients, services })) {
    shop.write(`${name}.crt`, cert)
    shop.write(`${name}.key`, key)
  }
  shop.write('server.pem', front.cert + front.key)
  const [nginxPort = 0, haproxyPort = 0] = await freePorts(2)
  const places = {
    ':443': `127.0.0.1:${haproxyPort}`,
    '127.0.0.1:3000': `127.0.0.1:${ports.haproxy}`,
    '/etc/haproxy/tls/': `${shop.folder}/`,
    'CHANGE-ME': EDGE_SECRET,
  }
  const gateways = await Promise.all([
    startNginx(shop, nginxPort, nginxServer(shop.folder, nginxPort, ports.nginx)),
    startHaproxy(shop, haproxyPort, documented('haproxy', places)),
  ])

  return {
    ...{ server, revocations, records, apiKey, ...certificates },
    through: (hop, carried = {}) =>
      ask({
        port: hop === 'nginx' ? nginxPort : haproxyPort,
        tls: { ca: services.cert, servername: 'localhost', ...carried.credential },
        headers: headersOf(carried),
      }),
    past: (hop, carried) => {
      const headers = headersOf(carried)
      if (hop === 'haproxy') return ask({ port: ports.haproxy, headers })
      const tls = { ca: services.cert, servername: 'orders.internal', ...carried.credential }
      return ask({ port: ports.nginx, tls, headers })
    },
    end: async () => {
      await Promise.all(gateways.map(({ stop }) => stop()))
      for (const each of [behindNginx, behindHaproxy]) {
        each.close()
        each.closeAllConnections()
      }
      await Promise.all([revocations.close(), authentication.close(), server.close()])
      shop.close()
      certificates.close()
    },
  }
}

function certificatesOfAll() {
  const all = pki()
  const [services, clients] = [all.authority('services'), all.authority('clients')]
  const issue = (authority: typeof services, name: string): Issued =>
    authority.issue({ names: [`DNS.1=${name}`] })
  return {
    ...{
      services,
      clients,
      close: () => {
        all.close()
      },
    },
    front: issue(services, 'localhost'),
    orders: issue(services, 'orders.internal'),
    edge: issue(services, 'edge.internal'),
    colleague: issue(services, 'billing.internal'),
    member: issue(clients, 'member.partner.example'),
    other: issue(clients, 'other.partner.example'),
  }
}

function issuer(front: Issued, ca: string, authority: string): Promise<JourneyAuthorizationServer> {
  return journeyAuthorizationServer({
    audience: AUDIENCE,
    scope: 'orders:read',
    secret: CLIENT_SECRET,
    clients: [
      ...FORMS.map((form) => ({ client_id: form })),
      ...FORMS.map((form) => ({
        client_id: `${form}-certificate`,
        tls_client_certificate_bound_access_tokens: true,
      })),
      { client_id: 'orders-service' },
    ],
    opaqueClients: ['opaque', 'opaque-certificate'],
    tls: { ...front, ca },
    authority,
  })
}

function authenticationBy(
  issuedBy: string,
  clientsAuthority: string,
  keys: ReturnType<typeof apiKeys>,
  revocations: Revocation,
): Authenticator {
  return authenticate({
    verifiers: [
      jwtVerifier({ issuer: issuedBy, audience: AUDIENCE, maxTokenLifetimeSeconds: 600 }),
      introspectionVerifier({
        issuer: issuedBy,
        audience: AUDIENCE,
        client: { id: 'orders-service', secret: CLIENT_SECRET },
        tokens: 'opaque',
        withoutSubject: 'client',
        cache: false,
      }),
      apiKeyVerifier({ keys }),
      certificateVerifier({
        authorities: { partners: clientsAuthority },
        names: ['DNS:member.partner.example'],
        principal: () => ({ scopes: ['orders:read'] }),
      }),
    ],
    dpop: { publicOrigin: ORIGIN },
    revocation: revocations,
  })
}

function service(door: Guard, authentication: Guard, logger: World['records']): Express {
  const app = express()
  denyByDefault(app)
  app.set('trust proxy', 1)
  app.use(auditLog({ logger }), secureHeaders(), door, authentication)
  app.get('/', requireScopes('orders:read'), (req, res) => {
    const { subject, authenticatedBy } = principalOf(req)
    const { provenHop, client } = contextOf(req)
    const { address, protocol } = client
    res.json({ subject, authenticatedBy, provenHop, address, protocol })
  })
  app.use(secureErrors() as ErrorRequestHandler)
  return app
}

function headersOf({ token, scheme = 'Bearer', proof, headers = {} }: Carried) {
  return {
    host: 'orders.test',
    ...(token === undefined ? {} : { authorization: `${scheme} ${token}` }),
    ...(proof === undefined ? {} : { dpop: proof }),
    ...headers,
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
