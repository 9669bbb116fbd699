import { createServer } from 'node:http';
import { openContext } from '../../src/core/context.js';
import { onEvent } from '../../src/core/events.js';
/** A request as it arrives from a gateway, without a connection; a header with several values came in as many lines. */
export function arriving(headers, method = 'GET', url = '/orders/1?x=1') {
    const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
    return {
        method,
        url,
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')])),
        rawHeaders: lines.flat(),
        socket: { remoteAddress: '127.0.0.1' },
    };
}
/** What a proof says of a request with this header. */
export async function prove(proof, req) {
    return proof.prove(req, openContext(req));
}
/** The reasons of the refusals that were told while `work` was done. */
export async function reasonsOf(work) {
    const events = [];
    const stop = onEvent((event) => events.push(event));
    try {
        await work();
    }
    finally {
        stop();
    }
    return events.filter(({ event }) => event === 'assertion_refused').map(({ facts }) => facts['reason']);
}
/** Answers each path with a status and a body. */
export async function keyServer(answer) {
    const asked = [];
    const server = createServer((req, res) => {
        const path = req.url ?? '';
        asked.push(path);
        const [status, body, headers] = answer(path);
        res.writeHead(status, headers).end(body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        asked,
        close: () => new Promise((resolve) => {
            server.close(() => {
                resolve();
            });
            server.closeAllConnections();
        }),
    };
}
