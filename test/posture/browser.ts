import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a browser answers has no type of ours
export type Loose = any

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Loose
  readonly result?: Loose
  readonly error?: { readonly message: string }
}

/** One page in a headless Chromium, spoken to over a pipe (Chrome DevTools Protocol). */
export interface Page {
  /** What the console, the log and uncaught errors said. */
  readonly complaints: string[]
  /** Addresses of all requests. */
  readonly requests: string[]
  open(url: string): Promise<void>
  /** The value of an expression in the page. */
  read(expression: string): Promise<Loose>
  press(key: string, text?: string): Promise<void>
  size(width: number, height: number): Promise<void>
  media(features: Readonly<Record<string, string>>): Promise<void>
  scripts(on: boolean): Promise<void>
  picture(): Promise<Buffer>
  close(): Promise<void>
}

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--force-color-profile=srgb',
  '--remote-debugging-pipe',
]
const KEYS: Readonly<Record<string, number>> = { Tab: 9, Enter: 13, Space: 32, Escape: 27 }

export async function startPage(): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  })
  const complaints: string[] = []
  const requests: string[] = []
  const waiting = new Map<number, (message: Message) => void>()
  let loaded: () => void = () => undefined
  let last = 0
  const attached: { sessionId?: string } = {}

  const hear = (message: Message): void => {
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    const { params } = message
    if (message.method === 'Page.loadEventFired') loaded()
    if (message.method === 'Network.requestWillBeSent') requests.push(params.request.url)
    if (message.method === 'Runtime.exceptionThrown')
      complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text)
    if (message.method === 'Runtime.consoleAPICalled') complaints.push(JSON.stringify(params.args))
    if (message.method === 'Log.entryAdded') complaints.push(params.entry.text)
  }
  listen(child, hear)

  const send = (method: string, params: object = {}): Promise<Loose> =>
    new Promise((resolve, reject) => {
      const id = ++last
      const limit = setTimeout(() => {
        reject(new Error(`${method}: no answer`))
      }, 20_000)
      waiting.set(id, ({ result, error }) => {
        clearTimeout(limit)
        waiting.delete(id)
        if (error === undefined) resolve(result)
        else reject(new Error(`${method}: ${error.message}`))
      })
      const envelope = { id, method, params, ...(method === 'Browser.close' ? {} : attached) }
      ;(child.stdio[3] as Writable).write(`${JSON.stringify(envelope)}\0`)
    })

  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  attached.sessionId = sessionId
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`)

  return {
    complaints,
    requests,
    async open(url) {
      const load = new Promise<void>((resolve) => (loaded = resolve))
      await send('Page.navigate', { url })
      await load
    },
    async read(expression) {
      const { result, exceptionDetails } = await send('Runtime.evaluate', {
        expression,
        returnByValue: true,
        awaitPromise: true,
      })
      if (exceptionDetails !== undefined)
        throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
      return result.value
    },
    async press(key, text = '') {
      const about = { key: key === 'Space' ? ' ' : key, code: key, windowsVirtualKeyCode: KEYS[key] ?? 0 }
      await send('Input.dispatchKeyEvent', { type: 'keyDown', ...about, text })
      await send('Input.dispatchKeyEvent', { type: 'keyUp', ...about })
    },
    size: (width, height) =>
      send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false }),
    media: (features) =>
      send('Emulation.setEmulatedMedia', {
        features: Object.entries(features).map(([name, value]) => ({ name, value })),
      }),
    scripts: (on) => send('Emulation.setScriptExecutionDisabled', { value: !on }),
    async picture() {
      const { data } = await send('Page.captureScreenshot', { format: 'png' })
      return Buffer.from(data, 'base64')
    },
    async close() {
      const ended = new Promise((resolve) => child.on('close', resolve))
      const limit = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await send('Browser.close').catch(() => child.kill('SIGKILL'))
      await ended
      clearTimeout(limit)
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    },
  }
}

/** Messages end with a NUL. */
function listen(child: ChildProcess, hear: (message: Message) => void): void {
  let rest = ''
  const output = child.stdio[4] as Readable
  output.setEncoding('utf8')
  output.on('data', (chunk: string) => {
    const parts = `${rest}${chunk}`.split('\0')
    rest = parts.pop() ?? ''
    for (const part of parts) hear(JSON.parse(part) as Message)
  })
}
