/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- types are all that these files work with */

/** Whether two types are the same one: `any`, `unknown`, optional and readonly members are told apart. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only where the type it is given is `true`. These files are compiled, never run. */
export declare function proves<_Fact extends true>(): void

/** `typeOf(value).is<Expected>()` compiles only where the value's type is exactly that. */
export declare function typeOf<Actual>(value: Actual): {
  is<Expected>(...proof: Same<Actual, Expected> extends true ? [] : [never]): void
}
