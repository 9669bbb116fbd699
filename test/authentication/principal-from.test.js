import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import express, {} from 'express';
import { expressjwt } from 'express-jwt';
import passport from 'passport';
import { Strategy as BearerStrategy } from 'passport-http-bearer';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { principalFrom, } from '../../src/authentication/principal-from.js';
import { requireScopes } from '../../src/authorization/require-scopes.js';
import { principalOf } from '../../src/core/context.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { AUDIENCE, ISSUER, service, signer } from './harness.js';
/** A middleware of somebody else's that puts a user on the request. */
function session(user) {
    return (req, _res, next) => {
        ;
        req.user = user;
        next();
    };
}
const fromSession = (req) => {
    const { user } = req;
    return user === undefined ? undefined : { subject: user.id, roles: user.roles, scopes: ['orders:read'] };
};
describe('principalFrom', () => {
    it('adopts the user of a session, so that other guards work with it', async () => {
        const to = service([
            session({ id: '42', roles: ['clerk'] }),
            principalFrom(fromSession, { name: 'session' }),
            requireScopes('orders:read'),
        ], (req) => {
            const { type, key, subject, issuer, authenticatedBy, scopes, roles, claims } = principalOf(req);
            return { type, key, subject, issuer, authenticatedBy, scopes, roles, claims };
        });
        const { status, body } = await request(to.app).get('/');
        expect(status).toBe(200);
        expect(body).toEqual({
            type: 'external',
            key: '["external:session","42"]',
            subject: '42',
            issuer: 'external:session',
            authenticatedBy: 'session',
            scopes: ['orders:read'],
            roles: ['clerk'],
            claims: {},
        });
        expect(to.decisions.map(({ guard, rule, reason }) => [guard, rule, reason])).toEqual([
            ['principalFrom', 'session', 'adopted'],
            ['requireScopes', 'orders:read', 'passed'],
        ]);
    });
    it('takes over whatever else is known', async () => {
        const known = {
            subject: '42',
            issuer: 'https://id.test',
            clientId: 'shop',
            claims: { tenant: 'a', nested: { list: [1] } },
            credentialId: 'session-1',
            expiresAt: 4_000_000_000,
        };
        const to = service(principalFrom(() => known, { name: 'session' }), (req) => principalOf(req));
        expect((await request(to.app).get('/')).body).toMatchObject(known);
    });
    it('copies and freezes what it is given: later changes do not reach the principal', async () => {
        const claims = { tenant: 'a', list: [1] };
        const roles = ['clerk'];
        const to = service(principalFrom(() => ({ subject: '42', claims, roles }), { name: 'session' }), (req) => {
            claims.tenant = 'b';
            claims.list.push(2);
            roles.push('admin');
            const principal = principalOf(req);
            expect(Object.isFrozen(principal) && Object.isFrozen(principal.claims)).toBe(true);
            return [principal.claims, [...principal.roles]];
        });
        expect((await request(to.app).get('/')).body).toEqual([{ tenant: 'a', list: [1] }, ['clerk']]);
    });
    it('reads scopes and roles from lists, sets and text', async () => {
        const held = async (scopes) => {
            const to = service(principalFrom(() => ({ subject: '42', scopes, roles: scopes }), { name: 'session' }), (req) => {
                const principal = principalOf(req);
                return [[...principal.scopes], [...principal.roles]];
            });
            return (await request(to.app).get('/')).body;
        };
        for (const scopes of [['a', 'b'], new Set(['a', 'b']), 'a b', ' a  b ']) {
            await expect(held(scopes)).resolves.toEqual([
                ['a', 'b'],
                ['a', 'b'],
            ]);
        }
    });
    it('waits for a reader that takes its time', async () => {
        const reader = async () => {
            await new Promise((resolve) => setTimeout(resolve, 5));
            return { subject: 'late' };
        };
        const to = service(principalFrom(reader, { name: 'session' }), (req) => principalOf(req).subject);
        expect((await request(to.app).get('/')).body).toBe('late');
    });
    it.each([[undefined], [null]])('answers 401 with a challenge where nobody is found: %p', async (nobody) => {
        for (const reader of [() => nobody, async () => nobody]) {
            const to = service(principalFrom(reader, { name: 'session' }));
            const answer = await request(to.app).get('/');
            expect([answer.status, answer.headers['www-authenticate'], to.lastReason()]).toEqual([
                401,
                'Bearer',
                'credential_missing',
            ]);
            expect(to.served()).toBe(0);
        }
    });
    it('says the challenge it was given, also for a guard that comes later', async () => {
        const options = { name: 'session', challenge: 'Cookie realm="shop"' };
        const strict = service(principalFrom(() => undefined, options));
        expect((await request(strict.app).get('/')).headers['www-authenticate']).toBe('Cookie realm="shop"');
        const late = service([
            principalFrom(() => undefined, { ...options, required: false }),
            requireScopes('a'),
        ]);
        expect((await request(late.app).get('/')).headers['www-authenticate']).toBe('Cookie realm="shop"');
    });
    it('lets nobody pass where required is false, as nobody', async () => {
        const to = service(principalFrom(() => undefined, { name: 'session', required: false }));
        await request(to.app).get('/').expect(200);
        expect(to.lastReason()).toBe('anonymous');
        const guarded = service([
            principalFrom(() => undefined, { name: 'session', required: false }),
            requireScopes('a'),
        ]);
        await request(guarded.app).get('/').expect(401);
        expect(guarded.lastReason()).toBe('principal_missing');
    });
    it.each([
        [
            'throws',
            () => {
                throw new Error('broken');
            },
        ],
        [
            'throws what is no error',
            () => {
                throw 'broken';
            },
        ],
        ['rejects', async () => Promise.reject(new Error('broken'))],
        ['answers false', () => false],
        ['answers a text', () => 'user-1'],
        ['answers an object without a subject', () => ({})],
        ['answers a promise of one', async () => ({})],
        ['answers an empty subject', () => ({ subject: '' })],
        ['answers a number as subject', () => ({ subject: 42 })],
        ['answers an empty issuer', () => ({ subject: '42', issuer: '' })],
        ['answers scopes that are no list', () => ({ subject: '42', scopes: 5 })],
        [
            'answers claims with a cycle',
            () => {
                const claims = {};
                claims['self'] = claims;
                return { subject: '42', claims };
            },
        ],
        [
            'answers what is waited for and has no subject',
            () => ({
                then: (resolve) => {
                    resolve({});
                },
            }),
        ],
    ])('answers 500 where the reader %s', async (_case, reader) => {
        for (const required of [true, false]) {
            const to = service(principalFrom(reader, { name: 'session', required }));
            await request(to.app).get('/').expect(500);
            expect(to.lastReason()).toBe('guard_fault');
            expect(to.served()).toBe(0);
        }
    });
    it('reads once, though it is mounted twice', async () => {
        let reads = 0;
        const adopt = principalFrom(() => {
            reads += 1;
            return { subject: '42' };
        }, { name: 'session' });
        const to = service([adopt, adopt]);
        await request(to.app).get('/').expect(200);
        expect(reads).toBe(1);
        expect(to.lastReason()).toBe('confirmed');
    });
    it('does not overrule another authentication: a second, different caller is 500', async () => {
        const key = signer();
        const auth = authenticate({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [key.jwk] } });
        const same = service([
            auth,
            principalFrom(() => ({ subject: 'user-1', issuer: ISSUER }), { name: 'session' }),
        ]);
        await request(same.app).get('/').set('Authorization', `Bearer ${key.token()}`).expect(200);
        const other = service([auth, principalFrom(() => ({ subject: 'admin' }), { name: 'session' })]);
        await request(other.app).get('/').set('Authorization', `Bearer ${key.token()}`).expect(500);
        expect(other.lastReason()).toBe('principal_conflict');
    });
    it('may stand beside optional tokens: whoever has one of both is known', async () => {
        const key = signer();
        const auth = authenticate({
            issuer: ISSUER,
            audience: AUDIENCE,
            jwks: { keys: [key.jwk] },
            required: false,
        });
        const chain = (user) => service([
            auth,
            session(user),
            principalFrom(fromSession, { name: 'session', required: false }),
            requireScopes('orders:read'),
        ]);
        await request(chain({ id: '42', roles: [] }).app)
            .get('/')
            .expect(200);
        const token = key.token({ scope: 'orders:read' });
        await request(chain(undefined).app).get('/').set('Authorization', `Bearer ${token}`).expect(200);
        await request(chain(undefined).app).get('/').expect(401);
        await request(chain({ id: '42', roles: [] }).app)
            .get('/')
            .set('Authorization', 'Bearer forged')
            .expect(401);
    });
    it.each([
        ['no reader', undefined, { name: 'a' }, 'principalFrom: read must be a function, got undefined'],
        ['a name for a reader', 'user', { name: 'a' }, 'principalFrom: read must be a function, got "user"'],
        ['no options', fromSession, undefined, 'principalFrom: options must be an object, got undefined'],
        ['no name', fromSession, {}, 'principalFrom: name must be a name of 1 to 64'],
        ['a name with spaces', fromSession, { name: 'a b' }, 'principalFrom: name must be a name of 1 to 64'],
        [
            'a required that is no flag',
            fromSession,
            { name: 'a', required: 'no' },
            'principalFrom: required must be true or false, got "no"',
        ],
        [
            'an empty challenge',
            fromSession,
            { name: 'a', challenge: '' },
            'principalFrom: challenge must be a scheme',
        ],
        [
            'a mode that would let everybody in',
            fromSession,
            { name: 'a', mode: 'report' },
            'principalFrom: mode must be "enforce"',
        ],
        [
            'an unknown option',
            fromSession,
            { name: 'a', optional: true },
            'principalFrom: unknown option "optional"',
        ],
    ])('cannot be made with %s', (_case, reader, options, message) => {
        expect(() => principalFrom(reader, options)).toThrow(message);
    });
});
describe('principalFrom beside other libraries', () => {
    const key = signer();
    it('adopts what passport established', async () => {
        const authenticator = new passport.Passport();
        authenticator.use(new BearerStrategy((token, done) => {
            done(null, token === 'good' ? { id: '42', roles: ['clerk'] } : false, {
                scope: 'orders:read',
                message: '',
            });
        }));
        const app = express();
        app.use(authenticator.authenticate('bearer', { session: false }));
        app.use(principalFrom(fromSession, { name: 'passport-http-bearer' }));
        app.get('/', requireScopes('orders:read'), (req, res) => {
            res.json(principalOf(req));
        });
        app.use(secureErrors());
        const { status, body } = await request(app).get('/').set('Authorization', 'Bearer good');
        expect([status, body.subject, body.authenticatedBy, body.roles]).toEqual([
            200,
            '42',
            'passport-http-bearer',
            ['clerk'],
        ]);
        await request(app).get('/').set('Authorization', 'Bearer bad').expect(401);
        await request(app).get('/').expect(401);
    });
    it('adopts what express-jwt established', async () => {
        const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' });
        const app = express();
        app.use(expressjwt({
            secret: publicKey,
            algorithms: ['ES256'],
            audience: AUDIENCE,
            issuer: ISSUER,
        }));
        app.use(principalFrom((req) => {
            const { auth } = req;
            return auth?.sub === undefined
                ? undefined
                : { subject: auth.sub, issuer: auth.iss, scopes: auth.scope ?? [], claims: auth };
        }, { name: 'express-jwt' }));
        app.get('/', requireScopes('orders:write'), (req, res) => {
            res.json(principalOf(req));
        });
        app.use(secureErrors());
        const send = (token) => request(app).get('/').set('Authorization', `Bearer ${token}`);
        const { status, body } = await send(key.token({ scope: 'orders:read orders:write' }));
        expect([status, body.subject, body.issuer, body.type]).toEqual([200, 'user-1', ISSUER, 'external']);
        await send(key.token({ scope: 'orders:read' })).expect(403);
        await send(signer().token()).expect(401);
    });
});
