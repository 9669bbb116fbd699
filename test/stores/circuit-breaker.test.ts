import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { CircuitBreaker, type BreakerState } from '../../src/stores/circuit-breaker.js'

describe('CircuitBreaker', () => {
  let now = 0
  let states: BreakerState[] = []
  const breakerOf = (): CircuitBreaker =>
    new CircuitBreaker({ failures: 3, coolDownMs: 1000, onChange: (state) => states.push(state) })
  const fail = (breaker: CircuitBreaker, times: number): void => {
    for (let i = 0; i < times; i += 1) {
      breaker.tryAcquire()
      breaker.failed()
    }
  }

  beforeEach(() => {
    now = 0
    states = []
    jest.spyOn(performance, 'now').mockImplementation(() => now)
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('opens after so many failures in a row, and not before', () => {
    const breaker = breakerOf()
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    expect(breaker.state).toBe('closed')
    fail(breaker, 1)
    expect(breaker.state).toBe('open')
    expect(breaker.tryAcquire()).toBe(false)
  })

  it('lets one probe through after the cool-down, whose outcome decides', () => {
    const breaker = breakerOf()
    fail(breaker, 3)
    now = 1000
    expect([breaker.tryAcquire(), breaker.tryAcquire()]).toEqual([true, false])
    breaker.failed()
    expect(breaker.tryAcquire()).toBe(false)
    now = 2000
    expect(breaker.tryAcquire()).toBe(true)
    breaker.succeeded()
    expect(breaker.tryAcquire()).toBe(true)
    expect(states).toEqual(['open', 'half-open', 'open', 'half-open', 'closed'])
  })
})
