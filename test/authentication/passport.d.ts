// What the tests use of two libraries that bring no types of their own.

declare module 'passport' {
  import type { RequestHandler } from 'express'

  interface Authenticator {
    use(strategy: object): this
    authenticate(strategy: string, options: { readonly session: boolean }): RequestHandler
  }

  const passport: { readonly Passport: new () => Authenticator }
  export default passport
}

declare module 'passport-http-bearer' {
  type Done = (error: unknown, user?: object | false, info?: object) => void

  export const Strategy: new (verify: (token: string, done: Done) => void) => object
}
