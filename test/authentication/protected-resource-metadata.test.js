import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { protectedResourceMetadata, } from '../../src/authentication/protected-resource-metadata.js';
import { publicRoute } from '../../src/authentication/public-route.js';
import { denyByDefault } from '../../src/authorization/deny-by-default.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { serve } from '../support/server.js';
import { signer, trusting } from './harness.js';
const RESOURCE = 'https://resource.example.com';
const ONE = { resource: RESOURCE, authorizationServers: ['https://as1.example.com'] };
const metadataOf = (resource) => protectedResourceMetadata({ ...ONE, resource });
describe('RFC 9728, as written', () => {
    it.each([
        ['https://resource.example.com', '/.well-known/oauth-protected-resource'],
        ['https://resource.example.com/', '/.well-known/oauth-protected-resource'],
        ['https://resource.example.com/resource1', '/.well-known/oauth-protected-resource/resource1'],
        ['https://resource.example.com/a/b.c~d', '/.well-known/oauth-protected-resource/a/b.c~d'],
        ['https://resource.example.com:8443/a', '/.well-known/oauth-protected-resource/a'],
        ['http://localhost:3000/mcp', '/.well-known/oauth-protected-resource/mcp'],
    ])('section 3.1: the metadata of %s is at %s', (resource, path) => {
        const metadata = metadataOf(resource);
        expect([metadata.path, metadata.url]).toEqual([path, new URL(path, resource).href]);
    });
    it('section 3.1: a query stays at the end', () => {
        expect(metadataOf('https://resource.example.com/?tenant=1').url).toBe('https://resource.example.com/.well-known/oauth-protected-resource?tenant=1');
        expect(metadataOf('https://resource.example.com/a?tenant=1').url).toBe('https://resource.example.com/.well-known/oauth-protected-resource/a?tenant=1');
    });
    it('section 3.2: the example, but for what this library never does: tokens in a body', () => {
        const { document } = protectedResourceMetadata({
            resource: 'https://resource.example.com',
            authorizationServers: ['https://as1.example.com', 'https://as2.example.net'],
            scopesSupported: ['profile', 'email', 'phone'],
            resourceDocumentation: 'https://resource.example.com/resource_documentation.html',
        });
        expect(document).toEqual({
            resource: 'https://resource.example.com',
            authorization_servers: ['https://as1.example.com', 'https://as2.example.net'],
            bearer_methods_supported: ['header'],
            scopes_supported: ['profile', 'email', 'phone'],
            resource_documentation: 'https://resource.example.com/resource_documentation.html',
        });
    });
    it('section 2: each option is the member that it is called after; what is not given is left out', () => {
        const all = {
            ...ONE,
            scopesSupported: ['a'],
            resourceName: 'Orders',
            resourceDocumentation: `${RESOURCE}/docs`,
            resourcePolicyUri: `${RESOURCE}/policy`,
            resourceTosUri: `${RESOURCE}/tos`,
            jwksUri: `${RESOURCE}/jwks`,
            resourceSigningAlgValuesSupported: ['ES256'],
            dpopSigningAlgValuesSupported: ['ES256', 'EdDSA'],
            dpopBoundAccessTokensRequired: true,
            tlsClientCertificateBoundAccessTokens: true,
            authorizationDetailsTypesSupported: ['payment'],
            cacheSeconds: 60,
        };
        expect(Object.keys(protectedResourceMetadata(all).document).toSorted()).toEqual([
            'authorization_details_types_supported',
            'authorization_servers',
            'bearer_methods_supported',
            'dpop_bound_access_tokens_required',
            'dpop_signing_alg_values_supported',
            'jwks_uri',
            'resource',
            'resource_documentation',
            'resource_name',
            'resource_policy_uri',
            'resource_signing_alg_values_supported',
            'resource_tos_uri',
            'scopes_supported',
            'tls_client_certificate_bound_access_tokens',
        ]);
        expect(Object.keys(protectedResourceMetadata({ ...ONE, scopesSupported: undefined }).document)).toEqual(['resource', 'authorization_servers', 'bearer_methods_supported']);
    });
    it('section 5.1: every challenge names the address', async () => {
        const { url } = metadataOf(RESOURCE);
        const app = express();
        app.use(authenticate({ ...trusting(signer()), resourceMetadata: url }));
        app.use(secureErrors());
        const missing = await request(app).get('/');
        expect(missing.headers['www-authenticate']).toBe('Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource"');
        const malformed = await request(app).get('/').set('Authorization', 'Bearer a b');
        expect([malformed.status, malformed.headers['www-authenticate']]).toEqual([
            400,
            `Bearer resource_metadata="${url}", error="invalid_request"`,
        ]);
    });
});
describe('protectedResourceMetadata, served', () => {
    const metadata = protectedResourceMetadata({
        ...ONE,
        resource: `${RESOURCE}/orders`,
        scopesSupported: ['a'],
    });
    const byQuery = protectedResourceMetadata({ ...ONE, resource: `${RESOURCE}/tenants?t=1`, cacheSeconds: 0 });
    let server;
    beforeAll(async () => {
        const app = express();
        denyByDefault(app);
        app.get(metadata.path, publicRoute('OAuth metadata (RFC 9728)'), metadata);
        app.get(byQuery.path, publicRoute('OAuth metadata (RFC 9728)'), byQuery);
        app.use(authenticate({ ...trusting(signer()), resourceMetadata: metadata.url }));
        app.use(secureErrors());
        server = await serve(app);
    });
    afterAll(() => server.close());
    const ask = (path, init) => fetch(`${server.url}${path}`, init);
    it('answers anybody with JSON that may be kept, also where everything is refused by default', async () => {
        const answer = await ask(metadata.path);
        expect([answer.status, await answer.json()]).toEqual([200, metadata.document]);
        expect(answer.headers.get('content-type')).toBe('application/json');
        expect(answer.headers.get('cache-control')).toBe('public, max-age=3600');
    });
    it('answers HEAD with the same headers and no body', async () => {
        const answer = await ask(metadata.path, { method: 'HEAD' });
        expect([answer.status, await answer.text()]).toEqual([200, '']);
        expect(answer.headers.get('content-length')).toBe(String(JSON.stringify(metadata.document).length));
    });
    it('says nothing of the request: its Host and whatever a proxy says change no byte', async () => {
        const one = await request(server.url).get(metadata.path);
        const other = await request(server.url).get(metadata.path).set({
            Host: 'evil.test',
            'X-Forwarded-Host': 'evil.test',
            Forwarded: 'host=evil.test',
            Origin: 'https://evil.test',
        });
        expect(other.text).toBe(one.text);
        expect(JSON.stringify(other.headers)).not.toContain('evil');
    });
    it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('does not answer %s with it', async (method) => {
        const answer = await ask(metadata.path, { method });
        expect(await answer.text()).not.toContain('authorization_servers');
    });
    it.each([
        ['', 401],
        ['?t=2', 401],
        ['?t=1&x', 401],
        ['?t=1', 200],
    ])('answers, where the resource has a query, to that one only: %j', async (query, status) => {
        const answer = await ask(`${byQuery.path}${query}`);
        expect(answer.status).toBe(status);
        expect(answer.headers.get('cache-control') === 'no-cache').toBe(status === 200);
    });
    it('stands in no other place, and answers nothing for it', async () => {
        for (const path of ['/.well-known/oauth-protected-resource', `${metadata.path}/x`, '/orders'])
            expect((await ask(path)).status).toBe(401);
    });
    it('mounted by use answers nobody: every request then is a 500, and the log says why', async () => {
        const log = jest.spyOn(console, 'error').mockImplementation(() => undefined);
        const app = express();
        app.use(metadata);
        app.use(secureErrors());
        const answer = await request(app).get(metadata.path);
        expect([answer.status, answer.text.includes('authorization_servers')]).toEqual([500, false]);
        expect(log.mock.calls.join()).toContain('app.get(metadata.path, publicRoute(...), metadata)');
    });
});
describe('protectedResourceMetadata, at set-up', () => {
    it.each([
        ['nothing', undefined],
        ['no authorization server', { resource: RESOURCE }],
        ['an empty list of them', { ...ONE, authorizationServers: [] }],
        ['one by http', { ...ONE, authorizationServers: ['http://as.example'] }],
        ['one with a query', { ...ONE, authorizationServers: ['https://as.example?x'] }],
        ['one with a password', { ...ONE, authorizationServers: ['https://u:p@as.example'] }],
        ['a resource by http', { ...ONE, resource: 'http://resource.example.com' }],
        ['a resource with a fragment', { ...ONE, resource: `${RESOURCE}/#a` }],
        ['a resource with an empty fragment', { ...ONE, resource: `${RESOURCE}/#` }],
        ['a resource with a password', { ...ONE, resource: 'https://u:p@resource.example.com' }],
        ['a relative resource', { ...ONE, resource: '/orders' }],
        ['a resource with a parameter of Express', { ...ONE, resource: `${RESOURCE}/:id` }],
        ['a resource with a wildcard of Express', { ...ONE, resource: `${RESOURCE}/*all` }],
        ['a resource with dot segments', { ...ONE, resource: `${RESOURCE}/a/../b` }],
        ['a resource with a space', { ...ONE, resource: `${RESOURCE}/a b` }],
        ['a resource with a line break', { ...ONE, resource: `${RESOURCE}/a\nb` }],
        ['an empty list of scopes', { ...ONE, scopesSupported: [] }],
        ['two scopes in one text', { ...ONE, scopesSupported: ['a b'] }],
        ['a page that is a script', { ...ONE, resourceDocumentation: 'javascript:alert(1)' }],
        ['other ways to bring a token', { ...ONE, bearerMethodsSupported: ['query'] }],
        ['a word for a flag', { ...ONE, dpopBoundAccessTokensRequired: 'yes' }],
        ['a time in text', { ...ONE, cacheSeconds: '60' }],
        ['a member by its name in the RFC', { ...ONE, scopes_supported: ['a'] }],
    ])('throws for %s', (_case, given) => {
        expect(() => protectedResourceMetadata(given)).toThrow(TypeError);
    });
    it('does not follow a list that is changed afterwards, and cannot be changed itself', () => {
        const authorizationServers = ['https://as1.example.com'];
        const metadata = protectedResourceMetadata({ resource: RESOURCE, authorizationServers });
        authorizationServers.push('https://evil.test');
        expect(metadata.document['authorization_servers']).toEqual(['https://as1.example.com']);
        expect(() => Object.assign(metadata, { url: 'https://evil.test' })).toThrow(TypeError);
        expect(() => metadata.document['authorization_servers'].push('x')).toThrow(TypeError);
    });
});
