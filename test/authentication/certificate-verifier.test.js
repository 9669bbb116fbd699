import { once } from 'node:events';
import { X509Certificate } from 'node:crypto';
import { Agent, createServer, request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import express from 'express';
import fc from 'fast-check';
import { authenticate } from '../../src/authentication/authenticate.js';
import { certificateVerifier, } from '../../src/authentication/certificate-verifier.js';
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js';
import { requireService } from '../../src/authorization/require-service.js';
import { certificateThumbprint, shownCertificate } from '../../src/core/client-certificate.js';
import { openContext, optionalPrincipalOf } from '../../src/core/context.js';
import { defineGuard, PASSED } from '../../src/core/guard.js';
import { guardMetadataOf } from '../../src/core/metadata.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { describeWith, program } from '../support/requirements.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { signer, trusting } from './harness.js';
import { pki } from './pki.js';
const SUBJECT = 'C=DE\nO=Example\\, Inc\nCN=orders';
const key = signer();
const provenBy = (forwarded, chain = []) => defineGuard({
    kind: 'testGateway',
    layer: 'transport',
    name: 'gateway',
    check(_req, context) {
        const certificate = forwarded === undefined ? undefined : { x509: forwarded, verifiedBy: 'edge', chain };
        context.proveHop('edge', { ...context.client, certificate });
        return PASSED;
    },
});
const decisions = [];
/** One application; each path has a verifier of its own. */
function application(verifiers) {
    const app = express();
    app.use((req, _res, next) => {
        decisions.length = 0;
        openContext(req).observe((decision) => decisions.push(decision));
        // Whoever looks first is the only one that Node.js shows the chain to.
        shownCertificate(req.socket);
        next();
    });
    for (const [path, guards] of Object.entries(verifiers)) {
        app.get(path, ...guards, (req, res) => {
            const principal = optionalPrincipalOf(req);
            res.json({
                ...principal,
                resumed: req.socket.isSessionReused?.() === true,
            });
        });
    }
    app.use(secureErrors());
    return app;
}
const by = (options) => [
    authenticate({ verifiers: [certificateVerifier(options)] }),
];
describeWith(program('openssl', 'openssl'), 'certificateVerifier', () => {
    let files;
    let root, other, stranger, below, lasting;
    /** A certificate of thirty days by an authority of one. */
    let longer;
    const clients = {};
    const servers = {};
    let mapping = () => ({});
    beforeAll(async () => {
        files = pki();
        root = files.authority('Root');
        other = files.authority('Other Root');
        stranger = files.authority('Root');
        below = root.intermediate('Below');
        lasting = files.authority('Lasting', 30);
        const short = lasting.intermediate('Short');
        longer = [short.issue({ names: ['DNS.1=long.internal'], days: 30 }).cert, short.cert];
        const wanted = {
            orders: { names: ['DNS.1=orders.internal'] },
            mixedCase: { names: ['DNS.1=Orders.INTERNAL'] },
            several: { names: ['DNS.1=localhost', 'DNS.2=orders.internal', 'URI.1=https://orders.internal/'] },
            workload: { names: ['URI.1=spiffe://example.org/orders', 'DNS.1=any.internal'], purpose: 'clientAuth' },
            partner: { names: ['URI.1=spiffe://partner.test/billing'] },
            subjectOnly: { subject: '/C=DE/O=Example, Inc/CN=orders' },
            commonName: { subject: '/CN=orders.internal' },
            mail: { names: ['email.1=ops@example.org'] },
            address: { names: ['IP.1=10.0.0.7'] },
            over: { names: ['DNS.1=orders.internal'], days: 0 },
            authority: { names: ['DNS.1=orders.internal'], ca: true },
            forServers: { names: ['DNS.1=orders.internal'], purpose: 'serverAuth' },
            forAnything: { names: ['DNS.1=orders.internal'], purpose: 'anyExtendedKeyUsage' },
            wildcard: { names: ['DNS.1=*.internal'] },
            wildcardBeside: { names: ['DNS.1=*.internal', 'DNS.2=orders.internal'] },
            child: { names: ['DNS.1=evil.orders.internal', 'DNS.2=orders.internal.evil'] },
            otherKind: { names: ['email.1=DNS:orders.internal', 'URI.1=http://orders.internal'] },
            twice: { names: ['DNS.1=orders.internal', 'DNS.2=orders.internal'] },
            injected: { names: ['DNS.1="evil, DNS:orders.internal"'] },
            injectedBeside: { names: ['DNS.1="evil, DNS:x"', 'DNS.2=orders.internal'] },
            injectedUri: { names: ['URI.1="http://evil/, DNS:orders.internal, URI:x:y"'] },
            injectedSubject: { subject: '/CN=x\nC=DE\nO=Example\\, Inc\nCN=orders' },
            subjectBesideName: { subject: '/C=DE/O=Example, Inc/CN=orders', names: ['DNS.1=evil.internal'] },
            spiffeTwice: { names: ['URI.1=spiffe://example.org/orders', 'URI.2=spiffe://example.org/billing'] },
            spiffeBesideUri: { names: ['URI.1=spiffe://example.org/orders', 'URI.2=https://orders.internal/'] },
            spiffeUpper: { names: ['URI.1=spiffe://Example.org/orders'] },
            spiffeScheme: { names: ['URI.1=SPIFFE://example.org/orders'] },
            spiffeRoot: { names: ['URI.1=spiffe://example.org'] },
            spiffeSlash: { names: ['URI.1=spiffe://example.org/orders/'] },
            spiffeDots: { names: ['URI.1=spiffe://example.org/a/../orders'] },
            spiffePort: { names: ['URI.1=spiffe://example.org:1/orders'] },
            spiffeUser: { names: ['URI.1=spiffe://x@example.org/orders'] },
            spiffeQuery: { names: ['URI.1=spiffe://example.org/orders?x'] },
            spiffeEscaped: { names: ['URI.1=spiffe://example.org/%6frders'] },
            spiffeChild: { names: ['URI.1=spiffe://example.org.evil.test/orders'] },
            nameless: {},
        };
        for (const [name, want] of Object.entries(wanted))
            clients[name] = root.issue(want);
        clients['otherRoot'] = other.issue({ names: ['DNS.1=orders.internal'] });
        clients['otherSpiffe'] = other.issue({ names: ['URI.1=spiffe://example.org/orders'] });
        clients['partnersOwn'] = other.issue({ names: ['URI.1=spiffe://partner.test/billing'] });
        clients['stranger'] = stranger.issue({ names: ['DNS.1=orders.internal'] });
        clients['selfMade'] = { cert: stranger.cert, key: stranger.key };
        clients['belowRoot'] = below.issue({ names: ['DNS.1=below.internal'] });
        const names = ['DNS:orders.internal', 'URI:spiffe://example.org/orders', { subject: SUBJECT }];
        const beside = (options) => authenticate({
            verifiers: [jwtVerifier(trusting(key)), certificateVerifier({ authorities: root.cert })],
            ...options,
        });
        const app = application({
            '/authority': by({ authorities: root.cert }),
            '/again': by({ authorities: [root.cert] }),
            '/below': by({ authorities: below.cert }),
            '/names': by({ names, issuer: 'internal' }),
            '/spiffe': by({ names: [{ spiffe: 'example.org' }], issuer: 'mesh' }),
            '/domains': by({
                authorities: { 'spiffe://example.org': root.cert, 'spiffe://partner.test': [other.cert] },
            }),
            '/partners': by({ authorities: { 'spiffe://example.org': root.cert, partner: other.cert } }),
            '/mapped': by({ authorities: root.cert, principal: (certificate) => mapping(certificate) }),
            '/service': [
                ...by({
                    authorities: root.cert,
                    issuer: 'internal',
                    principal: () => ({ type: 'service', clientId: 'orders' }),
                }),
                requireService({ clients: ['orders'] }),
            ],
            '/beside': [beside({})],
            '/optional': [beside({ required: false })],
        });
        const tls = { ...root.issue({ names: ['DNS.1=localhost'] }), ca: [root.cert, other.cert] };
        for (const version of ['TLSv1.2', 'TLSv1.3']) {
            const bounds = { minVersion: version, maxVersion: version };
            const server = createServer({ ...tls, ...bounds, requestCert: true, rejectUnauthorized: false }, app);
            server.listen(0, '127.0.0.1');
            await once(server, 'listening');
            servers[version] = server;
        }
    }, 60_000);
    afterAll(() => {
        for (const server of Object.values(servers)) {
            server.closeAllConnections();
            server.close();
        }
        files.close();
    });
    const portOf = (version) => (servers[version]?.address()).port;
    async function ask(client, options = {}, version = 'TLSv1.3') {
        const { path = '/authority', headers = {}, agent = false, behind = [] } = options;
        const own = client === undefined ? undefined : clients[client];
        const credential = own === undefined ? {} : { key: own.key, cert: [own.cert, ...behind].join('\n') };
        const target = { port: portOf(version), path, headers, ca: root.cert, servername: 'localhost', agent };
        const asked = httpsRequest({ ...target, ...credential });
        asked.end();
        const [answer] = (await once(asked, 'response'));
        let text = '';
        for await (const chunk of answer)
            text += String(chunk);
        return outcomeOf(answer.statusCode, text, answer.headers['www-authenticate']);
    }
    function outcomeOf(status, text, challenge) {
        const body = JSON.parse(text);
        const last = decisions.at(-1);
        return {
            status,
            reason: last?.reason,
            problem: last?.evidence?.['problem'],
            subject: body.subject,
            issuer: body.issuer,
            challenge,
            resumed: body.resumed === true,
        };
    }
    describe.each(['TLSv1.2', 'TLSv1.3'])('over %s', (version) => {
        it.each([
            ['orders', '/authority', 'DNS:orders.internal'],
            ['mixedCase', '/authority', 'DNS:orders.internal'],
            ['several', '/authority', 'URI:https://orders.internal/'],
            ['workload', '/authority', 'spiffe://example.org/orders'],
            ['mail', '/authority', 'email:ops@example.org'],
            ['address', '/authority', 'IP Address:10.0.0.7'],
            ['wildcardBeside', '/authority', 'DNS:orders.internal'],
            ['orders', '/names', 'DNS:orders.internal'],
            ['mixedCase', '/names', 'DNS:orders.internal'],
            ['several', '/names', 'DNS:orders.internal'],
            ['workload', '/names', 'spiffe://example.org/orders'],
            ['subjectOnly', '/names', 'DN:C=DE, O=Example\\, Inc, CN=orders'],
            ['otherRoot', '/names', 'DNS:orders.internal'],
            ['workload', '/spiffe', 'spiffe://example.org/orders'],
            ['workload', '/domains', 'spiffe://example.org/orders'],
            ['partnersOwn', '/domains', 'spiffe://partner.test/billing'],
            ['partnersOwn', '/partners', 'spiffe://partner.test/billing'],
        ])('accepts %s at %s as %s', async (client, path, subject) => {
            const { status, subject: found } = await ask(client, { path }, version);
            expect([status, found]).toEqual([200, subject]);
        });
        it.each([
            ['stranger', '/authority', 'this server did not verify it'],
            ['stranger', '/names', 'this server did not verify it'],
            ['selfMade', '/names', 'this server did not verify it'],
            ['over', '/authority', 'this server did not verify it'],
            ['forServers', '/authority', 'this server did not verify it'],
            ['otherRoot', '/authority', 'of no accepted authority'],
            ['authority', '/authority', 'an authority is no caller'],
            ['nameless', '/authority', 'no name'],
            ['commonName', '/authority', 'no name'],
            ['subjectOnly', '/authority', 'no name'],
            ['wildcard', '/authority', 'no name'],
            ['twice', '/authority', 'its names are ambiguous'],
            ['injected', '/authority', 'its names are ambiguous'],
            ['injectedBeside', '/names', 'its names are ambiguous'],
            ['injectedUri', '/names', 'its names are ambiguous'],
            ['child', '/names', 'no accepted name'],
            ['wildcard', '/names', 'no accepted name'],
            ['otherKind', '/names', 'no accepted name'],
            ['commonName', '/names', 'no accepted name'],
            ['injectedSubject', '/names', 'no accepted name'],
            ['subjectBesideName', '/names', 'no accepted name'],
            ['partner', '/spiffe', 'no accepted name'],
            ['spiffeChild', '/spiffe', 'no accepted name'],
            ['orders', '/spiffe', 'no accepted name'],
            ['spiffeTwice', '/spiffe', 'a SPIFFE id beside another URI'],
            ['spiffeBesideUri', '/authority', 'a SPIFFE id beside another URI'],
            ['spiffeUpper', '/authority', 'no valid SPIFFE id'],
            ['spiffeScheme', '/authority', 'no valid SPIFFE id'],
            ['spiffeRoot', '/authority', 'no valid SPIFFE id'],
            ['spiffeSlash', '/authority', 'no valid SPIFFE id'],
            ['spiffeDots', '/authority', 'no valid SPIFFE id'],
            ['spiffePort', '/authority', 'no valid SPIFFE id'],
            ['spiffeUser', '/authority', 'no valid SPIFFE id'],
            ['spiffeQuery', '/authority', 'no valid SPIFFE id'],
            ['spiffeEscaped', '/authority', 'no valid SPIFFE id'],
            ['partner', '/domains', 'named by the authority of another trust domain'],
            ['otherSpiffe', '/domains', 'named by the authority of another trust domain'],
            ['otherSpiffe', '/partners', 'named by the authority of another trust domain'],
            ['orders', '/domains', 'named by the authority of another trust domain'],
        ])('refuses %s at %s: %s', async (client, path, problem) => {
            const found = await ask(client, { path }, version);
            expect(found).toMatchObject({
                status: 401,
                reason: 'certificate_refused',
                problem,
                subject: undefined,
                challenge: 'ClientCertificate error="invalid_token"',
            });
        });
        it('asks whoever comes without one for it', async () => {
            const found = await ask(undefined, {}, version);
            expect(found).toMatchObject({
                status: 401,
                reason: 'credential_missing',
                challenge: 'ClientCertificate',
            });
        });
        it('follows the chain of the handshake; a resumed session has none, and is known by its certificate', async () => {
            const agent = new Agent({ maxCachedSessions: 10, keepAlive: false });
            const behind = [below.cert];
            const first = await ask('belowRoot', { agent, behind }, version);
            expect(first).toMatchObject({ status: 200, subject: 'DNS:below.internal', resumed: false });
            const second = await ask('belowRoot', { agent, behind }, version);
            expect(second).toMatchObject({ status: 200, reason: 'remembered', resumed: true });
            const elsewhere = await ask('belowRoot', { agent, behind, path: '/below' }, version);
            expect(elsewhere).toMatchObject({ status: 200, resumed: true });
            // Nobody here saw this certificate's chain.
            const unseen = await ask('belowRoot', { agent, behind, path: version === 'TLSv1.2' ? '/again' : '/mapped' }, version);
            expect(unseen).toMatchObject({ status: 401, problem: 'of no accepted authority' });
            agent.destroy();
        });
        it('refuses in a resumed session what it refused in the first', async () => {
            const agent = new Agent({ maxCachedSessions: 10, keepAlive: false });
            for (let time = 0; time < 2; time += 1) {
                const found = await ask('stranger', { agent }, version);
                expect(found).toMatchObject({ status: 401, problem: 'this server did not verify it' });
            }
            agent.destroy();
        });
        it('records why the server did not verify it, in the words of Node.js', async () => {
            await ask('over', {}, version);
            expect(decisions.at(-1)?.evidence).toEqual({
                problem: 'this server did not verify it',
                error: 'CERT_HAS_EXPIRED',
            });
            await ask('forServers', {}, version);
            expect(decisions.at(-1)?.evidence?.['error']).toBe('INVALID_PURPOSE');
        });
    });
    it('makes a principal of what the certificate says', async () => {
        const { issuer, subject } = await ask('workload');
        const x509 = new X509Certificate(clients['workload']?.cert ?? '');
        expect([issuer?.startsWith('x509:'), subject]).toEqual([true, 'spiffe://example.org/orders']);
        const thumbprint = certificateThumbprint(x509);
        mapping = (certificate) => {
            expect(certificate).toMatchObject({
                identity: 'spiffe://example.org/orders',
                names: ['URI:spiffe://example.org/orders', 'DNS:any.internal'],
                thumbprint,
                serialNumber: x509.serialNumber,
                verifiedBy: 'tls',
            });
            return {};
        };
        expect((await ask('workload', { path: '/mapped' })).status).toBe(200);
        const context = await principalOf('workload', { authorities: root.cert });
        expect(context).toMatchObject({
            type: 'certificate',
            authenticatedBy: 'certificate',
            credentialId: thumbprint,
            clientId: undefined,
            expiresAt: Date.parse(x509.validTo) / 1000,
            claims: {
                names: ['URI:spiffe://example.org/orders', 'DNS:any.internal'],
                serialNumber: x509.serialNumber,
            },
        });
    });
    /** Asks a verifier without a server, of a certificate that a connection would show. */
    async function principalOf(client, options, about = {}) {
        const x509 = new X509Certificate(clients[client]?.cert ?? '');
        const socket = {
            authorized: true,
            authorizationError: null,
            getPeerX509Certificate: () => x509,
            ...about,
        };
        const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket };
        return authenticate({ verifiers: [certificateVerifier(options)] }).verifyRequest(req);
    }
    describe('a mapping', () => {
        it('says who it is, and is asked with every request', async () => {
            mapping = () => ({
                subject: 'orders',
                clientId: 'c',
                scopes: 'a b',
                roles: ['clerk'],
                claims: { names: 'x' },
            });
            expect(await ask('orders', { path: '/mapped' })).toMatchObject({ status: 200, subject: 'orders' });
            mapping = () => undefined;
            expect(await ask('orders', { path: '/mapped' })).toMatchObject({
                status: 401,
                problem: 'the application knows nobody by it',
            });
            const principal = await principalOf('orders', {
                authorities: root.cert,
                principal: () => ({ scopes: 'a b', roles: ['clerk'], claims: { names: 'x', team: 't' } }),
            });
            expect(JSON.parse(JSON.stringify(principal))).toMatchObject({
                scopes: ['a', 'b'],
                roles: ['clerk'],
                claims: { names: ['DNS:orders.internal'], team: 't' },
            });
        });
        it('may call it a service, which requireService then takes for one', async () => {
            expect(await ask('orders', { path: '/service' })).toMatchObject({ status: 200, issuer: 'internal' });
        });
        it.each([
            [
                'throws',
                () => {
                    throw new Error('x');
                },
            ],
            ['answers with a promise', async () => ({})],
            [
                'answers with a promise that fails',
                async () => {
                    throw new Error('x');
                },
            ],
            ['answers with a word', () => 'orders'],
            ['answers true', () => true],
            ['answers with an empty subject', () => ({ subject: '' })],
        ])('that %s is a fault, and lets nobody in', async (_case, answer) => {
            jest.spyOn(console, 'error').mockImplementation(() => undefined);
            mapping = answer;
            expect(await ask('orders', { path: '/mapped' })).toMatchObject({ status: 500, reason: 'guard_fault' });
        });
    });
    describe('beside a bearer token', () => {
        const bearer = (token) => ({
            path: '/beside',
            headers: { Authorization: `Bearer ${token}` },
        });
        it('is no credential: a bad token is refused, whatever certificate comes with it', async () => {
            const bad = await ask('orders', bearer(key.token({ aud: 'https://other.test' })));
            expect(bad).toMatchObject({
                status: 401,
                reason: 'audience_mismatch',
                challenge: 'Bearer error="invalid_token"',
            });
        });
        it('is no credential: the principal is the token’s', async () => {
            expect(await ask('orders', bearer(key.token()))).toMatchObject({ status: 200, subject: 'user-1' });
        });
        it('is evidence of who holds a token that is bound to it, also where it could not stand alone', async () => {
            const boundTo = (client) => key.token({
                cnf: { 'x5t#S256': certificateThumbprint(new X509Certificate(clients[client]?.cert ?? '')) },
            });
            expect(await ask('orders', bearer(boundTo('orders')))).toMatchObject({ status: 200, subject: 'user-1' });
            expect(await ask('nameless', bearer(boundTo('nameless')))).toMatchObject({ status: 200 });
            expect(await ask('orders', bearer(boundTo('several')))).toMatchObject({
                status: 401,
                reason: 'confirmation_mismatch',
            });
        });
        it('alone is one, and without either both are asked for', async () => {
            expect(await ask('orders', { path: '/beside' })).toMatchObject({
                status: 200,
                subject: 'DNS:orders.internal',
            });
            expect((await ask(undefined, { path: '/beside' })).challenge).toBe('Bearer, ClientCertificate');
        });
        it('that is no good is refused, not taken for none, where none need come', async () => {
            expect(await ask(undefined, { path: '/optional' })).toMatchObject({ status: 200, subject: undefined });
            expect(await ask('stranger', { path: '/optional' })).toMatchObject({
                status: 401,
                reason: 'certificate_refused',
            });
        });
        it.each(['ClientCertificate', 'ClientCertificate abc', 'certificate abc', 'certificate'])('cannot be claimed in a header: %s', async (value) => {
            const found = await ask(undefined, { path: '/beside', headers: { Authorization: value } });
            expect([400, 401]).toContain(found.status);
            const beside = await ask('orders', { path: '/beside', headers: { Authorization: value } });
            expect([400, 401]).toContain(beside.status);
        });
    });
    describe('time', () => {
        beforeEach(stopClocks);
        afterEach(releaseClocks);
        it('is looked at with every request, also of a certificate that is remembered', async () => {
            const verifier = certificateVerifier({ authorities: root.cert });
            const x509 = new X509Certificate(clients['orders']?.cert ?? '');
            const socket = { authorized: true, getPeerX509Certificate: () => x509 };
            const verify = async () => {
                const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket };
                const context = openContext(req);
                return verifier.verify({ scheme: 'certificate', value: '' }, req, context) instanceof Promise
                    ? 'later'
                    : 'now';
            };
            await expect(verify()).resolves.toBe('now');
            forward(86_400_000 * 2);
            await expect(verify()).rejects.toMatchObject({
                reason: 'certificate_refused',
                evidence: { problem: 'its time is not now' },
            });
        });
        it('of an authority between ends what was remembered of those below', async () => {
            const [x509, between] = longer.map((cert) => new X509Certificate(cert));
            const authorities = lasting.cert;
            const guard = authenticate({ verifiers: [certificateVerifier({ authorities })] });
            const verify = async () => {
                const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket: {} };
                const context = openContext(req);
                context.proveHop('edge', {
                    ...context.client,
                    certificate: { x509, verifiedBy: 'edge', chain: [between] },
                });
                return guard.verifyRequest(req);
            };
            await expect(verify()).resolves.toMatchObject({ subject: 'DNS:long.internal' });
            forward(86_400_000 * 2);
            await expect(verify()).rejects.toMatchObject({ evidence: { problem: 'of no accepted authority' } });
        });
    });
    describe('behind a proven hop', () => {
        const x509Of = (client) => new X509Certificate(clients[client]?.cert ?? '');
        async function through(hop, options, about = {}) {
            const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket: about };
            hop(req, {}, () => undefined);
            const guard = authenticate({ verifiers: [certificateVerifier(options)] });
            return guard.verifyRequest(req).catch((problem) => problem);
        }
        it('the caller’s certificate is the one that was forwarded', async () => {
            const found = await through(provenBy(x509Of('orders')), { authorities: root.cert });
            expect(found.subject).toBe('DNS:orders.internal');
        });
        it.each([
            ['an authority', () => ({ authorities: root.cert })],
            ['the hop’s word alone', () => ({ names: ['DNS:orders.internal'], issuer: 'edge' })],
        ])('one for any purpose is for clients too, by %s', async (_case, options) => {
            const found = await through(provenBy(x509Of('forAnything')), options());
            expect(found.subject).toBe('DNS:orders.internal');
        });
        it('one for servers is refused by the hop’s word alone', async () => {
            const options = { names: ['DNS:orders.internal'], issuer: 'edge' };
            const found = await through(provenBy(x509Of('forServers')), options);
            expect(found).toMatchObject({ reason: 'certificate_refused', evidence: { problem: 'not for clients' } });
        });
        it('the hop’s own certificate is nobody’s', async () => {
            const own = { authorized: true, getPeerX509Certificate: () => x509Of('orders') };
            const found = await through(provenBy(undefined), { authorities: root.cert }, own);
            expect(found.reason).toBe('credential_missing');
        });
        it.each([
            ['is over', 'over', [], 'its time is not now'],
            ['is for servers', 'forServers', [], 'not for clients'],
            ['is an authority', 'authority', [], 'an authority is no caller'],
            ['is of another authority', 'otherRoot', [], 'of no accepted authority'],
            ['is of an authority of the same name', 'stranger', [], 'of no accepted authority'],
            ['is of an authority that was not forwarded', 'belowRoot', [], 'of no accepted authority'],
            [
                'comes with the certificate of a caller as its authority',
                'belowRoot',
                ['orders'],
                'of no accepted authority',
            ],
            ['comes with itself as its authority', 'belowRoot', ['belowRoot'], 'of no accepted authority'],
        ])('one that %s is refused, whatever the hop thinks of it', async (_case, client, chain, problem) => {
            const found = await through(provenBy(x509Of(client), chain.map(x509Of)), { authorities: root.cert });
            expect(found).toMatchObject({ reason: 'certificate_refused', evidence: { problem } });
        });
        it('a chain is followed in any order, and only as far as an authority that is believed', async () => {
            const deep = below.intermediate('Deep');
            const leaf = new X509Certificate(deep.issue({ names: ['DNS.1=deep.internal'] }).cert);
            const chain = [root, below, deep, other].map(({ cert }) => new X509Certificate(cert));
            const found = await through(provenBy(leaf, chain), { authorities: root.cert });
            expect(found.subject).toBe('DNS:deep.internal');
            expect((await through(provenBy(leaf, chain), { authorities: other.cert })).reason).toBe('certificate_refused');
            const missing = chain.slice(0, 1);
            expect((await through(provenBy(leaf, missing), { authorities: root.cert })).reason).toBe('certificate_refused');
        });
    });
    it('outlives a renegotiation (TLS 1.2)', async () => {
        const about = { port: portOf('TLSv1.2'), ca: root.cert, servername: 'localhost' };
        const socket = connect({ ...about, ...clients['orders'] });
        await once(socket, 'secureConnect');
        const again = async () => {
            socket.write('GET /authority HTTP/1.1\r\nHost: localhost\r\n\r\n');
            let text = '';
            while (!/\r\n\r\n.*\}/s.test(text))
                text += String((await once(socket, 'data'))[0]);
            return outcomeOf(Number(text.slice(9, 12)), text.slice(text.indexOf('\r\n\r\n') + 4), undefined);
        };
        expect(await again()).toMatchObject({ status: 200, subject: 'DNS:orders.internal' });
        await new Promise((resolve, reject) => {
            socket.renegotiate({}, (error) => {
                if (error === null)
                    resolve();
                else
                    reject(error);
            });
        });
        expect(await again()).toMatchObject({ status: 200, subject: 'DNS:orders.internal' });
        socket.destroy();
    });
    it('sees the certificate that a connection has now, not the one it began with', () => {
        const x509Of = (client) => new X509Certificate(clients[client]?.cert ?? '');
        const verifier = certificateVerifier({ authorities: root.cert });
        const socket = {
            authorized: true,
            authorizationError: null,
            getPeerX509Certificate: () => x509Of('orders'),
        };
        const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket };
        const subject = () => verifier.verify({ scheme: 'certificate', value: '' }, req, openContext(req)).principal
            .subject;
        const reason = () => {
            try {
                return subject();
            }
            catch (cause) {
                return cause.reason;
            }
        };
        expect(subject()).toBe('DNS:orders.internal');
        socket.getPeerX509Certificate = () => x509Of('workload');
        expect(subject()).toBe('spiffe://example.org/orders');
        Object.assign(socket, { authorizationError: 'SELF_SIGNED_CERT_IN_CHAIN' });
        expect(reason()).toBe('certificate_refused');
        Object.assign(socket, { authorizationError: null, getPeerX509Certificate: () => x509Of('stranger') });
        expect(reason()).toBe('certificate_refused');
    });
    it('costs a remembered certificate microseconds', async () => {
        const verifier = certificateVerifier({ authorities: root.cert });
        const x509 = new X509Certificate(clients['orders']?.cert ?? '');
        const socket = { authorized: true, getPeerX509Certificate: () => x509 };
        const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket };
        const context = openContext(req);
        const credential = { scheme: 'certificate', value: '' };
        const once = () => {
            const start = performance.now();
            for (let turn = 0; turn < 1000; turn += 1)
                void verifier.verify(credential, req, context);
            return performance.now() - start;
        };
        once();
        expect(Math.min(once(), once(), once())).toBeLessThan(50);
    });
    it('says what it accepts', () => {
        const names = ['DNS:orders.internal', { spiffe: 'example.org' }, { subject: SUBJECT }];
        const { facts } = certificateVerifier({ names, issuer: 'internal' });
        expect(facts).toEqual({
            issuers: ['internal'],
            names: [
                'DNS:orders.internal',
                'URI:spiffe://example.org/*',
                'subject C=DE, O=Example\\, Inc, CN=orders',
            ],
            authorities: 'of the server',
        });
        const [guard] = by({ authorities: { a: root.cert, b: [other.cert, below.cert] } });
        expect(guardMetadataOf(guard)?.facts).toMatchObject({
            verifiers: [{ kind: 'certificate', issuers: ['a', 'b'], names: 'any', authorities: 3 }],
        });
    });
    it.each([
        ['nothing', () => undefined],
        ['no options', () => ({})],
        ['names without an issuer', () => ({ names: ['DNS:a'] })],
        ['an issuer alone', () => ({ issuer: 'a' })],
        ['an issuer beside named authorities', () => ({ authorities: { a: root.cert }, issuer: 'a' })],
        ['an empty list of names', () => ({ names: [], issuer: 'a' })],
        ['a name without kind', () => ({ names: ['orders.internal'], issuer: 'a' })],
        ['a wildcard', () => ({ names: ['DNS:*.internal'], issuer: 'a' })],
        ['two names in one', () => ({ names: ['DNS:a, DNS:b'], issuer: 'a' })],
        ['a quoted name', () => ({ names: ['DNS:"a"'], issuer: 'a' })],
        ['a SPIFFE id without its kind', () => ({ names: ['spiffe://a/b'], issuer: 'a' })],
        ['a SPIFFE id in upper case', () => ({ names: ['URI:spiffe://A/b'], issuer: 'a' })],
        ['a trust domain as an id', () => ({ names: [{ spiffe: 'spiffe://a' }], issuer: 'a' })],
        ['a trust domain with a wildcard', () => ({ names: [{ spiffe: '*' }], issuer: 'a' })],
        ['an empty subject', () => ({ names: [{ subject: '' }], issuer: 'a' })],
        ['a name of two kinds', () => ({ names: [{ spiffe: 'a', subject: 'CN=a' }], issuer: 'a' })],
        ['an expression', () => ({ names: [/a/], issuer: 'a' })],
        ['authorities that are no text', () => ({ authorities: [1] })],
        ['an empty list of authorities', () => ({ authorities: [] })],
        ['no authority by name', () => ({ authorities: {} })],
        ['an authority without a name', () => ({ authorities: { '': root.cert } })],
        ['text without a certificate', () => ({ authorities: 'ca.pem' })],
        ['a private key', () => ({ authorities: root.key })],
        ['a certificate that is no authority', () => ({ authorities: clients['orders']?.cert })],
        [
            'an authority beside one that is none',
            () => ({ authorities: root.cert + (clients['orders']?.cert ?? '') }),
        ],
        ['a broken certificate', () => ({ authorities: root.cert.replace('MII', 'AAA') })],
        ['a mapping that is no function', () => ({ authorities: root.cert, principal: {} })],
        ['the name that Node.js has for authorities', () => ({ ca: root.cert })],
    ])('throws at set-up for %s, and shows nothing of it', (_case, given) => {
        const make = () => certificateVerifier(given());
        expect(make).toThrow(TypeError);
        expect(make).not.toThrow(/BEGIN|PRIVATE/);
    });
});
describe('certificateVerifier, without openssl', () => {
    /** What a verifier reads of a certificate that a connection shows. */
    function verifyFake(verifier, subjectAltName, raw = 'bytes') {
        const x509 = {
            subject: 'CN=orders',
            subjectAltName,
            ca: false,
            raw: Buffer.from(raw),
            fingerprint256: raw,
            serialNumber: '1',
            validFrom: 'Jan  1 00:00:00 2020 GMT',
            validTo: 'Jan  1 00:00:00 2120 GMT',
        };
        const socket = { authorized: true, getPeerX509Certificate: () => x509 };
        const req = { method: 'GET', url: '/', headers: {}, rawHeaders: [], socket };
        return verifier.verify({ scheme: 'certificate', value: '' }, req, openContext(req));
    }
    it('recognises a certificate, and nothing that came in a header', () => {
        const verifier = certificateVerifier({ names: ['DNS:a'], issuer: 'a' });
        expect([verifier.kind, verifier.challenge]).toEqual(['certificate', 'ClientCertificate']);
        expect(verifier.recognises({ scheme: 'certificate', value: '' })).toBe(true);
        expect(verifier.recognises({ scheme: 'certificate', value: 'x' })).toBe(false);
        expect(verifier.recognises({ scheme: 'bearer', value: '' })).toBe(false);
        expect(verifier.recognises({ scheme: 'clientcertificate', value: '' })).toBe(false);
    });
    it('forgets the oldest where there are too many', () => {
        const verifier = certificateVerifier({ names: ['DNS:a'], issuer: 'a' });
        const reasonOf = (raw) => verifyFake(verifier, 'DNS:a', raw).reason;
        expect([reasonOf('first'), reasonOf('first')]).toEqual(['verified', 'remembered']);
        for (let other = 0; other < 4096; other += 1)
            reasonOf(`other ${other}`);
        expect(reasonOf('first')).toBe('verified');
    });
    it('forgets all when it is closed', async () => {
        const verifier = certificateVerifier({ names: ['DNS:a'], issuer: 'a' });
        verifyFake(verifier, 'DNS:a');
        await verifier.close?.();
        expect(verifyFake(verifier, 'DNS:a').reason).toBe('verified');
    });
    it('accepts by whatever names only one that stands there by itself, and never fails otherwise', () => {
        const verifier = certificateVerifier({ names: ['DNS:a', { spiffe: 'b' }], issuer: 'a' });
        const piece = fc.constantFrom('DNS:', 'URI:', 'spiffe://', 'a', 'b', 'b/x', ', ', ',', '"', '*.', '.', '/', ' ', '\\', '\0', 'é');
        const text = fc.oneof(fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')), fc.string());
        let number = 0;
        fc.assert(fc.property(text, (names) => {
            number += 1;
            let subject;
            try {
                subject = verifyFake(verifier, names, String(number)).principal.subject;
            }
            catch (cause) {
                expect(cause).toMatchObject({ reason: 'certificate_refused', status: 401 });
                return;
            }
            const listed = names.split(', ');
            expect(listed.map((name) => name.replace(/^URI:(?=spiffe:)/, '').replace(/^DNS:A$/, 'DNS:a'))).toContain(subject);
            expect(subject).toMatch(/^(?:DNS:a|spiffe:\/\/b\/[a-z/.]+)$/);
        }), { numRuns: 5000 });
    });
});
