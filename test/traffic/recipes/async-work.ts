import { randomUUID } from 'node:crypto'
import express from 'express'
import { SecurityProblem, principalOf } from './express-bulwark.js'

interface Job {
  readonly id: string
  readonly owner: string
  status: 'running' | 'done' | 'failed'
  result?: unknown
  finishedAt?: number
}

export interface Bounds {
  /** Jobs under way at once, in all and of one caller. */
  readonly total: number
  readonly each: number
  /** How many finished jobs are kept, and for how long. */
  readonly kept: number
  readonly keptMs: number
  /** How long one may take: then it has failed, and its place is free. */
  readonly timeoutMs: number
}

/** Work that outlives its request: taken on or refused at once, asked for later. */
export class Jobs {
  readonly #bounds: Bounds
  readonly #jobs = new Map<string, Job>()

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** Takes work on; refuses it where as much is under way as may be. */
  start(owner: string, work: (signal: AbortSignal) => Promise<unknown>): Job {
    this.#forget()
    const running = [...this.#jobs.values()].filter(({ status }) => status === 'running')
    const headers = { 'retry-after': '5' }
    if (running.length >= this.#bounds.total) throw new SecurityProblem('capacity_exceeded', { headers })
    if (running.filter((job) => job.owner === owner).length >= this.#bounds.each)
      throw new SecurityProblem('concurrency_exceeded', { headers })
    const job: Job = { id: randomUUID(), owner, status: 'running' }
    this.#jobs.set(job.id, job)
    // Whatever comes first ends it: also work that does not heed its signal has failed when its time is up.
    const end = (outcome: Pick<Job, 'status' | 'result'>): void => {
      clearTimeout(timer)
      if (job.status === 'running') Object.assign(job, outcome, { finishedAt: Date.now() })
    }
    // A signal of its own: that of the request ends with the request.
    const leaving = new AbortController()
    const timer = setTimeout(() => {
      end({ status: 'failed' })
      leaving.abort()
    }, this.#bounds.timeoutMs).unref()
    Promise.resolve()
      .then(() => work(leaving.signal))
      .then(
        (result) => {
          end({ status: 'done', result })
        },
        () => {
          end({ status: 'failed' })
        },
      )
    return job
  }

  /** A job of this owner. What belongs to somebody else is not there. */
  find(id: string, owner: string): Job | undefined {
    this.#forget()
    const job = this.#jobs.get(id)
    return job?.owner === owner ? job : undefined
  }

  #forget(): void {
    const finished = [...this.#jobs.values()].filter(({ status }) => status !== 'running')
    const surplus = finished.length - this.#bounds.kept
    finished.forEach((job, index) => {
      const isOld = Date.now() - (job.finishedAt ?? 0) > this.#bounds.keptMs
      if (isOld || index < surplus) this.#jobs.delete(job.id)
    })
  }
}

export function reportRouter(jobs: Jobs, write: (signal: AbortSignal) => Promise<unknown>): express.Router {
  const router = express.Router()
  router.post('/reports', (req, res) => {
    const job = jobs.start(principalOf(req).key, write)
    res.status(202).location(`${req.baseUrl}/reports/${job.id}`).set('Retry-After', '2')
    res.json({ id: job.id, status: job.status })
  })
  router.get('/reports/:id', (req, res, next) => {
    const job = jobs.find(req.params.id, principalOf(req).key)
    if (job === undefined) {
      next(new SecurityProblem('resource_hidden'))
      return
    }
    if (job.status === 'running') res.set('Retry-After', '2')
    res.json({ id: job.id, status: job.status, result: job.result })
  })
  return router
}
