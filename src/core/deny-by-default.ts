const DENY_BY_DEFAULT = Symbol.for('express-bulwark.deny-by-default.v1')

/** What deny-by-default says of itself on the application that it guards. */
export interface DenyByDefaultMark {
  readonly strict: boolean
}

export function markDenyByDefault(application: object, mark: DenyByDefaultMark): void {
  Object.defineProperty(application, DENY_BY_DEFAULT, { value: Object.freeze({ ...mark }) })
}

/** Whether an application refuses by default; `undefined` where it does not. */
export function denyByDefaultOf(application: object): DenyByDefaultMark | undefined {
  return (application as { [DENY_BY_DEFAULT]?: DenyByDefaultMark })[DENY_BY_DEFAULT]
}
