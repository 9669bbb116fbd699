import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

interface Answer {
  readonly number: number
  readonly result?: string
  readonly error?: string
}

/** A real authorization server (oidc-provider), in a process of its own. */
export interface AuthorizationServer {
  readonly issuer: string
  /** An access token by the client credentials grant, signed by the newest key. */
  token(client: string): Promise<string>
  /** A new key signs from now on; the old ones stay published. */
  rotate(): Promise<void>
  /** Only the key that signs stays published. */
  retireOldKeys(): Promise<void>
  /** Nothing listens on its port any more. */
  stop(): Promise<void>
  /** It listens on the same port again, with the same keys. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Starts it for one audience and clients with their scopes. */
export async function authorizationServer(
  audience: string,
  scopes: Readonly<Record<string, string>>,
): Promise<AuthorizationServer> {
  const clients = Object.entries(scopes).map(([id, scope]) => ({ id, scope, secret: crypto.randomUUID() }))
  const { ask, close } = control('authorization-server-process.js', { audience, clients })

  async function tell(command: string): Promise<void> {
    await ask(command)
  }

  return {
    issuer: (await ask('start')) ?? '',
    token: async (client) => (await ask('token', client)) ?? '',
    rotate: () => tell('rotate'),
    retireOldKeys: () => tell('retireOldKeys'),
    stop: () => tell('stop'),
    start: () => tell('start'),
    close,
  }
}

/** What a token of the opaque kind is made of: a model of oidc-provider and its members. */
interface Minted {
  readonly model: 'AccessToken' | 'ClientCredentials'
  readonly clientId: string
  readonly audience?: string
  readonly accountId?: string
  readonly expiresIn?: number
  readonly jkt?: string
  readonly 'x5t#S256'?: string
  readonly [member: string]: unknown
}

/** A real authorization server of opaque tokens, with an introspection endpoint (RFC 7662). */
export interface OpaqueAuthorizationServer {
  readonly issuer: string
  mint(token: Minted): Promise<string>
  revoke(token: string): Promise<void>
  close(): Promise<void>
}

/** Starts it for one audience and clients, each as its registration (RFC 7591) has it. */
export async function opaqueAuthorizationServer(
  audience: string,
  clients: readonly Readonly<Record<string, unknown>>[],
): Promise<OpaqueAuthorizationServer> {
  const { ask, close } = control('authorization-server-opaque-process.js', { audience, clients })
  return {
    issuer: (await ask('start')) ?? '',
    mint: async (token) => (await ask('mint', JSON.stringify(token))) ?? '',
    revoke: async (token) => {
      await ask('revoke', token)
    },
    close,
  }
}

interface Controlled {
  readonly ask: (command: string, argument?: string) => Promise<string | undefined>
  readonly close: () => Promise<void>
}

/** A script of this folder in a process of its own, told what to do over IPC. */
function control(script: string, settings: object): Controlled {
  const path = fileURLToPath(new URL(script, import.meta.url))
  // What oidc-provider has to say about the version of Node.js is no part of a test's output.
  const child = fork(path, [JSON.stringify(settings)], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const waiting = new Map<number, (answer: Answer) => void>()
  let sent = 0
  child.on('message', (answer: Answer) => {
    waiting.get(answer.number)?.(answer)
    waiting.delete(answer.number)
  })
  child.on('exit', (code) => {
    waiting.forEach((settle, number) => {
      settle({ number, error: `the authorization server ended with code ${code ?? 'none'}` })
    })
  })
  return {
    ask: async (command, argument) => {
      const number = (sent += 1)
      const { error, result } = await new Promise<Answer>((resolve) => {
        waiting.set(number, resolve)
        child.send({ number, command, argument })
      })
      if (error !== undefined) throw new Error(error)
      return result
    },
    close: async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}
