// The small programs that the packaging tests put into a project, as text.

export const endToEndPrograms = {
  'esm.mjs': `
    import express from 'express'
    import * as library from 'express-bulwark'
    import * as testing from 'express-bulwark/testing'
    import { endToEnd } from './end-to-end.mjs'
    await endToEnd(library, testing, express)`,
  'cjs.cjs': `
    const express = require('express')
    const library = require('express-bulwark')
    const testing = require('express-bulwark/testing')
    import('./end-to-end.mjs').then(({ endToEnd }) => endToEnd(library, testing, express))`,
}

/** Loads one sub-path, as 'import' or 'require', and prints the files that came with it. */
export const loadedFiles = `
  import { readFileSync } from 'node:fs'
  import { createRequire, register } from 'node:module'
  const [, , how, specifier, trace] = process.argv
  const require = createRequire(import.meta.url)
  if (how === 'require') require(specifier)
  else {
    const hook = \`
      import { appendFileSync } from 'node:fs'
      export const load = (url, context, next) => {
        appendFileSync(\${JSON.stringify(trace)}, url + '\\\\n')
        return next(url, context)
      }\`
    register('data:text/javascript,' + encodeURIComponent(hook))
    await import(specifier)
  }
  const imported = how === 'import' ? readFileSync(trace, 'utf8').split('\\n') : []
  console.log(JSON.stringify([...imported, ...Object.keys(require.cache)]))`

const typedService = `
  const app = express()
  const auth = library.authenticate({ issuer: 'https://id.example', audience: 'https://orders.example' })
  app.use(library.auditLog(), library.secureHeaders(), auth)
  const order = library.validateBody({ type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } })
  const handle: express.RequestHandler = (_req, _res, next) => { next() }
  app.post('/orders/:id', library.requireScopes('orders:write'), express.json(), order, (req, res) => {
    const id: string = req.params.id
    const sku: string = req.body.sku
    const same: string = library.inputOf(req, order).sku
    const owner: library.Principal = auth.principalOf(req)
    // @ts-expect-error -- closed
    void req.body.isAdmin
    res.json({ id, sku, same, owner: owner.subject })
  })
  app.use(handle, library.notFound(), library.secureErrors())
`

/** Uses the library and names every sub-path, as an ES module and as a CommonJS module. */
export function typedConsumers(specifiers) {
  const every = (load) => specifiers.map((specifier, i) => load(`part${i}`, specifier)).join('\n')
  const named = `export const parts: readonly object[] = [${specifiers.map((_, i) => `part${i}`).join(', ')}]`
  return {
    'consumer.mts': `
      import express from 'express'
      import * as library from 'express-bulwark'
      ${every((name, specifier) => `import * as ${name} from '${specifier}'`)}
      ${named}
      ${typedService}`,
    'consumer.cts': `
      import express = require('express')
      import library = require('express-bulwark')
      ${every((name, specifier) => `import ${name} = require('${specifier}')`)}
      ${named}
      ${typedService}`,
  }
}

/** A plain CommonJS test file, as many services have. */
export function jestTest(specifiers) {
  return `
    const express = require('express')
    const request = require('supertest')
    const { authenticate, requireScopes, principalOf, secureErrors } = require('express-bulwark')
    const { localIssuer } = require('express-bulwark/testing')

    let local
    beforeAll(async () => { local = await localIssuer() })
    afterAll(() => local.stop())

    function service() {
      const app = express()
      app.use(authenticate({ issuer: local.issuer, audience: 'https://api.test' }))
      app.get('/orders', requireScopes('orders:read'), (req, res) => {
        res.json({ owner: principalOf(req).subject })
      })
      return app.use(secureErrors())
    }

    test('a caller with the scope is served', async () => {
      const token = await local.token({ scope: 'orders:read' })
      const { body } = await request(service()).get('/orders').auth(token, { type: 'bearer' }).expect(200)
      expect(body).toEqual({ owner: 'user-1' })
    })
    test('nobody is refused', () => request(service()).get('/orders').expect(401))
    test.each(${JSON.stringify(specifiers)})('%s can be loaded', (specifier) => {
      expect(Object.keys(require(specifier)).length).toBeGreaterThan(0)
    })`
}
