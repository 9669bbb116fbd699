import { Agent, request } from 'node:http'
import type { PostureRow } from '../../src/posture/model.js'
import type { RunningServer } from '../support/server.js'

/** An answer that nobody proved who he is for. */
export interface Answer {
  readonly method: string
  readonly path: string
  readonly status: number
  /** Name of the handler that answered, where it is one of the test's own. */
  readonly by: string | undefined
  /** The template of the route and the path it is mounted at. */
  readonly at: string
  readonly body: string
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
// No method at all; and one that makes a tunnel.
const UNASKED = new Set(['ALL', 'CONNECT'])
const AT_ONCE = 24

/** Concrete paths that a template may take. */
export function samplesOf(template: string): readonly string[] {
  const plain = template
    .replace(/\{([^}]*)\}/g, (_match, inner: string) => (/^\/[:*]/.test(inner) ? inner : ''))
    .replace(/[:*]\w+(?:\([^)]*\))?\??/g, 'x')
    .replace(/\*/g, 'x/y')
  const path = plain.startsWith('/') ? plain : `/${plain}`
  return path.endsWith('/x/y') ? [path, path.slice(0, -'/x/y'.length) || '/'] : [path]
}

/** Ways to write one path that a router, a proxy or a person may take for the same. */
export function spellingsOf(path: string): readonly string[] {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index)
  const first = /[a-z]/i.exec(path)
  const encoded =
    first === null ? [] : [replaceAt(path, first.index, `%${first[0].charCodeAt(0).toString(16)}`)]
  return [
    path,
    path.toUpperCase(),
    path.toLowerCase(),
    `${path}/`,
    `${path}//`,
    `${path}.`,
    `${path}?x=1`,
    `${path};x`,
    `${path}%20`,
    `${path}/x`,
    `${path}/..`,
    `/.${path}`,
    `http://api.test${path}`,
    path.replace(/^\//, '/\\'),
    ...encoded,
    ...slashes.map((index) => replaceAt(path, index, '//')),
    ...slashes.slice(1).map((index) => replaceAt(path, index, '%2f')),
    ...slashes.slice(1).map((index) => path.slice(0, index)),
  ]
}

function replaceAt(text: string, index: number, by: string): string {
  return text.slice(0, index) + by + text.slice(index + 1)
}

/** Asks for every row's path in every spelling, for these paths too and for some that nobody names; with every method. */
export async function askAnonymously(
  server: RunningServer,
  rows: readonly PostureRow[],
  more: readonly string[] = [],
): Promise<readonly Answer[]> {
  const samples = [...rows.flatMap(({ path }) => samplesOf(path)), ...more]
  const paths = new Set(['/', '//', '/nothing/is/here', '*', ...samples.flatMap(spellingsOf)])
  const methods = new Set([
    ...METHODS,
    ...rows.map(({ method }) => method).filter((name) => !UNASKED.has(name)),
  ])
  const wanted = [...paths].flatMap((path) => [...methods].map((method) => ({ path, method })))
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const answers: Answer[] = []
  try {
    const askNext = async (): Promise<void> => {
      for (let next = wanted.pop(); next !== undefined; next = wanted.pop())
        answers.push(await ask(server.port, agent, next.method, next.path))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, askNext))
  } finally {
    agent.destroy()
  }
  return answers
}

function ask(port: number, agent: Agent, method: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', agent, method, path }, (res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (chunk: string) => {
        body += chunk
      })
      res.on('end', () => {
        const { 'x-answered-by': by, 'x-answered-at': at = '' } = res.headers
        const text = (value: string | string[] | undefined): string | undefined => value?.toString()
        resolve({
          method,
          path,
          status: res.statusCode ?? 0,
          by: text(by),
          at: decodeURIComponent(text(at) ?? ''),
          body,
        })
      })
    })
    sent.setTimeout(5000, () => sent.destroy(new Error(`no answer: ${method} ${path}`)))
    sent.on('error', reject)
    sent.end()
  })
}

/** The rows that may have given an answer: by the handler's name and place, else by method and path. */
export function rowsBehind(answer: Answer, rows: readonly PostureRow[]): readonly PostureRow[] {
  const named = rows.filter(({ handler }) => handler === answer.by)
  const served = named.filter((row) => servesMethod(row, answer.method))
  const placed = served.filter(({ path }) => alike(path) === alike(answer.at))
  if (placed.length > 0) return placed
  if (served.length > 0) return served
  const taking = rowsTaking(answer, rows)
  const routes = taking.filter(({ kind }) => kind === 'route')
  return routes.length > 0 ? routes : taking
}

/** The rows whose method and path fit a request. */
export function rowsTaking(
  { method, path }: Pick<Answer, 'method' | 'path'>,
  rows: readonly PostureRow[],
): readonly PostureRow[] {
  return rows.filter((row) => servesMethod(row, method) && mayTake(row.path, path))
}

function servesMethod({ method }: PostureRow, asked: string): boolean {
  return method === 'ALL' || method === asked || (method === 'GET' && asked === 'HEAD')
}

function alike(path: string): string {
  return path.toLowerCase().replace(/\/+/g, '/').replace(/\/$/, '')
}

/** Whether a template may take a path, as a reader of the report would see it. */
function mayTake(template: string, path: string): boolean {
  if (template.includes('{')) return true
  const source = alike(template)
    .replace(/[.$+()[\]\\^|]/g, '\\$&')
    .replace(/:\w+\??/g, '[^/]+')
    .replace(/\/\*\w*$/, '(?:/.*)?')
  const asked = alike(path.replace(/^http:\/\/[^/]+/, '').replace(/\?.*$/, ''))
  return new RegExp(`^${source}$`).test(asked)
}
