import { readFileSync } from 'node:fs'
import { routerOf } from '../../core/router.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import type { Examined } from './examined.js'

/** Two copies of Express: by what is mounted on each other, and by what Node.js has loaded. */
export function expressCopies(examined: Examined): readonly Finding[] {
  const foreign = hasForeignRouter(examined)
  const folders = copiesAmong(examined.loadedFiles)
  if (foreign)
    return [
      found('express-copies', 'A router that another copy of Express made is mounted on this application.'),
    ]
  if (folders.length < 2) return []
  return [found('express-copies', `${folders.length} copies of Express are loaded: ${folders.join(', ')}.`)]
}

/** Routers of one copy share one `use`, which they inherit: from the same object, or in Express 5 from one further up. */
function hasForeignRouter({ application, applications, routers }: Examined): boolean {
  const own = routerOf(application)
  if (own === undefined) return false
  const inner = applications.flatMap(({ application: mounted }) => routerOf(mounted) ?? [])
  const kind = makerOf(own)
  return [...inner, ...routers].some((router) => makerOf(router) !== kind)
}

function makerOf(router: object): unknown {
  return (Object.getPrototypeOf(router) as { use?: unknown } | null)?.use
}

const MAIN_FILE = /[/\\]lib[/\\]express\.js$/

/** `express 5.3.0 (node_modules/express)`, for each folder from which Express was loaded. */
function copiesAmong(files: readonly string[]): readonly string[] {
  return files.flatMap((file) => {
    if (!MAIN_FILE.test(file)) return []
    const folder = file.replace(MAIN_FILE, '')
    const version = expressVersion(folder)
    return version === undefined
      ? []
      : [`${version} (${folder.slice(folder.search(/[^/\\]*[/\\][^/\\]*$/))})`]
  })
}

function expressVersion(folder: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Partial<
      Record<string, unknown>
    >
    return name === 'express' && typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}
