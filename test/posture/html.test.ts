import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { findingsOf } from '../../src/posture/findings.js'
import { renderHtml } from '../../src/posture/render/html.js'
import { describeWith, program } from '../support/requirements.js'
import { serve } from '../support/server.js'
import { startPage, type Loose, type Page } from './browser.js'
import { CONTROLS, HOSTILE_TEXTS, hostile, postureOf, rich, row } from './fixtures.js'

const pageOf = (posture = rich): string => renderHtml(posture, { findings: findingsOf(posture) })
const dataIn = (page: string): Loose =>
  JSON.parse(/<script type="application\/json" id="posture">([^]*?)<\/script>/.exec(page)?.[1] ?? '')

describe('the posture as a page', () => {
  it('says why callers without a credential get through', () => {
    const page = renderHtml(
      postureOf([row({ proof: 'optional', why: 'it is lenient', publicReason: 'a catalogue' })]),
    )
    expect(page).toContain('it is lenient (public: a catalogue)')
  })

  it('is the same for the same posture, and has no time of its own', () => {
    expect(pageOf()).toBe(pageOf())
    expect(pageOf()).not.toMatch(/\b20\d\d-\d\d/)
    expect(renderHtml(rich, { generatedAt: '2026-03-01 <b>' })).toContain('2026-03-01 &lt;b&gt;')
  })

  it('names no address that a browser would load', () => {
    expect(pageOf()).not.toMatch(/(?:src|href)="(?!#)|url\(|@import/)
  })

  it('has exactly two scripts and one style, whatever the names are', () => {
    for (const page of [pageOf(rich), pageOf(hostile)]) {
      expect(page.match(/<script/g)).toHaveLength(2)
      expect(page.match(/<\/script/g)).toHaveLength(2)
      expect(page.match(/<style/g)).toHaveLength(1)
      expect(page).not.toContain('<img')
      expect(page).not.toMatch(/ style=| on\w+="/)
    }
  })

  it('carries the posture as data, whole', () => {
    const { rows, application } = dataIn(pageOf(hostile))
    expect(application).toBe(hostile.application)
    expect(rows.slice(0, HOSTILE_TEXTS.length).map(({ why }: { why: string }) => why)).toEqual(HOSTILE_TEXTS)
  })

  it('lets no control or bidirectional character through', () => {
    expect(pageOf(hostile)).not.toMatch(CONTROLS)
  })

  it('shows every row, its proof, its guards and their facts without a script', () => {
    const [body = ''] = pageOf().split('<script type="application/json"')
    for (const { path } of rich.rows) expect(body).toContain(`<code>${path}</code>`)
    for (const text of ['open (report)', 'https://login.example.com/realms/shop', 'load balancer probe'])
      expect(body).toContain(text)
  })

  it('says so where there is nothing', () => {
    expect(pageOf(postureOf([]))).toContain('No routes.')
  })
})

describeWith(program('chromium', 'chromium'), 'the page of the posture, in a real browser', () => {
  let page: Page
  let folder = ''
  const urlOf = (name: string): string => pathToFileURL(join(folder, name)).href

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'posture-'))
    writeFileSync(join(folder, 'rich.html'), pageOf())
    writeFileSync(join(folder, 'hostile.html'), pageOf(hostile))
    page = await startPage()
  }, 60_000)
  afterAll(async () => {
    await page.close()
    rmSync(folder, { recursive: true, force: true })
  }, 60_000)
  beforeEach(async () => {
    page.complaints.length = 0
    page.requests.length = 0
    await page.size(1280, 900)
    await page.media({ 'prefers-color-scheme': 'light' })
    await page.open(urlOf('rich.html'))
  }, 60_000)

  const shownRows = (): Promise<string[]> =>
    page.read(
      `[...document.querySelectorAll('.routes tbody tr')].filter((row) => row.offsetParent !== null).map((row) => row.querySelector('th code').textContent)`,
    )
  const status = (): Promise<string> => page.read(`document.getElementById('status').textContent`)
  const type = async (text: string): Promise<void> => {
    for (const character of text) await page.press(character, character)
  }

  it.each(['rich.html', 'hostile.html'])(
    'opens %s from disk without an error or a request',
    async (name) => {
      page.requests.length = 0
      await page.open(urlOf(name))
      expect(await status()).toMatch(/^\d+ of \d+ rows are shown\.$/)
      expect(page.complaints).toEqual([])
      expect(page.requests).toEqual([urlOf(name)])
    },
    60_000,
  )

  it('runs nothing that a hostile name brings along, and makes no element of it', async () => {
    await page.open(urlOf('hostile.html'))
    await page.read(`document.getElementById('expand').click()`)
    expect(await page.read(`typeof window.marker`)).toBe('undefined')
    expect(await page.read(`document.querySelectorAll('img, iframe, object, b, link').length`)).toBe(0)
    expect(await page.read(`document.scripts.length`)).toBe(2)
  }, 60_000)

  it('would not run an injected script or load an image: the policy holds', async () => {
    let hits = 0
    const elsewhere = await serve((_req, res) => {
      hits += 1
      res.end()
    })
    await page.read(`(async () => {
      const script = document.createElement('script')
      script.textContent = 'window.marker = 1'
      document.body.append(script)
      const image = document.createElement('img')
      image.src = '${elsewhere.url}/x.png'
      document.body.append(image)
      await fetch('${elsewhere.url}/y').catch(() => undefined)
      const handler = document.createElement('p')
      handler.setAttribute('onclick', 'window.marker = 1')
      document.body.append(handler)
      handler.click()
    })()`)
    expect(await page.read(`typeof window.marker`)).toBe('undefined')
    expect(page.complaints.join('\n')).toContain('Content Security Policy')
    await elsewhere.close()
    expect(hits).toBe(0)
  }, 60_000)

  it.each<[string, string[]]>([
    ['refund', ['/orders/:id/refund']],
    ['POST refund', ['/orders/:id/refund']],
    ['requireScopes(orders:admin)', []],
    ['orders:admin', ['/orders']],
    ['RATELIMIT', ['/orders']],
    ['src/health.ts:4', ['/health']],
    ['hides', ['{hidden}/legacy', '/admin']],
    ['.*', []],
  ])(
    'finds by %s',
    async (text, expected) => {
      await page.read(`document.getElementById('search').focus()`)
      await type(text)
      expect(await shownRows()).toEqual(expected)
      expect(await status()).toBe(
        expected.length === 0 ? 'No row matches.' : `${expected.length} of 14 rows are shown.`,
      )
    },
    60_000,
  )

  it('filters by proof, by several at once, and the access matrix with it', async () => {
    const press = (proof: string): Promise<void> =>
      page.read(`document.querySelector('button[data-proof="${proof}"]').click()`)
    await press('open')
    expect(await shownRows()).toEqual(['/export', '/settings'])
    await press('public')
    expect(await shownRows()).toEqual(['/health', '/export', '/settings'])
    expect(await page.read(`document.querySelectorAll('.matrix tbody tr:not([hidden])').length`)).toBe(3)
    await press('open')
    await press('public')
    expect(await shownRows()).toHaveLength(14)
  }, 60_000)

  it('works with the keyboard alone', async () => {
    const focused = (): Promise<string> =>
      page.read(
        `(() => { const it = document.activeElement; return it.id || it.dataset.proof || it.getAttribute('href') || it.className || it.tagName })()`,
      )
    const passed: string[] = []
    for (let step = 0; step < 40; step += 1) {
      await page.press('Tab')
      passed.push(await focused())
      if (passed.at(-1) === 'open') await page.press('Space', ' ')
      if (passed.at(-1) === 'scroll') break
    }
    expect(passed.slice(0, 6)).toEqual(['#routes', '#findings', '#routes', '#access', '#legend', 'search'])
    expect(passed).toEqual(expect.arrayContaining(['guarded', 'open', 'expand', 'SUMMARY', 'scroll']))
    expect(await shownRows()).toEqual(['/export', '/settings'])
  }, 60_000)

  it('opens the details of a row with the keyboard, and shows where the focus is', async () => {
    await page.read(`document.getElementById('expand').focus()`)
    await page.press('Tab')
    expect(await page.read(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid')
    await page.press('Enter', '\r')
    expect(await page.read(`document.activeElement.parentElement.open`)).toBe(true)
  }, 60_000)

  it.each([
    [1280, 'rich.html'],
    [390, 'rich.html'],
    [320, 'rich.html'],
    [1280, 'hostile.html'],
    [390, 'hostile.html'],
  ])(
    'does not scroll sideways at a width of %i: %s',
    async (width, name) => {
      await page.size(width, 900)
      await page.open(urlOf(name))
      await page.read(`document.getElementById('expand').click()`)
      expect(await page.read(`document.documentElement.scrollWidth`)).toBeLessThanOrEqual(width)
      const wide = await page.read(
        `[...document.querySelectorAll('body *')].filter((it) => !it.closest('.scroll') && it.getBoundingClientRect().right > ${width} + 1).map((it) => it.outerHTML.slice(0, 80))`,
      )
      expect(wide).toEqual([])
    },
    60_000,
  )

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ])(
    'has a contrast of at least 4.5 everywhere: %s, %i wide',
    async (scheme, width) => {
      await page.size(width, 900)
      await page.media({ 'prefers-color-scheme': scheme })
      await page.open(urlOf('rich.html'))
      await page.read(`document.getElementById('expand').click()`)
      const { faint, page: background } = await page.read(`(${contrasts.toString()})()`)
      expect(faint).toEqual([])
      expect(background).toBe(scheme === 'dark' ? 'rgb(15, 19, 23)' : 'rgb(255, 255, 255)')
    },
    60_000,
  )

  it('has a language, a title, landmarks, one first heading, labels and headers with a scope', async () => {
    const found = await page.read(`({
      lang: document.documentElement.lang,
      title: document.title,
      landmarks: ['header', 'nav', 'main', 'footer', '[role=search]'].every((it) => document.querySelector(it) !== null),
      headings: [...document.querySelectorAll('h1, h2, h3')].map((it) => it.tagName).join(' '),
      unscoped: document.querySelectorAll('th:not([scope])').length,
      unlabelled: [...document.querySelectorAll('input')].filter((it) => it.labels.length === 0).length,
      ids: [...document.querySelectorAll('[id]')].length === new Set([...document.querySelectorAll('[id]')].map((it) => it.id)).size,
    })`)
    expect(found).toEqual({
      lang: 'en',
      title: 'Posture of orders-service',
      landmarks: true,
      headings: 'H1 H2 H2 H2 H2 H2',
      unscoped: 0,
      unlabelled: 0,
      ids: true,
    })
  }, 60_000)

  it('can be read with scripts switched off; what would not work is not shown', async () => {
    await page.scripts(false)
    await page.open(urlOf('rich.html'))
    await page.scripts(true)
    expect(await shownRows()).toHaveLength(14)
    expect(await page.read(`document.getElementById('filters').offsetParent === null`)).toBe(true)
  }, 60_000)
})

/** Runs in the page: texts whose contrast with what lies behind them is too low (WCAG 2.2, 1.4.3). */
function contrasts(): { faint: string[]; page: string } {
  const { document, getComputedStyle } = globalThis as Loose
  const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = channels(color).map((value) => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = (element: Loose): string => {
    for (let at = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if (channels(backgroundColor)[3] !== 0) return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  const faint: string[] = []
  for (const element of document.querySelectorAll('body *:not(script)')) {
    const own = [...element.childNodes].some((node: Loose) => node.nodeType === 3 && node.data.trim() !== '')
    if (!own) continue
    const [dark, light] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort(
      (one, other) => one - other,
    )
    const ratio = (light! + 0.05) / (dark! + 0.05)
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 90)}`)
  }
  return { faint, page: getComputedStyle(document.body).backgroundColor }
}
