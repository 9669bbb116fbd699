/** What is used of node-redis's client of a Cluster. */
export interface NodeRedisCluster {
  readonly slots: unknown
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>
}

/** Whether a client speaks to a Cluster: ioredis says so, node-redis has a table of slots. */
export function isCluster(client: object): boolean {
  return (client as { isCluster?: unknown }).isCluster === true || isNodeRedisCluster(client)
}

/** Whether it is node-redis's, which must be told the key that a command is about. */
export function isNodeRedisCluster(client: object): client is NodeRedisCluster {
  return 'slots' in client
}

/** The slot of a key (Redis Cluster specification, "Hash tags"): CRC16 (XMODEM) of what stands between the first braces. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc % 16_384
}
