import { createRequire } from 'node:module'
import { jest } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'

/** Applications, samples and routers that nobody here wrote, as they stand in packages. */
export const FOREIGN: Readonly<Record<string, () => Express>> = {
  'json-server': jsonServer,
  'express-actuator, in an application': actuator,
  'MCP: the authorization router': mcpAuthRouter,
  'MCP: stateless server': () => sample('simpleStatelessStreamableHttp'),
  'MCP: server-sent events': () => sample('simpleSseServer'),
  'MCP: both transports': () => sample('sseAndStreamableHttpCompatibleServer'),
  'MCP: a standalone stream': () => sample('standaloneSseWithGetStreamableHttp'),
  'MCP: tasks': () => sample('simpleTaskInteractive'),
}

const require = createRequire(import.meta.url)
type Handlers = RequestHandler | RequestHandler[]

function jsonServer(): Express {
  const server = require('json-server') as {
    create: () => Express
    defaults: (options: object) => RequestHandler[]
    router: (data: object) => RequestHandler
    rewriter: (rules: object) => RequestHandler
  }
  const app = server.create()
  app.use(server.defaults({ logger: false }))
  app.use(server.rewriter({ '/old/*': '/$1' }))
  app.use('/data', server.router({ posts: [{ id: 1 }], comments: [{ id: 1, postId: 1 }], profile: {} }))
  return app
}

function actuator(): Express {
  const make = require('express-actuator') as (options: object) => Handlers
  const app = express()
  app.use(make({ basePath: '/management' }))
  app.use('/second', make({}))
  return app
}

function mcpAuthRouter(): Express {
  const { mcpAuthRouter: make } = require('@modelcontextprotocol/sdk/server/auth/router.js') as {
    mcpAuthRouter: (options: object) => Handlers
  }
  const nobody = (): undefined => undefined
  const app = express()
  app.use(
    make({
      issuerUrl: new URL('https://id.test'),
      provider: {
        clientsStore: { getClient: nobody, registerClient: nobody },
        authorize: nobody,
        revokeToken: nobody,
      },
    }),
  )
  return app
}

/** A sample listens as soon as it is loaded; what it would have listened with is the application. */
function sample(name: string): Express {
  const listening: Express[] = []
  const { application } = express as unknown as { application: { listen: unknown } }
  const { listen } = application
  application.listen = function listenInstead(this: Express): void {
    listening.push(this)
  }
  try {
    jest.isolateModules(() => {
      // The same Express for the sample and for the test.
      jest.doMock('express', () => express)
      require(`@modelcontextprotocol/sdk/examples/server/${name}.js`)
    })
  } finally {
    jest.dontMock('express')
    application.listen = listen
  }
  const [app] = listening
  if (app === undefined) throw new Error(`${name} did not listen`)
  return app
}
