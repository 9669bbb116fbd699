import { entries } from './entry.js'
import { ACCESS, BODIES, INVENTORY, place } from './places.js'

/** What the inventory can find wrong with a row; the checklist and the doctor find some of it too. `docs/doctor.md` has a section for each. */
export const ROUTES = entries({
  'route-open': {
    severity: 'error',
    consequence: 'Anybody who can reach the service can call it.',
    remedy: 'Put authenticate() before it, or publicRoute(reason) into it if it needs no credential.',
    about: ACCESS,
    rule: 'requireProvenRoutes',
  },
  'route-refused': {
    severity: 'warning',
    consequence: 'Deny-by-default answers 403 to everybody, also to callers with a credential.',
    remedy: 'Put authenticate() before it, or publicRoute(reason) into it if it needs no credential.',
    about: ACCESS,
    rule: 'requireProvenRoutes',
  },
  'route-unknown': {
    severity: 'warning',
    inAudit: 'error',
    consequence: 'Nobody can say from the route table who gets through.',
    remedy: 'Put the guards of express-bulwark unwrapped on a path that the route table shows.',
    about: INVENTORY,
    rule: 'requireProvenRoutes',
  },
  'route-optional': {
    severity: 'note',
    inAudit: 'error',
    consequence: 'Callers without a credential reach the handler.',
    remedy: 'Make sure that the handler expects callers without a principal, or set required: true.',
    about: ACCESS,
    rule: 'requireProvenRoutes',
  },
  'handler-open': {
    severity: 'error',
    consequence: 'It answers outside any route, so anybody who can reach the service can have its answers.',
    remedy: 'Mount it behind authenticate(), or serve it from a route that says publicRoute(reason).',
    about: ACCESS,
    rule: 'requireProvenRoutes',
  },
  'handler-unknown': {
    severity: 'warning',
    inAudit: 'error',
    consequence: 'It may answer requests before anybody was authenticated; its name does not say.',
    remedy: 'Mount it behind authenticate(), or switch on denyByDefault(), which holds its answers back.',
    about: INVENTORY,
    rule: 'requireProvenRoutes',
  },
  'application-unknown': {
    severity: 'error',
    consequence: 'Its routes cannot be seen, so none of them is proven.',
    remedy: 'Mount a Router instead of an application, or call denyByDefault() before it is mounted.',
    about: INVENTORY,
    rule: 'requireProvenRoutes',
  },
  'report-mode': {
    severity: 'warning',
    consequence: 'It records what it would refuse and lets the request pass.',
    remedy: "Remove mode: 'report' once its records show no refusal that was not meant.",
    about: ACCESS,
    rule: 'refuseReportMode',
  },
  'guard-after-route': {
    severity: 'error',
    consequence: 'Express runs in order of mounting: the route answers before the guard is reached.',
    remedy: 'Mount the guard before the route.',
    about: ACCESS,
  },
  'handler-before-authentication': {
    severity: 'error',
    consequence: 'The handler can answer before anybody was authenticated.',
    remedy: 'Put the handler behind authenticate().',
    about: ACCESS,
  },
  'guard-order': {
    severity: 'error',
    consequence: 'A guard runs where it cannot do its work: it answers 500 to everybody.',
    remedy:
      'Put authenticate() before what needs to know the caller, and one gateway() before all that goes by the client.',
    about: ACCESS,
  },
  'wrapped-guard': {
    severity: 'warning',
    consequence: 'A function stands around a guard and may skip it, so the guard proves nothing.',
    remedy: 'Mount the guard itself, not a function that calls it.',
    about: ACCESS,
  },
  'public-route-misplaced': {
    severity: 'error',
    consequence:
      'It makes nothing public there: a request that meets it gets 500, or has been answered before.',
    remedy: 'Put publicRoute(reason) in front of the handler, into the route itself.',
    about: ACCESS,
  },
  'public-behind-authentication': {
    severity: 'warning',
    consequence: 'The route says that it is public, and anonymous callers are refused all the same.',
    remedy: 'Mount the route before authenticate(), or remove publicRoute().',
    about: ACCESS,
  },
  'param-before-authentication': {
    severity: 'error',
    consequence: 'The callback works on values of callers that nobody knows, and may answer them.',
    remedy: 'Mount authenticate() on the application, before the router that has the param callback.',
    about: ACCESS,
  },
  'error-handler-before-handler': {
    severity: 'error',
    consequence: 'It may send refused requests on to the handler.',
    remedy: 'Mount error handlers after all routes.',
    about: ACCESS,
  },
  'url-rewritten': {
    severity: 'warning',
    consequence: 'A request can reach the route under another path than that on which it was checked.',
    remedy: 'Rewrite URLs before authenticate(), or mount authenticate() on the whole application.',
    about: ACCESS,
  },
  'validate-before-parser': {
    severity: 'error',
    consequence: 'It finds no body that is parsed, and answers 415 to every request that has one.',
    remedy: 'Put the body parser before validateBody().',
    about: BODIES,
  },
  'body-parser-before-authentication': {
    severity: 'warning',
    consequence: 'Anybody can make the service read and parse bodies.',
    remedy: 'Mount the parser behind authenticate(), in the routes that need a body.',
    about: place('limits', 'API4', '15.2.2'),
  },
})
