import { denyByDefaultOf } from '../../core/deny-by-default.js'
import { stackOf } from '../../core/router.js'
import type { PostureRow } from '../model.js'
import type { GuardWriter } from './guard-writer.js'
import { nameOf } from './known-handlers.js'
import { prove } from './proof.js'
import { isForeignHandler } from './proof-own.js'
import { rowOf, type RowSubject } from './rows.js'
import { Reader, type Step } from './steps.js'
import { runsParamCallback, servicesOf, shownPath, type Level, type Way } from './way.js'

// A router may be mounted on itself, and a hundred times on others.
const MAX_NESTING = 20
const MAX_ROWS = 50_000
const MAX_VISITS = 100_000

/** Walks through all that is mounted, in the order in which requests meet it, and writes a row for each thing found. */
export class Walk {
  readonly rows: PostureRow[] = []
  readonly #reader = new Reader()
  readonly #writer: GuardWriter
  /** Of the application that is walked through, or of one that it is mounted in. */
  #deniesByDefault = false
  #visits = 0

  constructor(writer: GuardWriter) {
    this.#writer = writer
  }

  /** Whether there was more than this report can hold. */
  get isCut(): boolean {
    return this.rows.length >= MAX_ROWS || this.#visits >= MAX_VISITS
  }

  visit(holder: object, outer: readonly Level[] = [], inside: readonly unknown[] = []): void {
    this.#visits += 1
    const denied = this.#deniesByDefault
    this.#deniesByDefault = denied || denyByDefaultOf(holder) !== undefined
    this.#steps(holder, outer, inside)
    this.#deniesByDefault = denied
  }

  #steps(holder: object, outer: readonly Level[], inside: readonly unknown[]): void {
    const plan = this.#reader.planOf(holder)
    const nested = [...inside, stackOf(holder)]
    for (const step of plan.steps) {
      for (const path of step.paths) {
        if (this.isCut) return
        this.#take(step, [...outer, { plan, step, path }], nested)
      }
    }
  }

  #take(step: Step, levels: readonly Level[], inside: readonly unknown[]): void {
    if (step.kind !== 'route' && step.kind !== 'handler') this.#params(step, levels)
    switch (step.kind) {
      case 'route':
        this.#route(step, levels)
        return
      case 'inner':
        this.#inner(step, levels, inside)
        return
      case 'application':
        this.#mount('application', step, levels, {
          isUnknownBecause: 'Express does not show the routes of this application',
        })
        return
      case 'handler':
      case 'wrapped':
        this.#mount('handler', step, levels)
        return
      case 'guard':
      case 'error':
        return
    }
  }

  #inner(step: Step, levels: readonly Level[], inside: readonly unknown[]): void {
    const { holder } = step
    if (holder === undefined) return
    const isCyclic = inside.includes(stackOf(holder))
    if (isCyclic)
      this.#mount('handler', step, levels, { isUnknownBecause: 'this router is mounted inside itself' })
    else if (levels.length >= MAX_NESTING)
      this.#mount('handler', step, levels, {
        isUnknownBecause: 'routers are nested deeper than this report looks',
      })
    else this.visit(holder, levels, inside)
  }

  #route({ layer }: Step, levels: readonly Level[]): void {
    for (const { method, own } of servicesOf(layer.route ?? {})) {
      if (this.isCut) return
      const { handle } = own.findLast((one) => isForeignHandler(one.handle)) ?? {}
      this.#add(
        { levels, own, method },
        {
          kind: 'route',
          method: method?.toUpperCase() ?? 'ALL',
          path: shownPath(levels),
          handle,
          handler: nameOf(handle),
        },
      )
    }
  }

  /** A `param` callback runs for a mount path too, whatever is mounted there; it may answer. */
  #params(step: Step, levels: readonly Level[]): void {
    const level = levels.at(-1)
    if (level === undefined || !runsParamCallback(level)) return
    this.#mount('handler', { ...step, layer: {} }, levels, { handler: 'param' })
  }

  #mount(
    kind: 'handler' | 'application',
    { layer: { handle } }: Step,
    levels: readonly Level[],
    more: Partial<RowSubject> = {},
  ): void {
    const path = shownPath(levels)
    this.#add(
      { levels, own: undefined, method: undefined },
      {
        kind,
        method: 'ALL',
        path: path.endsWith('*') ? path : `${path}/*`,
        handle,
        handler: nameOf(handle),
        ...more,
      },
    )
  }

  #add(way: Way, subject: RowSubject): void {
    const evidence = prove(way, this.#reader)
    this.rows.push(rowOf(subject, evidence, this.#deniesByDefault, this.#writer))
  }
}
