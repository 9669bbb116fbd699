import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { built } from '../support/built.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string): string => readFileSync(`${root}${file}`, 'utf8')
const page = read('docs/policies.md')
// What stands before the first title is the set-up, in the words of the page.
const rules = page.slice(page.indexOf('\n## '))

beforeAll(built, 120_000)

describe('docs/policies.md', () => {
  it('shows the rules of the example as they run, every one and in its order', () => {
    const regions = [
      ...read('examples/policies/policies.js').matchAll(/^ *\/\/ #region .*\n([^]*?)^ *\/\/ #endregion/gm),
    ]
    const blocks = [...rules.matchAll(/```js\n([^]*?)```/g)].map(([, block]) => block)
    expect(regions.length).toBeGreaterThanOrEqual(7)
    expect(blocks).toEqual(regions.map(([, region]) => region?.replace(/^ {2}/gm, '')))
  })

  it('says who gets what, as the example prints it', async () => {
    const { stdout } = await run(process.execPath, ['examples/policies/start.js'], {
      cwd: root,
      timeout: 30_000,
    })
    expect(stdout.match(/^\| `/gm)).toHaveLength(10)
    expect(page).toContain(stdout.trim())
    // Nobody means nobody, and no request is answered with a fault.
    expect(stdout.match(/\| 401 +\|$/gm)).toHaveLength(10)
    expect(stdout).not.toMatch(/\| 5\d\d/)
  }, 40_000)
})
