import { describe, expect, it, jest } from '@jest/globals'
import { onEvent } from '../../src/core/events.js'
import { MemoryCounter } from '../../src/stores/memory/counter.js'

const take = (counter: MemoryCounter, key: string, cost = 1): boolean => counter.take({ key, cost }).allowed

const withClock = (test: (advanceMs: (milliseconds: number) => void) => void): void => {
  let now = 1000
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now)
  test((milliseconds) => {
    now += milliseconds
  })
  clock.mockRestore()
}

describe('MemoryCounter', () => {
  it('allows exactly the limit in a window and starts anew after it', () => {
    withClock((advanceMs) => {
      const counter = new MemoryCounter({ name: 'x', limit: 2, windowSeconds: 10 })
      expect([take(counter, 'a'), take(counter, 'a'), take(counter, 'a')]).toEqual([true, true, false])
      expect(take(counter, 'b')).toBe(true)
      advanceMs(9_999)
      expect(take(counter, 'a')).toBe(false)
      advanceMs(1)
      expect(take(counter, 'a')).toBe(true)
    })
  })

  it('says what is left and when the window ends', () => {
    withClock((advanceMs) => {
      const counter = new MemoryCounter({ name: 'x', limit: 3, windowSeconds: 10 })
      expect(counter.take({ key: 'a', cost: 1 })).toEqual({ allowed: true, remaining: 2, resetMs: 10_000 })
      advanceMs(4000)
      expect(counter.peek('a')).toEqual({ allowed: true, remaining: 2, resetMs: 6000 })
      expect(counter.peek('unknown')).toEqual({ allowed: true, remaining: 3, resetMs: 10_000 })
    })
  })

  it('says 60 seconds of a window of 60 seconds at any moment of a clock with fractions', () => {
    let now = 0
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now)
    for (let i = 0; i < 2000; i += 1) {
      now += 977.7777777
      const counter = new MemoryCounter({ name: 'x', limit: 1, windowSeconds: 60 })
      expect(counter.take({ key: 'a', cost: 1 }).resetMs).toBe(60_000)
    }
    clock.mockRestore()
  })

  it('charges nothing for what it refuses', () => {
    const counter = new MemoryCounter({ name: 'x', limit: 5, windowSeconds: 10 })
    expect([take(counter, 'a', 4), take(counter, 'a', 2), take(counter, 'a', 1)]).toEqual([true, false, true])
  })

  it('counts a window of thirty days', () => {
    const counter = new MemoryCounter({ name: 'x', limit: 1, windowSeconds: 2_592_000 })
    expect([take(counter, 'a'), take(counter, 'a')]).toEqual([true, false])
  })

  it('drops finished windows, so that memory follows live callers', () => {
    withClock((advanceMs) => {
      const counter = new MemoryCounter({ name: 'x', limit: 1, windowSeconds: 1 })
      for (let i = 0; i < 1000; i += 1) take(counter, `key-${i}`)
      expect(counter.size).toBe(1000)
      advanceMs(1001)
      take(counter, 'another')
      expect(counter.size).toBe(1)
    })
  })

  it('when full never forgets a live counter: new keys share one, and an event says so once', () => {
    const events: string[] = []
    const stop = onEvent(({ event }) => events.push(event))
    const counter = new MemoryCounter({ name: 'x', limit: 2, windowSeconds: 60, maxKeys: 100 })
    take(counter, 'attacker')
    take(counter, 'attacker')
    for (let i = 0; i < 10_000; i += 1) take(counter, `junk-${i}`)
    stop()
    expect(take(counter, 'attacker')).toBe(false)
    expect(take(counter, 'yet-another')).toBe(false)
    expect(counter.size).toBeLessThanOrEqual(101)
    expect(events).toEqual(['limiter_overflow'])
  })

  it('has room again when windows have ended', () => {
    withClock((advanceMs) => {
      const counter = new MemoryCounter({ name: 'x', limit: 1, windowSeconds: 1, maxKeys: 2 })
      for (const key of ['a', 'b', 'c', 'd']) take(counter, key)
      advanceMs(1001)
      expect([take(counter, 'e'), take(counter, 'f')]).toEqual([true, true])
    })
  })
})
