// What the types of @open-policy-agent/opa-wasm expect of the "dom" library, which this project does without.
type BufferSource = ArrayBufferView | ArrayBuffer

declare namespace WebAssembly {
  interface MemoryDescriptor {
    initial: number
    maximum?: number
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor)
    readonly buffer: ArrayBuffer
  }
  class Module {
    private readonly module: never
  }
  class Instance {
    private readonly instance: never
  }
  interface WebAssemblyInstantiatedSource {
    readonly instance: Instance
    readonly module: Module
  }
  function compile(bytes: BufferSource): Promise<Module>
}
