import { describe, expect, it } from '@jest/globals';
import express, {} from 'express';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { publicRoute } from '../../src/authentication/public-route.js';
import { openContext, optionalPrincipalOf } from '../../src/core/context.js';
import { guardMetadataOf } from '../../src/core/metadata.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { AUDIENCE, ISSUER, signer } from './harness.js';
const open = (reason = 'liveness probe') => publicRoute(reason);
const answer = (req, res) => {
    res.json(optionalPrincipalOf(req)?.subject ?? 'nobody');
};
/** With somebody who listens: what nobody hears of is printed. */
function application(mount, observe = () => undefined) {
    const app = express();
    app.use((req, _res, next) => {
        openContext(req).observe(observe);
        next();
    });
    mount(app);
    app.use(secureErrors());
    return app;
}
describe('publicRoute', () => {
    it.each([
        ['a route of the application', (app) => app.get('/health', open(), answer), '/health'],
        ['a chain of routes', (app) => app.route('/health').get(open(), answer), '/health'],
        ['a route with several handlers', (app) => app.get('/health', [open(), answer]), '/health'],
        ['app.all', (app) => app.all('/health', open(), answer), '/health'],
        [
            'a route after another one that passed on',
            (app) => app
                .get('/health', (_req, _res, next) => {
                next();
            })
                .get('/health', open(), answer),
            '/health',
        ],
        [
            'a route of a router',
            (app) => app.use('/internal', express.Router().get('/health', open(), answer)),
            '/internal/health',
        ],
    ])('lets everybody pass in %s', async (_case, mount, path) => {
        const answered = await request(application(mount)).get(path);
        expect([answered.status, answered.body]).toEqual([200, 'nobody']);
    });
    it.each([
        ['for the whole application', (app) => app.use(open()).get('/health', answer)],
        ['for a path', (app) => app.use('/health', open()).get('/health', answer)],
        ['for a router', (app) => app.use(express.Router().use(open()).get('/health', answer))],
        [
            'behind a route that passed the request on',
            (app) => app
                .get('/health', (_req, _res, next) => {
                next();
            })
                .use(open())
                .use(answer),
        ],
    ])('answers 500 where it is mounted %s: it would speak for whatever comes after it', async (_case, mount) => {
        const answered = await request(application(mount)).get('/health');
        expect([answered.status, answered.body.code]).toEqual([500, 'internal']);
    });
    it('opens its own route only, and only for the methods of it', async () => {
        const key = signer();
        const app = application((app) => {
            app.get('/health', open(), answer);
            app.use(authenticate({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [key.jwk] } }));
            app.get('/orders', answer);
        });
        await request(app).get('/health').expect(200);
        await request(app).head('/health').expect(200);
        await request(app).post('/health').expect(401);
        await request(app).get('/health/more').expect(401);
        await request(app).get('/orders').expect(401);
        await request(app).get('/orders').set('Authorization', `Bearer ${key.token()}`).expect(200);
    });
    it('does not look at a credential, good or bad', async () => {
        const app = application((app) => app.get('/health', open(), answer));
        const answered = await request(app).get('/health').set('Authorization', 'Bearer forged');
        expect([answered.status, answered.body]).toEqual([200, 'nobody']);
    });
    it('is recorded with its reason, which readers of the guard see too', async () => {
        const decisions = [];
        const app = application((app) => app.get('/health', open('load balancer'), answer), (decision) => decisions.push(decision));
        await request(app).get('/health').expect(200);
        expect(decisions).toMatchObject([
            { outcome: 'allow', reason: 'public', route: '/health', evidence: { public: 'load balancer' } },
        ]);
        expect(guardMetadataOf(open('load balancer'))).toMatchObject({
            kind: 'publicRoute',
            layer: 'authentication',
            facts: { reason: 'load balancer' },
        });
    });
    it.each([
        [undefined],
        [''],
        [' '],
        ['\t\n'],
        ['x'.repeat(201)],
        [5],
        [null],
        [true],
        [{ reason: 'probe' }],
    ])('asks for a reason: %p is none', (reason) => {
        expect(() => publicRoute(reason)).toThrow('publicRoute: reason must be a non-empty string of at most 200 characters');
    });
});
