import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { dpopProofs } from '../../src/authentication/binding/dpop.js';
import { memoryStore } from '../../src/stores/memory.js';
import { nowSeconds, segment, service, signer, trusting } from './harness.js';
export const ORIGIN = 'https://orders.example';
export const issuer = signer();
export function holder() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const { crv, kty, x, y } = jwk;
    const jkt = sha256(JSON.stringify({ crv, kty, x, y }));
    const signSegments = (header, payload) => {
        const input = `${segment(header)}.${segment(payload)}`;
        const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
        return `${input}.${signature.toString('base64url')}`;
    };
    return {
        jwk,
        privateJwk: privateKey.export({ format: 'jwk' }),
        jkt,
        privateKey,
        token: (claims) => issuer.token({ cnf: { jkt }, ...claims }),
        proof: (token, claims, header) => signSegments({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header }, proofClaims(token, claims)),
        sign: signSegments,
    };
}
export function proofClaims(token, claims = {}) {
    return {
        jti: randomUUID(),
        htm: 'GET',
        htu: `${ORIGIN}/`,
        iat: nowSeconds(),
        ath: sha256(token),
        ...claims,
    };
}
export function sha256(text) {
    return createHash('sha256').update(text).digest('base64url');
}
/** An application that takes bound tokens of `issuer`, with a memory of its own. */
export function boundService(dpop = {}, options = {}, answer) {
    return service(authenticateBound(dpop, options), answer);
}
export function authenticateBound(dpop = {}, options = {}) {
    return authenticate({
        ...trusting(issuer),
        ...options,
        dpop: { publicOrigin: ORIGIN, store: memoryStore(), ...dpop },
    });
}
export function present(to, token, proof) {
    return request(to.app).get('/').set('Authorization', `DPoP ${token}`).set('DPoP', proof);
}
/** Sends a token with a proof and says what came of it: the status and the reason that was recorded. */
export async function outcomeOf(to, token, proof) {
    const { status } = await present(to, token, proof);
    return [status, to.lastReason()];
}
export function proofsOf(options = {}) {
    return dpopProofs('dpop', { publicOrigin: ORIGIN, store: memoryStore(), ...options });
}
/** A request as the check of a proof sees it. */
export function carrying(proof, parts = {}) {
    const fields = { method: 'GET', originalUrl: '/', url: '/', headers: { dpop: proof } };
    return { ...fields, rawHeaders: ['DPoP', proof], ...parts };
}
/** What came of checking a proof, without HTTP: `accepted`, or the refusal's reason with what its evidence says. */
export async function checked(proofs, req, token, jkt) {
    try {
        await proofs.verify(req, token, jkt);
        return 'accepted';
    }
    catch (cause) {
        const { reason = String(cause), evidence = {} } = cause;
        // The rest of a mismatch of URLs is for people; its own test looks at it.
        const shown = evidence['mismatch'] === 'url' ? ['url'] : Object.values(evidence);
        return [reason, ...shown].join(' ');
    }
}
