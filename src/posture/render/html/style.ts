/** The page's style. Contrast is at least 4.5:1 in both colour schemes; a test measures it. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f8fa; --text: #1b1f24; --muted: #505a65; --line: #d0d7de; --strong: #6e7781;
  --link: #0b57d0; --focus: #0b57d0;
  --guarded: #e3f4e8; --guarded-text: #0f5128; --public: #e1effc; --public-text: #0b4a86;
  --optional: #fff1cf; --optional-text: #664000; --open: #fde5e5; --open-text: #8a1010;
  --unknown: #f0e8fc; --unknown-text: #4c2889; --held: #dff3f1; --held-text: #0b4f4a;
  --known: #e9edf1; --known-text: #38414b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1317; --panel: #181e24; --text: #e6eaee; --muted: #a8b2bd; --line: #333c46; --strong: #7d8894;
    --link: #8ab8ff; --focus: #8ab8ff;
    --guarded: #12331f; --guarded-text: #a5e8ba; --public: #0f2f4d; --public-text: #a9d3ff;
    --optional: #3d2d06; --optional-text: #ffd98a; --open: #4a1616; --open-text: #ffb9b5;
    --unknown: #33214f; --unknown-text: #d9c4ff; --held: #0d3531; --held-text: #9ae4db;
    --known: #2a323a; --known-text: #ccd4dc;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 0.9375rem/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; }
header, main, footer { max-width: 80rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.625rem; line-height: 1.25; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1875rem; margin: 2.5rem 0 0.75rem; }
p { margin: 0 0 0.75rem; }
a { color: var(--link); }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace;
  font-size: 0.9em; overflow-wrap: anywhere; unicode-bidi: isolate; }
.muted { color: var(--muted); }
.small { font-size: 0.8125rem; } .small code, code .small { font-size: 1em; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: 0.5rem 1rem; background: var(--page); }
.skip:focus { top: 0.5rem; z-index: 3; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 2px; }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; margin: 0; padding: 0; }
.counts { display: flex; flex-wrap: wrap; gap: 0.5rem; list-style: none; margin: 1rem 0; padding: 0; }
.badge, .chip { display: inline-block; padding: 0.0625rem 0.5rem; border: 1px solid currentColor; border-radius: 0.25rem;
  font-size: 0.8125rem; font-weight: 600; white-space: nowrap; }
.guarded { background: var(--guarded); color: var(--guarded-text); }
.public { background: var(--public); color: var(--public-text); }
.optional { background: var(--optional); color: var(--optional-text); border-style: dashed; }
.open { background: var(--open); color: var(--open-text); border-width: 2px; }
.unknown { background: var(--unknown); color: var(--unknown-text); border-style: dotted; }
.held { background: var(--held); color: var(--held-text); }
.known { background: var(--known); color: var(--known-text); }
.error { background: var(--open); color: var(--open-text); }
.warning { background: var(--optional); color: var(--optional-text); }
.note { background: var(--known); color: var(--known-text); }
.filters { display: flex; flex-wrap: wrap; align-items: end; gap: 0.75rem 1.5rem; padding: 1rem; margin-bottom: 1rem;
  background: var(--panel); border: 1px solid var(--line); border-radius: 0.5rem; }
.filters label, .filters legend { display: block; font-size: 0.8125rem; font-weight: 600; padding: 0; margin-bottom: 0.25rem; }
.filters input { width: 100%; min-height: 2.25rem; padding: 0.25rem 0.625rem; font: inherit; color: var(--text);
  background: var(--page); border: 1px solid var(--strong); border-radius: 0.25rem; }
.field { flex: 1 1 16rem; min-width: 0; }
.filters fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.chips { display: flex; flex-wrap: wrap; gap: 0.375rem; }
.chip { min-height: 2.25rem; font-family: inherit; cursor: pointer; }
.chip[aria-pressed='true'] { box-shadow: inset 0 0 0 2px currentColor; text-decoration: underline; text-underline-offset: 0.2em; }
.plain { background: var(--page); color: var(--text); border-color: var(--strong); }
.filters [role='status'] { flex: 1 1 100%; margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--line);
  font-weight: normal; overflow-wrap: anywhere; }
thead th { font-size: 0.8125rem; font-weight: 600; color: var(--muted); border-bottom: 2px solid var(--strong);
  vertical-align: bottom; }
.routes { table-layout: fixed; }
.routes .method { width: 6rem; } .routes .path { width: 25%; } .routes .proof { width: 25%; }
.routes td p, .routes th p { margin: 0.25rem 0 0; }
tbody th code { font-weight: 600; }
.fault { color: var(--open-text); background: var(--open); padding: 0.125rem 0.5rem; border-left: 3px solid currentColor; }
summary { cursor: pointer; padding: 0.125rem 0; overflow-wrap: anywhere; }
details > ol { margin: 0.5rem 0 0; padding-left: 1.25rem; }
details li { margin-bottom: 0.75rem; }
dl { display: grid; grid-template-columns: minmax(0, 7rem) minmax(0, 1fr); gap: 0 0.75rem; margin: 0.25rem 0 0;
  font-size: 0.8125rem; }
dt { color: var(--muted); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
dl.legend { grid-template-columns: max-content minmax(0, 1fr); gap: 0.5rem 1rem; align-items: baseline; font-size: inherit; }
.findings { list-style: none; margin: 0; padding: 0; }
.findings > li { padding: 0.75rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.findings p { margin: 0.25rem 0 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 0.5rem; max-height: 85vh; }
.matrix { width: auto; min-width: 100%; border-collapse: separate; border-spacing: 0; font-size: 0.8125rem; }
.matrix th, .matrix td { min-width: 7.25rem; max-width: 16rem; border-right: 1px solid var(--line); }
.matrix thead th { position: sticky; top: 0; z-index: 2; background: var(--panel); color: var(--text); }
.matrix th:first-child { position: sticky; left: 0; z-index: 1; background: var(--panel); min-width: 14rem; }
.matrix thead th:first-child { z-index: 3; }
.matrix thead .small { display: block; }
.matrix .required { background: var(--guarded); color: var(--guarded-text); font-weight: 600; }
.matrix .one-of { background: var(--public); color: var(--public-text); }
.matrix .reported { background: var(--optional); color: var(--optional-text); font-style: italic; }
footer { margin-top: 3rem; padding-bottom: 2rem; }
@media (max-width: 47.5rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  .routes thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .routes, .routes tbody { display: block; }
  .routes tr { display: flex; flex-wrap: wrap; border: 1px solid var(--line); border-radius: 0.5rem;
    margin-bottom: 0.75rem; padding: 0.375rem 0; }
  .routes th, .routes td { display: block; flex: 0 0 100%; width: auto !important; border: 0; padding: 0.25rem 0.75rem; }
  .routes td.method { flex: 0 0 auto; padding-right: 0; max-width: 40%; }
  .routes th.path { flex: 1 1 50%; min-width: 0; }
  .matrix th:first-child { min-width: 8rem; max-width: 8rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print {
  :root { color-scheme: light; }
  body { font-size: 9pt; }
  .filters, nav, .skip { display: none; }
  .scroll { overflow: visible; max-height: none; border: 0; }
  .matrix th, .matrix td { position: static !important; min-width: 0; }
  tr, .findings > li { break-inside: avoid; }
}
`
