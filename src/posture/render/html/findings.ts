import type { Finding } from '../../model.js'
import { placeText, shown } from '../words.js'
import { NOTHING, html, type Markup } from './markup.js'

const ORDER = ['error', 'warning', 'note'] as const

export function findingsSection(findings: readonly Finding[]): Markup {
  const sorted = ORDER.flatMap((severity) => findings.filter((finding) => finding.severity === severity))
  return html`<section id="findings" aria-labelledby="findings-title">
    <h2 id="findings-title">Findings</h2>
    ${
      sorted.length === 0
        ? html`<p>None.</p>`
        : html`<ul class="findings">
            ${sorted.map(findingItem)}
          </ul>`
    }
  </section> `
}

function findingItem(finding: Finding): Markup {
  const place = placeText(finding)
  return html`<li>
    <span class="badge ${finding.severity}">${finding.severity}</span>
    <code>${shown(finding.code, 80)}</code> ${shown(finding.message, 1000)}
    <p>${shown(finding.consequence)} ${shown(finding.remedy)}</p>
    <p class="muted small">
      ${place === '' ? NOTHING : html`<code>${place}</code>, `}<code>${shown(finding.page)}</code>
    </p>
  </li> `
}
