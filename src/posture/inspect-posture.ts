import { denyByDefaultOf } from '../core/deny-by-default.js'
import { checkOptions, misuse, text } from '../core/options.js'
import { isApplication, routerOf } from '../core/router.js'
import { neutralise } from '../core/text.js'
import { GuardWriter } from './inspect/guard-writer.js'
import { Reader, isExpress4 } from './inspect/steps.js'
import { Walk } from './inspect/walk.js'
import { SCHEMA_VERSION, type Posture, type PostureGuard, type PostureRow } from './model.js'

export interface InspectPostureOptions {
  /** The folder that file names are relative to. @default process.cwd() */
  readonly root?: string
  /** What the application is called in the report. @default 'application' */
  readonly name?: string
}

const MORE: PostureRow = {
  kind: 'handler',
  method: 'ALL',
  path: '/*',
  proof: 'unknown',
  why: 'there is more than this report can hold; the rest was not looked at',
  publicReason: undefined,
  refusedByDefault: false,
  guards: [],
  faults: [],
  handler: undefined,
}

/**
 * Reads what is mounted on an Express application, 4.21 or later or 5, and says of each route what protects it. Nothing
 * is run and no request is sent. A row is `guarded` only where an authentication of this library surely runs before its
 * handlers; whatever cannot be shown is `unknown`.
 *
 * To be called when everything is mounted: an application of Express 5 that has no router yet gets one.
 *
 * **Not checked:** what is mounted later; what a middleware does to `req.url` or to the headers, or where it calls
 * `next` twice; what error handlers answer; servers and upgrades beside the application; whether `principalFrom` is
 * told the truth. `docs/posture.md` has the list.
 *
 * Throws a `TypeError` where `app` is no Express application, and for unknown options.
 */
export function inspectPosture(app: object, options: InspectPostureOptions = {}): Posture {
  if (!isInspectable(app))
    throw misuse('inspectPosture', 'app', 'an Express application, as express() makes it', app)
  checkOptions('inspectPosture', options, { root: text(4096), name: text(200) })
  const { root = process.cwd(), name = 'application' } = options
  const writer = new GuardWriter(root)
  const mark = denyByDefaultOf(app)
  const walk = new Walk(writer)
  walk.visit(app)
  return {
    schemaVersion: SCHEMA_VERSION,
    application: neutralise(name, 200),
    expressMajor: isExpress4(app) ? '4' : '5',
    denyByDefault: mark === undefined ? 'off' : mark.strict ? 'strict' : 'on',
    services: servicesOf(app, writer),
    rows: walk.isCut ? [...walk.rows, MORE] : walk.rows,
  }
}

function isInspectable(app: unknown): app is object {
  return isApplication(app) && (isExpress4(app) || Array.isArray(routerOf(app)?.stack))
}

function servicesOf(app: object, writer: GuardWriter): readonly PostureGuard[] {
  return new Reader().planOf(app).guards.flatMap(({ about, paths }) => {
    const isForAll = paths.some(({ kind }) => kind === 'everything')
    return about !== undefined && isForAll ? writer.write({ about, mounted: 'before' }) : []
  })
}
