import { createHash } from 'node:crypto'
import type { Finding, Posture } from '../model.js'
import { findingsSection } from './html/findings.js'
import { NOTHING, embeddedJson, html, trusted, type Markup } from './html/markup.js'
import { matrixSection } from './html/matrix.js'
import { routesSection, serviceItem } from './html/routes.js'
import { SCRIPT } from './html/script.js'
import { STYLE } from './html/style.js'
import { plainPosture } from './json.js'
import { MEANINGS, PROOFS, countsOf, settingsText, shown, summaryText } from './words.js'

export interface HtmlOptions {
  /** Listed above the routes. */
  readonly findings?: readonly Finding[]
  /** Shown as it is, `2026-03-01 12:00 UTC`; without it one posture always gives the same page. */
  readonly generatedAt?: string
}

/**
 * The posture as one page that works from disk and without a network: routes, findings, and the access matrix of
 * scopes and roles. A script adds search and filters; everything can be read without it.
 *
 * The page's Content-Security-Policy allows its own style and script, by their hashes, and nothing else. Text from the
 * application is escaped, and its control and bidirectional characters are replaced.
 */
export function renderHtml(posture: Posture, options: HtmlOptions = {}): string {
  const { findings = [], generatedAt } = options
  const application = shown(posture.application)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy()}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <meta name="robots" content="noindex" />
        <title>Posture of ${application}</title>
        ${trusted(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <a class="skip" href="#routes">Skip to the routes</a>
        <header>
          <h1>Posture of <bdi>${application}</bdi></h1>
          <p class="muted">
            ${settingsText(posture)}${generatedAt === undefined ? '' : `, ${shown(generatedAt, 80)}`}.
            ${summaryText(posture)}.
          </p>
          <nav aria-label="Sections">
            <ul>
              <li><a href="#findings">Findings (${findings.length})</a></li>
              <li><a href="#routes">Routes (${posture.rows.length})</a></li>
              <li><a href="#access">Access matrix</a></li>
              <li><a href="#legend">What the words mean</a></li>
            </ul>
          </nav>
        </header>
        <main>
          ${findingsSection(findings)}${routesSection(posture)}${matrixSection(posture)}${servicesSection(posture)}${legendSection(posture)}
        </main>
        <footer class="muted small">
          <p>Made by express-bulwark from what its middlewares say of themselves.</p>
        </footer>
        <script type="application/json" id="posture">
          ${embeddedJson(plainPosture(posture))}
        </script>
        ${trusted(`<script>${SCRIPT}</script>`)}
      </body>
    </html> `.markup
}

/** Hashes, not 'unsafe-inline': a script that got into the page through a name would still not run. */
function policy(): string {
  return [
    "default-src 'none'",
    `style-src '${hashOf(STYLE)}'`,
    `script-src '${hashOf(SCRIPT)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

function servicesSection({ services }: Posture): Markup {
  if (services.length === 0) return NOTHING
  return html`<section id="services" aria-labelledby="services-title">
    <h2 id="services-title">For all requests</h2>
    <ul>
      ${services.map(serviceItem)}
    </ul>
  </section> `
}

function legendSection({ rows }: Posture): Markup {
  const counts = countsOf(rows)
  const words = PROOFS.filter((proof) => (counts.get(proof) ?? 0) > 0).map(
    (proof) =>
      html`<dt><span class="badge ${proof}">${proof}</span></dt>
        <dd>${MEANINGS[proof]}</dd>`,
  )
  return html`<section id="legend" aria-labelledby="legend-title">
    <h2 id="legend-title">What the words mean</h2>
    <dl class="legend">${words}</dl>
  </section> `
}
