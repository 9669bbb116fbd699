/**
 * The page's script. It reads the embedded data, and only ever shows and hides rows that are there and sets the text
 * of the status line: text of an application never becomes markup here.
 */
export const SCRIPT = `
(() => {
  'use strict'
  const posture = JSON.parse(document.getElementById('posture').textContent)
  const textOf = (row) => [
    row.kind, row.method, row.path, row.proof, row.why, row.handler || '',
    ...row.faults.flatMap(({ code, message }) => [code, message]),
    ...row.guards.flatMap((guard) => [
      guard.kind, guard.name, guard.kind + '(' + guard.name + ')', guard.layer, guard.mode,
      (guard.file || '') + ':' + (guard.line || ''), JSON.stringify(guard.facts),
    ]),
  ].join(' ').toLowerCase()
  const rows = posture.rows.map((row) => ({ proof: row.proof, text: textOf(row), elements: [] }))
  for (const element of document.querySelectorAll('tr[data-row]')) {
    const row = rows[Number(element.dataset.row)]
    if (row) row.elements.push(element)
  }
  const search = document.getElementById('search')
  const status = document.getElementById('status')
  const chips = [...document.querySelectorAll('button[data-proof]')]
  const expand = document.getElementById('expand')
  const allDetails = [...document.querySelectorAll('.routes details')]

  const isPressed = (button) => button.getAttribute('aria-pressed') === 'true'
  const filter = () => {
    const words = search.value.toLowerCase().split(/\\s+/).filter((word) => word !== '')
    const proofs = new Set(chips.filter(isPressed).map((chip) => chip.dataset.proof))
    let count = 0
    for (const { proof, text, elements } of rows) {
      const shown = (proofs.size === 0 || proofs.has(proof)) && words.every((word) => text.includes(word))
      if (shown) count += 1
      for (const element of elements) element.hidden = !shown
    }
    status.textContent = count === 0 ? 'No row matches.' : count + ' of ' + rows.length + ' rows are shown.'
  }
  const press = (button, pressed) => { button.setAttribute('aria-pressed', String(pressed)) }

  search.addEventListener('input', filter)
  for (const chip of chips) {
    chip.addEventListener('click', () => {
      press(chip, !isPressed(chip))
      filter()
    })
  }
  expand.addEventListener('click', () => {
    press(expand, !isPressed(expand))
    for (const details of allDetails) details.open = isPressed(expand)
  })
  const closed = []
  window.addEventListener('beforeprint', () => {
    for (const details of allDetails) {
      if (details.open) continue
      details.open = true
      closed.push(details)
    }
  })
  window.addEventListener('afterprint', () => {
    for (const details of closed.splice(0)) details.open = false
  })
  document.getElementById('filters').hidden = false
  filter()
})()
`
