// Runs in a process of its own (supervise.ts): loads the application, looks at it, and sends back what it saw.
import cluster from 'node:cluster'
import { writeSync } from 'node:fs'
import { examineApplication } from './examine.js'
import { CommandFailure, EXIT, unloadable } from './failure.js'
import { described, quoted } from './words.js'
import { REPLY_DESCRIPTOR, type Reply, type Request } from './protocol.js'

let isSent = false

// A worker that the application forks runs this very file, and would fork in its turn.
if (cluster.isWorker) process.exit(0)
else start(JSON.parse(process.argv[2] ?? '') as Request)

function start(request: Request): void {
  const module = quoted(request.module)
  const give = (cause: unknown): void => {
    sendFailure(cause)
    process.exit()
  }
  process.on('uncaughtException', (cause) => {
    // A port that is taken, by the running service perhaps, is no reason not to look at the routes.
    if (!isListening(cause))
      give(unloadable(`${module} threw while it was loaded: ${described(cause)}`, undefined, cause))
  })
  process.on('unhandledRejection', (cause) => {
    give(
      unloadable(
        `${module} left a rejected promise while it was loaded: ${described(cause)}`,
        undefined,
        cause,
      ),
    )
  })
  process.on('beforeExit', () => {
    give(unloadable(`${module} waits, while it is loaded, for what can never happen.`))
  })
  process.on('exit', (code) => {
    sendFailure(unloadable(`${module} ended the process while it was loaded: process.exit(${code}).`))
  })
  examineApplication(request, process.cwd()).then((examination) => {
    send({ examination })
    process.exit()
  }, give)
}

function send(reply: Reply): void {
  if (isSent) return
  isSent = true
  const bytes = Buffer.from(`${JSON.stringify(reply)}\n`)
  for (let sent = 0; sent < bytes.length;) sent += writeSync(REPLY_DESCRIPTOR, bytes, sent)
}

function sendFailure(cause: unknown): void {
  const isOurs = cause instanceof CommandFailure
  const origin: unknown = isOurs && cause.cause !== undefined ? cause.cause : cause
  send({
    failure: {
      exitCode: isOurs ? cause.exitCode : EXIT.fault,
      message: isOurs ? cause.message : described(cause),
      hint: isOurs ? cause.hint : undefined,
      stack: origin instanceof Error ? origin.stack : undefined,
    },
  })
}

function isListening(cause: unknown): boolean {
  const { syscall } = cause as NodeJS.ErrnoException
  return syscall === 'listen' || syscall === 'bind'
}
