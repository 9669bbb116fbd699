import type { Next } from '../../core/guard.js'
import type { Passage } from './passage.js'

/** Why a request is refused: what the caller is told, and what the log says of it. */
const REFUSALS = {
  undecided: [
    'route_undecided',
    'nothing authenticates this route, and it does not say that it is public: ' +
      'put authenticate() before it, or publicRoute(reason) into it',
  ],
  notAuthenticated: [
    'route_undecided',
    'no authentication is left on this route, and nobody was authenticated',
  ],
  hidden: [
    'answer_undecided',
    'the routes of an application cannot be seen: mount applications from the outside in, after denyByDefault(), or use routers',
  ],
  outside: ['answer_undecided', 'strict: a handler outside any route comes before authentication'],
} as const

export function refuse(passage: Passage, refusal: keyof typeof REFUSALS, next: Next): unknown {
  const [reason, problem] = REFUSALS[refusal]
  next(passage.refuse(reason, problem))
  return undefined
}
