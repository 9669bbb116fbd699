import { jest } from '@jest/globals';
/** Stops wall clock and monotonic clock, and nothing else: sockets, timers and promises go on. */
export function stopClocks() {
    jest.useFakeTimers({
        doNotFake: [
            'hrtime',
            'nextTick',
            'queueMicrotask',
            'setImmediate',
            'clearImmediate',
            'setInterval',
            'clearInterval',
            'setTimeout',
            'clearTimeout',
        ],
    });
}
export function forward(milliseconds) {
    jest.advanceTimersByTime(milliseconds);
}
export function releaseClocks() {
    jest.useRealTimers();
}
