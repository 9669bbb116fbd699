import { describe, expect, it, jest } from '@jest/globals'
import type { Policy } from '../../../src/core/policy.js'
import { mandated } from './fixtures/scenario.js'

// A stand-in for the engine, which says what each test wants: these tests are about what the adapter makes of it. The
// engine itself is in contract.test.ts, where opa is on the PATH.
type Evaluate = (input: unknown, entrypoint: string | number) => unknown
let evaluate: Evaluate
let loads = 0
let loadFault: Error | undefined
const memories: unknown[] = []
const data: unknown[] = []
jest.unstable_mockModule('@open-policy-agent/opa-wasm', () => ({
  loadPolicy: async (_module: unknown, memory: unknown) => {
    loads += 1
    memories.push(memory)
    if (loadFault !== undefined) throw loadFault
    const own = loads
    return {
      entrypoints: { 'records/decision': 0 },
      setData: (value: unknown) => data.push(value),
      evaluate: (input: unknown, entrypoint: string | number) => {
        if (own !== loads) throw new Error('a worn instance is in use')
        return evaluate(input, entrypoint)
      },
    }
  },
}))
const { opaPolicy } = await import('../../../src/authorization/policy/opa.js')

const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
const question = mandated[0]!.request
const policyOf = (result: unknown, options = {}): Promise<Policy> => {
  evaluate = () => [{ result }]
  return opaPolicy({ wasm, version: '7', ...options })
}

describe('opaPolicy', () => {
  it.each<[unknown, object]>([
    [true, { decision: true }],
    [false, { decision: false }],
    [{ allow: true }, { decision: true }],
    [{ decision: false }, { decision: false }],
    [
      { allow: true, decision: true, rule: 'r', reason: 'why', version: '8' },
      { decision: true, rule: 'r', reason: 'why', version: '8' },
    ],
    [{ allow: true, rule: 1, reason: ['x'] }, { decision: true }],
    [
      { allow: true, rule: 'a\nb' },
      { decision: true, rule: 'a\ufffdb' },
    ],
  ])('makes of %j a decision', async (result, decision) => {
    expect((await policyOf(result))(question)).toEqual({ version: '7', ...decision })
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['the text "true"', 'true'],
    ['1', 1],
    ['a list', [true]],
    ['an empty object', {}],
    ['allow as text', { allow: 'true' }],
    ['allow and decision that differ', { allow: true, decision: false }],
    ['one of the two as text', { allow: true, decision: 'false' }],
    ['an inherited allow', Object.create({ allow: true })],
  ])('takes no decision from %s', async (_case, result) => {
    const policy = await policyOf(result)
    expect(() => policy(question)).toThrow(/opaPolicy/)
  })

  it.each<[string, unknown]>([
    ['no result set', undefined],
    ['an empty one: the decision is undefined', []],
    ['two results', [{ result: true }, { result: true }]],
    ['a result of another name', [{ allow: true }]],
    ['no list', { result: true }],
  ])('takes no decision from %s', async (_case, results) => {
    const policy = await policyOf(true)
    evaluate = () => results
    expect(() => policy(question)).toThrow(/opaPolicy/)
  })

  it('sends the four members of the question, and asks the entrypoint', async () => {
    const policy = await policyOf(true, { entrypoint: 'records/decision', data: { a: 1 }, maxMemoryMiB: 2 })
    const asked: unknown[] = []
    evaluate = (...given) => {
      asked.push(given)
      return [{ result: true }]
    }
    await policy({ ...question, token: 'x' } as never)
    expect(asked).toEqual([[question, 'records/decision']])
    expect(data.at(-1)).toEqual({ a: 1 })
    expect(memories.at(-1)).toEqual({ initial: 5, maximum: 32 })
  })

  it('never uses an instance again that failed, and lets the others wait for the next', async () => {
    const policy = await policyOf(true)
    const before = loads
    let faults = 2
    evaluate = (input) => {
      // So does the engine: a bare text that quotes what was sent.
      if ((faults -= 1) >= 0) throw `fault at ${JSON.stringify(input)}`
      return [{ result: true }]
    }
    expect(() => policy(question)).toThrow('opaPolicy: the evaluation failed')
    const [second, third, fourth] = [policy(question), policy(question), policy(question)]
    await expect(second).rejects.toThrow('opaPolicy: the evaluation failed')
    await expect(third).resolves.toMatchObject({ decision: true })
    await expect(fourth).resolves.toMatchObject({ decision: true })
    expect(loads).toBe(before + 2)
    expect(policy(question)).toMatchObject({ decision: true })
  })

  it('gives no answer while no instance can be made, and recovers', async () => {
    const policy = await policyOf(true)
    evaluate = () => {
      throw new Error('fault')
    }
    loadFault = new Error('out of memory')
    expect(() => policy(question)).toThrow()
    await expect(policy(question)).rejects.toThrow('out of memory')
    await expect(policy(question)).rejects.toThrow('out of memory')
    loadFault = undefined
    evaluate = () => [{ result: true }]
    await expect(policy(question)).resolves.toMatchObject({ decision: true })
    expect(policy(question)).toMatchObject({ decision: true })
  })

  it.each<[string, object]>([
    ['no module', {}],
    ['a path', { wasm: 'policy.wasm' }],
    ['bytes that are no module', { wasm: new Uint8Array(100) }],
    ['an entrypoint that it has not', { wasm, entrypoint: 'records/allow' }],
    ['an inherited entrypoint', { wasm, entrypoint: 'constructor' }],
    ['too much memory', { wasm, maxMemoryMiB: 4096 }],
    ['an unknown option', { wasm, rego: '' }],
  ])('rejects at set-up for %s', async (_case, options) => {
    await expect(opaPolicy(options as never)).rejects.toThrow(TypeError)
  })

  it('rejects at set-up for a module that is no policy', async () => {
    loadFault = new Error('opa_malloc is not a function')
    await expect(opaPolicy({ wasm })).rejects.toThrow(TypeError)
    loadFault = undefined
  })

  it('has a version of the module’s own', async () => {
    evaluate = () => [{ result: true }]
    const { version } = await (await opaPolicy({ wasm }))(question)
    expect(version).toMatch(/^sha256:[0-9a-f]{12}$/)
  })
})
