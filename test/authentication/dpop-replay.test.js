import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { MemoryReplays } from '../../src/authentication/binding/replay/memory-replays.js';
import { proofName } from '../../src/authentication/binding/replay/replays.js';
import { onEvent } from '../../src/core/events.js';
import { memoryStore } from '../../src/stores/memory.js';
import { redisStore } from '../../src/stores/redis.js';
import { startRedis } from '../support/redis.js';
import { describeWith, program } from '../support/requirements.js';
import { serve } from '../support/server.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { authenticateBound, boundService, holder, outcomeOf, present, proofsOf } from './dpop-client.js';
import { service } from './harness.js';
const caller = holder();
const token = caller.token();
describe('the memory of proofs', () => {
    beforeEach(stopClocks);
    afterEach(releaseClocks);
    const bounds = { keepSeconds: 71, maxProofs: 10, maxProofsPerKey: 4 };
    const use = (memory, name, key = 'key', request = {}) => memory.use({ name, key, request }, bounds);
    const refusal = (full) => expect.objectContaining({
        status: 503,
        reason: 'replay_store_full',
        evidence: expect.objectContaining({ full }),
    });
    const fill = (memory) => {
        for (let index = 0; index < 10; index += 1)
            use(memory, `proof-${index}`, `key-${index % 3}`);
    };
    it('lets a proof in once, and its own request again', () => {
        const memory = new MemoryReplays();
        const request = {};
        expect(use(memory, 'a', 'key', request)).toBe(true);
        expect(use(memory, 'a', 'key', request)).toBe(true);
        expect(use(memory, 'a')).toBe(false);
        expect(use(memory, 'b', 'key', request)).toBe(true);
        expect(memory.size).toBe(2);
    });
    it('does not let a replay in whose request was first with another proof', () => {
        const memory = new MemoryReplays();
        const request = {};
        use(memory, 'a');
        use(memory, 'b', 'key', request);
        expect(use(memory, 'a', 'key', request)).toBe(false);
    });
    it('forgets no proof before its time, and has room again after', () => {
        const memory = new MemoryReplays();
        fill(memory);
        forward(71_000);
        expect(use(memory, 'proof-0')).toBe(false);
        expect(() => use(memory, 'one more')).toThrow(refusal('all'));
        forward(2000);
        expect(use(memory, 'proof-0')).toBe(true);
        expect(memory.size).toBe(1);
    });
    it('gives one key no more than its quota, and that back', () => {
        const memory = new MemoryReplays();
        for (let index = 0; index < 4; index += 1)
            use(memory, `greedy-${index}`, 'greedy');
        expect(() => use(memory, 'greedy-4', 'greedy')).toThrow(refusal('key'));
        expect(use(memory, 'other', 'other')).toBe(true);
        expect(use(memory, 'greedy-0', 'greedy')).toBe(false);
        forward(73_000);
        expect(use(memory, 'greedy-4', 'greedy')).toBe(true);
    });
    it('says how long until there is room, and that it is full once each time', () => {
        const events = [];
        const stop = onEvent((event) => events.push(event));
        const memory = new MemoryReplays();
        for (let round = 0; round < 2; round += 1) {
            fill(memory);
            forward(10_000);
            for (const name of ['x', 'y', 'z']) {
                expect(() => use(memory, name, 'other')).toThrow(expect.objectContaining({ headers: { 'retry-after': '62' } }));
            }
            forward(73_000);
        }
        stop();
        expect(events).toEqual(Array(2).fill({ event: 'replay_store_full', severity: 'error', facts: { proofs: 10 } }));
    });
    it('keeps each proof for as long as whoever let it in says', () => {
        const memory = new MemoryReplays();
        memory.use({ name: 'long', key: 'key', request: {} }, { ...bounds, keepSeconds: 600 });
        use(memory, 'short');
        forward(73_000);
        expect(use(memory, 'short')).toBe(true);
        expect(use(memory, 'long')).toBe(false);
        forward(530_000);
        expect(use(memory, 'long')).toBe(true);
    });
});
describe('the name of a proof', () => {
    it('is one for each key and id', () => {
        const names = [proofName('a', 'b'), proofName('a', '.b'), proofName('a', 'b.'), proofName('b', 'a')];
        expect(new Set(names).size).toBe(4);
        names.forEach((name) => {
            expect(name).toMatch(/^[\w-]{43}$/);
        });
    });
});
describe('a full memory', () => {
    it('refuses with 503, and a caller over its quota does not keep others away', async () => {
        const to = boundService({ store: memoryStore(), maxProofs: 4, maxProofsPerKey: 2 });
        const statuses = [];
        for (const who of [caller, caller, caller, holder(), holder(), holder()]) {
            const bound = who.token();
            statuses.push((await present(to, bound, who.proof(bound))).status);
        }
        expect(statuses).toEqual([200, 200, 503, 200, 200, 503]);
        expect(to.lastReason()).toBe('replay_store_full');
        expect(to.served()).toBe(4);
    });
    it('says Retry-After and nothing of why', async () => {
        const to = boundService({ maxProofs: 1 });
        await present(to, token, caller.proof(token));
        const answer = await present(to, token, caller.proof(token));
        expect(answer.headers['retry-after']).toMatch(/^\d+$/);
        expect(JSON.stringify(answer.body)).not.toMatch(/proof|replay|store/i);
    });
});
describeWith(program('redis-server', 'redis-server'), 'proofs in a real Redis', () => {
    let redis;
    let ioredis;
    let nodeRedis;
    const connected = () => createClient({ url: redis.url })
        .on('error', () => undefined)
        .connect();
    beforeAll(async () => {
        redis = await startRedis();
        ioredis = new Redis(redis.port, '127.0.0.1');
        ioredis.on('error', () => undefined);
        nodeRedis = await connected();
    });
    afterAll(async () => {
        ioredis.disconnect();
        nodeRedis.destroy();
        await redis.stop();
    });
    const stores = () => [
        redisStore(ioredis, { timeoutMs: 1000 }),
        redisStore(nodeRedis, { timeoutMs: 1000 }),
    ];
    it('are good for one of twenty requests at the same time to two instances', async () => {
        const services = stores().map((store) => boundService({ store }));
        const servers = await Promise.all(services.map(({ app }) => serve(app)));
        const headers = { authorization: `DPoP ${token}`, dpop: caller.proof(token) };
        const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => fetch(servers[index % 2].url, { headers })));
        expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(401)]);
        expect(services.reduce((sum, to) => sum + to.served(), 0)).toBe(1);
        await Promise.all(servers.map((server) => server.close()));
    });
    it('pass two middlewares on one request’s way, whichever client each asks through', async () => {
        const [one, other] = stores();
        const to = service([one, other, one].map((store) => authenticateBound({ store })));
        const proof = caller.proof(token);
        expect(await outcomeOf(to, token, proof)).toEqual([200, 'confirmed']);
        expect(await outcomeOf(to, token, proof)).toEqual([401, 'dpop_proof_replayed']);
    });
    it('are kept for the whole window and no longer, under a name that tells nothing', async () => {
        await ioredis.flushall();
        // Of its own prefix: what one process keeps under one prefix, it keeps for the longest of its windows.
        const store = redisStore(ioredis, { prefix: 'window', timeoutMs: 1000 });
        const to = boundService({ store, proofMaxAgeSeconds: 30, clockToleranceSeconds: 10 });
        await present(to, token, caller.proof(token, { jti: 'the-id' }));
        const [key = '', ...rest] = await ioredis.keys('*');
        expect(rest).toEqual([]);
        expect(key).toBe(`window:dpop:${proofName(caller.jkt, 'the-id')}`);
        expect(await ioredis.ttl(key)).toBeGreaterThanOrEqual(50);
        expect(await ioredis.ttl(key)).toBeLessThanOrEqual(51);
    });
    it('that are refused are not put there', async () => {
        await ioredis.flushall();
        const [store] = stores();
        const to = boundService({ store, nonce: { secrets: 'x'.repeat(32) } });
        for (const claims of [{}, { htm: 'PUT' }, { ath: 'x' }, { iat: 1 }, { nonce: 'x' }]) {
            await present(to, token, caller.proof(token, claims));
        }
        expect(await ioredis.keys('*')).toEqual([]);
    });
    const frozen = async (client) => {
        const to = boundService({ store: redisStore(client, { breakerFailures: 1, breakerCoolDownMs: 100 }) });
        expect((await present(to, token, caller.proof(token))).status).toBe(200);
        redis.freeze();
        try {
            const [slow, slowMs] = await timed(to);
            expect([slow, to.lastReason()]).toEqual([503, 'store_unavailable']);
            expect(slowMs).toBeLessThan(1000);
            expect((await timed(to))[0]).toBe(503);
        }
        finally {
            redis.thaw();
        }
        expect(to.served()).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 120));
        expect((await present(to, token, caller.proof(token))).status).toBe(200);
    };
    const timed = async (to) => {
        const startedMs = performance.now();
        const { status } = await present(to, token, caller.proof(token));
        return [status, performance.now() - startedMs];
    };
    it('are 503 within the time-out while it is frozen, with ioredis', () => frozen(ioredis));
    it('are 503 within the time-out while it is frozen, with node-redis', () => frozen(nodeRedis));
    it('are 503 where it is full', async () => {
        await ioredis.config('SET', 'maxmemory', '1');
        const to = boundService({ store: stores()[0] });
        expect(await outcomeOf(to, token, caller.proof(token))).toEqual([503, 'store_unavailable']);
        await ioredis.config('SET', 'maxmemory', '0');
    });
    it.each([[null], [undefined], [''], ['QUEUED'], [[]], [1]])('are refused where it answers with something else: %j', async (reply) => {
        const client = { defineCommand: () => undefined, call: () => Promise.resolve(reply) };
        const proofs = proofsOf({ store: redisStore(client) });
        const proof = caller.proof(token);
        const request = { method: 'GET', url: '/', headers: { dpop: proof }, rawHeaders: ['dpop', proof] };
        await expect(proofs.verify(request, token, caller.jkt)).rejects.toMatchObject({
            reason: 'dpop_proof_replayed',
        });
    });
});
