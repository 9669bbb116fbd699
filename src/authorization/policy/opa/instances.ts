import { loadPolicy } from '@open-policy-agent/opa-wasm'

type Instance = Awaited<ReturnType<typeof loadPolicy>>

interface Source {
  readonly wasm: Uint8Array
  readonly entrypoint?: string
  readonly data?: Readonly<Record<string, unknown>>
  readonly maxMemoryMiB?: number
}

const PAGES_PER_MIB = 16
const INITIAL_PAGES = 5

/**
 * Evaluates with one instance at a time, and with a fresh one after a fault: what an exception leaves behind inside
 * a module (its stack pointer, half-written values) is not for the next request.
 */
export async function loadInstances(source: Source): Promise<(input: object) => unknown> {
  const { entrypoint = 0 } = source
  const module = await compile(source.wasm)
  const load = async (): Promise<Instance> => {
    const memory = { initial: INITIAL_PAGES, maximum: (source.maxMemoryMiB ?? 64) * PAGES_PER_MIB }
    const instance = await loadPolicy(module, memory)
    if (source.data !== undefined) instance.setData(source.data)
    return instance
  }

  const first = await load().catch((cause: unknown) => {
    throw new TypeError('opaPolicy: wasm is no compiled policy, or data does not fit', { cause })
  })
  if (typeof entrypoint === 'string' && !Object.hasOwn(first.entrypoints as object, entrypoint)) {
    throw new TypeError('opaPolicy: entrypoint is not one of the module')
  }

  let current: Instance | Promise<Instance> | undefined = first
  const renew = (): Promise<Instance> => {
    const pending = load()
    pending.then(
      (fresh) => {
        current = fresh
      },
      () => {
        current = undefined
      },
    )
    return pending
  }

  return function evaluate(input: object): unknown {
    current ??= renew()
    // Not with what was waited for: a request before this one may have worn it out.
    if (current instanceof Promise) return current.then(() => evaluate(input))
    try {
      return current.evaluate(input, entrypoint)
    } catch {
      current = renew()
      // No cause: the engine throws bare texts that may quote the input.
      throw new Error('opaPolicy: the evaluation failed')
    }
  }
}

async function compile(wasm: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(wasm)
  } catch (cause) {
    throw new TypeError('opaPolicy: wasm is no WebAssembly module', { cause })
  }
}
