import type { Posture } from '../../model.js'
import { accessMatrix, type AccessMatrix, type AccessRow, type Need } from '../matrix.js'
import { guardText, proofText, routeText, shown } from '../words.js'
import { NOTHING, html, type Markup } from './markup.js'

const CLASSES: Readonly<Record<Need, string>> = {
  required: 'required',
  'one of': 'one-of',
  'required (report)': 'reported',
  'one of (report)': 'reported',
}

/** Who may do what: a row for each route, a column for each scope and each role. */
export function matrixSection(posture: Posture): Markup {
  const matrix = accessMatrix(posture)
  return html`<section id="access" aria-labelledby="access-title">
    <h2 id="access-title">Access matrix</h2>
    <p class="muted">
      A scope or role that is <em>required</em> must be held; of those marked <em>one of</em>, one is enough.
      What stands as <em>report</em> refuses nobody.
    </p>
    ${matrix.rows.length === 0 ? html`<p>No routes.</p>` : matrixTable(matrix)}
  </section> `
}

function matrixTable({ columns, rows }: AccessMatrix): Markup {
  const further = rows.some((row) => row.further.length > 0)
  const headings = columns.map(
    ({ what, value }) =>
      html`<th scope="col"><span class="muted small">${what}</span> <code>${shown(value, 120)}</code></th>`,
  )
  return html`<div class="scroll" role="region" aria-label="Scopes and roles by route" tabindex="0">
    <table class="matrix">
      <thead>
        <tr>
          <th scope="col">Route</th>
          <th scope="col">Who gets in</th>
          ${headings}${further ? html`<th scope="col">Further rules</th>` : NOTHING}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => matrixRow(row, further))}
      </tbody>
    </table>
  </div>`
}

function matrixRow({ index, row, caller, needs, further }: AccessRow, hasFurther: boolean): Markup {
  const cells = needs.map((need) =>
    need === undefined ? html`<td></td>` : html`<td class="${CLASSES[need]}">${need}</td>`,
  )
  const rules = further.map(guardText).join(', ')
  return html`<tr data-row="${index}">
    <th scope="row"><code>${routeText(row)}</code></th>
    <td><span class="badge ${row.proof}">${proofText(row)}</span> ${caller === 'unknown' ? '' : caller}</td>
    ${cells}${hasFurther ? html`<td><code>${rules}</code></td>` : NOTHING}
  </tr> `
}
