import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { authzenPolicy } from '../../../src/authorization/policy/authzen.js'
import { cedarPolicy } from '../../../src/authorization/policy/cedar.js'
import { opaPolicy } from '../../../src/authorization/policy/opa.js'
import { casbinPolicy } from './recipes/casbin.js'

const read = (file: string): string => readFileSync(join(process.cwd(), file), 'utf8')
const page = read('docs/policy-engines.md')
const section = (title: string): string => page.split(/^## /m).find((part) => part.startsWith(title)) ?? ''
const block = (title: string, language: string): string =>
  new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(section(title))?.[1] ?? ''

describe('docs/policy-engines.md', () => {
  it.each([
    ['Casbin', 'casbin'],
    ['OpenFGA', 'openfga'],
  ])('shows the recipe for %s as it is tested', (title, file) => {
    const recipe = read(`test/authorization/policy/recipes/${file}.ts`)
    expect(block(title, 'ts')).toBe(recipe.replace('../../../../src/core/policy.js', 'express-bulwark'))
  })

  it('shows policies that say what is claimed: the owner reads, and nobody else', async () => {
    const policies = [
      cedarPolicy({ policies: block('Cedar', 'cedar'), mapping: { references: { owner: 'user' } } }),
      await casbinPolicy(block('Casbin', 'csv')),
    ]
    const order = { type: 'order', id: '7', properties: { owner: 'ada' } }
    for (const policy of policies) {
      const ask = (id: string, name: string) =>
        policy({ subject: { type: 'user', id }, action: { name }, resource: order })
      expect(ask('ada', 'read')).toMatchObject({ decision: true, rule: 'owners-read' })
      expect(ask('bob', 'read')).toMatchObject({ decision: false })
      expect(ask('ada', 'delete')).toMatchObject({ decision: false })
    }
  })

  it.each<[string, (options: never) => unknown]>([
    ['Cedar', cedarPolicy],
    ['OPA', opaPolicy],
    ['AuthZEN', authzenPolicy],
  ])('has a row for every option of %s, and for no other', async (title, make) => {
    const fault: unknown = await Promise.resolve()
      .then(() => make({ noSuchOption: 1 } as never))
      .catch((error: unknown) => error)
    const known = /Known options: (.*)\.$/.exec((fault as Error).message)?.[1]?.split(', ')
    const table = section(title).split(/^\| option /m)[1] ?? ''
    expect([...table.matchAll(/^\| `(\w+)`\s+\|/gm)].map(([, name]) => name)).toEqual(known)
  })
})
