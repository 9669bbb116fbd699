import { redisStore } from 'express-bulwark/redis'

/**
 * Where limits are counted: in Redis where `REDIS_URL` says one, shared by every instance of the service, else in the
 * memory of this process.
 *
 * @param {string | undefined} url
 */
export async function storeAt(url) {
  if (url === undefined || url === '') return { store: undefined, close: async () => undefined }
  const { Redis } = await import('ioredis')
  // What cannot be sent now is not kept for later: by then the request has been decided.
  const client = new Redis(url, { enableOfflineQueue: false })
  // The store says when it goes away and comes back (events store_down and store_up).
  client.on('error', () => undefined)
  return {
    store: redisStore(client, { prefix: 'orders' }),
    close: async () => {
      client.disconnect()
    },
  }
}
