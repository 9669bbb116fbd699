import type { Policy, PolicyEntity } from '../../../../src/core/policy.js'

interface OpenFgaStore {
  /** Such as `https://fga.internal/stores/01H.../check`. */
  readonly checkUrl: string
  readonly modelId: string
  readonly apiToken: string
  readonly timeoutMs?: number
}

const MAX_ANSWER = 16 * 1024

/** Asks OpenFGA whether the subject has the relation that the action names. Properties are the conditions' context. */
export function openFgaPolicy({ checkUrl, modelId, apiToken, timeoutMs = 500 }: OpenFgaStore): Policy {
  return async ({ subject, action, resource, context }) => {
    const response = await fetch(checkUrl, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${apiToken}` },
      body: JSON.stringify({
        authorization_model_id: modelId,
        tuple_key: { user: named(subject), relation: action.name, object: named(resource) },
        context: {
          ...context,
          subject: { ...subject.properties },
          action: { ...action.properties },
          resource: { ...resource.properties },
        },
      }),
    })
    if (response.status !== 200 || !/^application\/json\b/.test(response.headers.get('content-type') ?? '')) {
      await response.body?.cancel()
      throw new Error(`OpenFGA answered ${response.status}`)
    }
    const { allowed } = JSON.parse(await bounded(response)) as { allowed?: unknown }
    if (typeof allowed !== 'boolean') throw new Error('OpenFGA answered no decision')
    return { decision: allowed, version: modelId }
  }
}

/** `user:*` is everybody and `team:a#member` a set: an id must be able to be neither. */
function named({ type, id }: PolicyEntity): string {
  if (!/^[\w-]+$/.test(type) || !/^[^\s:#*]+$/.test(id)) throw new Error('not an OpenFGA identifier')
  return `${type}:${id}`
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).byteLength
    if (length > MAX_ANSWER) throw new Error('OpenFGA answered too much')
    chunks.push(chunk as Uint8Array)
  }
  return Buffer.concat(chunks).toString('utf8')
}
