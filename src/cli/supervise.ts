import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { neutralise } from '../core/text.js'
import { CommandFailure, unloadable } from './failure.js'
import { REPLY_DESCRIPTOR, type Examination, type Reply, type Request } from './protocol.js'

export interface Supervision {
  /** File that runs in the other process. */
  readonly inside: string
  readonly cwd: string
  readonly timeoutSeconds: number
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Lets the application load in a process of its own: there it may write to standard output, listen, loop without end or
 * end the process, and this one still knows what to say.
 */
export async function examine(request: Request, supervision: Supervision): Promise<Examination> {
  const reply = await replyTo(request, supervision)
  if ('examination' in reply) return reply.examination
  const { exitCode, message, hint, stack } = reply.failure
  throw new CommandFailure(exitCode, message, hint, stack)
}

function replyTo(request: Request, { inside, cwd, timeoutSeconds }: Supervision): Promise<Reply> {
  const child = spawn(
    process.execPath,
    // One debugger has one port.
    [...process.execArgv.filter((given) => !given.startsWith('--inspect')), inside, JSON.stringify(request)],
    { cwd, stdio: ['ignore', 2, 2, 'pipe'] },
  )
  const stopForwarding = endTogether(child)
  const module = neutralise(request.module, 200)
  return new Promise<Reply>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        unloadable(
          `"${module}" was not loaded within ${timeoutSeconds} s.`,
          'A top-level await, or a loop, does not end; --load-timeout gives it more time.',
        ),
      )
    }, timeoutSeconds * 1000)
    timer.unref()
    readReply(child.stdio[REPLY_DESCRIPTOR] as Readable, resolve, reject)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const how = signal === null ? `with exit code ${String(code)}` : `by ${signal}`
      reject(unloadable(`The process that loaded "${module}" ended ${how} without a word.`))
    })
  }).finally(() => {
    stopForwarding()
    child.kill('SIGKILL')
  })
}

function readReply(pipe: Readable, resolve: (reply: Reply) => void, reject: (cause: unknown) => void): void {
  const chunks: Buffer[] = []
  pipe.on('error', reject)
  pipe.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    // The reply is one line, and JSON has no other line break.
    if (chunk.at(-1) !== 0x0a) return
    try {
      resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Reply)
    } catch (cause) {
      reject(cause)
    }
  })
}

/** Whoever ends this process ends the other one too. */
function endTogether(child: ChildProcess): () => void {
  const forward = (signal: NodeJS.Signals): void => {
    child.kill('SIGKILL')
    stop()
    process.kill(process.pid, signal)
  }
  const stop = (): void => {
    for (const signal of SIGNALS) process.off(signal, forward)
  }
  for (const signal of SIGNALS) process.on(signal, forward)
  return stop
}
