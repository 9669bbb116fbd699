import { describe, expect, it } from '@jest/globals'
import { lifecycle, type HealthStatus, type Stateful } from '../../src/index.js'

const part = (status: HealthStatus, fails = false): Stateful & { readonly calls: string[] } => {
  const calls: string[] = []
  const step = (name: string) => () => {
    calls.push(name)
    return fails ? Promise.reject(new Error(name)) : Promise.resolve()
  }
  return { calls, warmUp: step('warmUp'), close: step('close'), health: () => ({ name: 'part', status }) }
}

describe('lifecycle', () => {
  it.each<[HealthStatus[], HealthStatus]>([
    [[], 'ok'],
    [['ok', 'ok'], 'ok'],
    [['ok', 'degraded'], 'degraded'],
    [['degraded', 'down', 'ok'], 'down'],
  ])('is as well as the worst of %p', (statuses, expected) => {
    expect(lifecycle(...statuses.map((status) => part(status))).health().status).toBe(expected)
  })

  it.each(['warmUp', 'close'] as const)(
    '%s reaches every part even where one fails, and then says which',
    async (step) => {
      const parts = [part('ok'), part('ok', true), part('ok')]
      await expect(lifecycle(...parts)[step]()).rejects.toMatchObject({
        message: `lifecycle: ${step} failed in 1 of 3 parts`,
      })
      expect(parts.map(({ calls }) => calls)).toEqual([[step], [step], [step]])
    },
  )

  it.each([[{}], [undefined], [() => undefined]])('refuses %p, which has no state', (wrong) => {
    expect(() => lifecycle(part('ok'), wrong as never)).toThrow(
      'lifecycle: part 2 must be a middleware with warmUp, health and close',
    )
  })

  it('resolves where every part does', async () => {
    await expect(lifecycle(part('ok')).warmUp()).resolves.toBeUndefined()
  })
})
