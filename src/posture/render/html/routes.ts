import type { Posture, PostureGuard, PostureRow } from '../../model.js'
import { flatFacts } from '../../flat-facts.js'
import { valueText } from '../plain.js'
import {
  PROOFS,
  accessText,
  countsOf,
  guardText,
  guardsText,
  ownGuard,
  placeText,
  proofText,
  shown,
} from '../words.js'
import { NOTHING, html, type Markup } from './markup.js'

// Roles are written out: where the rows are laid out as cards, a browser would no longer take them for a table.
export function routesSection(posture: Posture): Markup {
  return html`<section id="routes" aria-labelledby="routes-title">
    <h2 id="routes-title">Routes</h2>
    ${filters(posture)}
    <table class="routes" role="table" aria-labelledby="routes-title">
      <thead role="rowgroup">
        <tr role="row">
          <th scope="col" role="columnheader" class="method">Method</th>
          <th scope="col" role="columnheader" class="path">Path</th>
          <th scope="col" role="columnheader" class="proof">Proof</th>
          <th scope="col" role="columnheader">Guards, in order</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${posture.rows.map(routeRow)}
      </tbody>
    </table>
  </section> `
}

/** Without a script nothing could be filtered, so the script shows it. */
function filters({ rows }: Posture): Markup {
  const counts = countsOf(rows)
  const chips = PROOFS.filter((proof) => (counts.get(proof) ?? 0) > 0).map(
    (proof) =>
      html`<button type="button" class="chip ${proof}" data-proof="${proof}" aria-pressed="false">
        ${proof} ${counts.get(proof) ?? 0}
      </button>`,
  )
  return html`<div class="filters" role="search" aria-label="Routes" id="filters" hidden>
    <div class="field">
      <label for="search">Search in method, path, guards, scopes, files</label
      ><input type="search" id="search" autocomplete="off" spellcheck="false" />
    </div>
    <fieldset>
      <legend>Proof</legend>
      <div class="chips">${chips}</div>
    </fieldset>
    <button type="button" class="chip plain" id="expand" aria-pressed="false">Show all details</button>
    <p role="status" id="status" class="muted small"></p>
  </div>`
}

function routeRow(row: PostureRow, index: number): Markup {
  const kind = row.kind === 'route' ? '' : `${row.kind} `
  const handler = row.handler === undefined || row.handler === '' ? '' : shown(row.handler, 80)
  const about = `${kind}${handler}`.trim()
  return html`<tr role="row" data-row="${index}">
    <td role="cell" class="method"><code>${shown(row.method, 20)}</code></td>
    <th scope="row" role="rowheader" class="path">
      <code>${shown(row.path)}</code>${about === '' ? NOTHING : html`<p class="muted small">${about}</p>`}
    </th>
    <td role="cell" class="proof">${proofCell(row)}</td>
    <td role="cell">${guardsCell(row)}</td>
  </tr> `
}

function proofCell(row: PostureRow): Markup {
  const access = accessText(row)
  const why = `${shown(row.why)}${access === '' ? '' : ` (${access})`}`
  const faults = row.faults.map(
    ({ code, message }) =>
      html`<p class="fault small"><code>${shown(code, 80)}</code>: ${shown(message)}</p>`,
  )
  return html`<span class="badge ${row.proof}">${proofText(row)}</span
    >${why === '' ? NOTHING : html`<p class="muted small">${why}</p>`}${faults}`
}

function guardsCell({ guards }: PostureRow): Markup {
  if (guards.length === 0) return html`<span class="muted">none</span>`
  const place = placeText(ownGuard(guards))
  return html`<details>
    <summary>
      <code>${guardsText(guards)}</code
      >${place === '' ? NOTHING : html` <span class="muted small mono">${place}</span>`}
    </summary>
    <ol>
      ${guards.map(guardItem)}
    </ol>
  </details>`
}

function guardItem(guard: PostureGuard): Markup {
  return guardEntry(guard, [
    guard.layer,
    guard.mode,
    guard.mounted === 'route' ? 'in the route' : 'before the route',
  ])
}

export function serviceItem(guard: PostureGuard): Markup {
  return guardEntry(guard, [guard.layer, guard.mode])
}

function guardEntry(guard: PostureGuard, about: readonly string[]): Markup {
  const facts = Object.entries(flatFacts(guard)).map(
    ([name, value]) =>
      html`<dt>${shown(name, 80)}</dt>
        <dd>${shown(valueText(value))}</dd>`,
  )
  const place = placeText(guard)
  return html`<li>
    <code>${guardText(guard)}</code>
    <span class="muted small">${about.join(', ')}${place === '' ? '' : ', '}</span
    ><span class="muted small mono">${place}</span>${facts.length === 0 ? NOTHING : html`<dl>${facts}</dl>`}
  </li>`
}
