import { generateKeyPairSync, sign } from 'node:crypto';
import express from 'express';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { openContext } from '../../src/core/context.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
export const ISSUER = 'https://id.test';
export const AUDIENCE = 'https://api.test';
export function signer(kid = 'key-1') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signSegments = (header, payload) => {
        const input = `${segment(header)}.${segment(payload)}`;
        const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
        return `${input}.${signature.toString('base64url')}`;
    };
    return {
        jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
        privateKey,
        sign: signSegments,
        token: (claims, header) => signSegments({ alg: 'ES256', kid, typ: 'at+jwt', ...header }, accessClaims(claims)),
    };
}
/** The claims of an access token, with these changed. */
export function accessClaims(claims = {}) {
    const now = nowSeconds();
    const standard = {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: 'user-1',
        client_id: 'client-1',
        iat: now,
        exp: now + 300,
    };
    return { ...standard, jti: 'token-1', ...claims };
}
export function nowSeconds() {
    return Math.floor(Date.now() / 1000);
}
/** One segment of a compact token: base64url of JSON, or of text as it is. */
export function segment(content) {
    return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64url');
}
/** A token whose signature nobody made. */
export function unsigned(header, payload, signature = 'AAAA') {
    return `${segment(header)}.${segment(payload)}.${signature}`;
}
/** An application behind these middlewares; the handler answers with what `answer` makes of the request. */
export function service(guards, answer = () => ({ ok: true })) {
    const decisions = [];
    let served = 0;
    const app = express();
    app.use((req, _res, next) => {
        openContext(req).observe((decision) => decisions.push(decision));
        next();
    });
    for (const guard of [guards].flat())
        app.use(guard);
    app.use((req, res) => {
        served += 1;
        res.json(answer(req) ?? null);
    });
    app.use(secureErrors());
    return { app, decisions, lastReason: () => decisions.at(-1)?.reason, served: () => served };
}
/** The options of a middleware that takes the tokens of this signer. */
export function trusting({ jwk }) {
    return { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [jwk] } };
}
/** Makes applications behind `authenticate` that take the tokens of this signer, with these options changed. */
export function serviceTrusting(key) {
    return (options = {}, answer) => service(authenticate({ ...trusting(key), ...options }), answer);
}
export function send(to, token) {
    return request(to.app).get('/').set('Authorization', `Bearer ${token}`);
}
/** Sends a token and says what came of it: the status and the reason that was recorded. */
export async function outcome(to, token) {
    const { status } = await send(to, token);
    return [status, to.lastReason()];
}
/** A request as `verifyRequest` sees it, without a connection. */
export function incoming(authorization) {
    const fields = authorization === undefined ? {} : { authorization };
    return {
        method: 'GET',
        url: '/',
        headers: fields,
        rawHeaders: Object.entries(fields).flat(),
        socket: { remoteAddress: '127.0.0.1' },
    };
}
