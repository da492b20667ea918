"""The report's style sheet and script: light and dark, phone and desktop."""

STYLE = """
:root { color-scheme: light dark; --ink: #222; --soft: #595959; --line: #d0d0d0; --back: #fff;
  --accent: #0072B2; --link: #005f96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e4; --soft: #aaa; --line: #444;
  --back: #16181b; --accent: #56B4E9; --link: #7cc5f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1080px; background: var(--back);
  color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .5rem 0;
  list-style: none; }
a { color: var(--link); }
.finding { font-size: 1.1rem; }
.note, figcaption, caption { color: var(--soft); font-size: .9rem; }
caption { text-align: left; padding-bottom: .3rem; }
.scroll { overflow-x: auto; margin: .5rem 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); }
figure { margin: 0; }
.plot.narrow { min-width: 320px; }
.plot.wide { min-width: 780px; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; font-weight: 600; }
th[scope=row], th:first-child, .text { text-align: left; }
tbody th { position: sticky; left: 0; background: var(--back); font-weight: 600; }
.matrix td[style] { background: color-mix(in srgb, var(--accent) calc(var(--score) * 45%),
  transparent); }
.matrix .learned { font-weight: 700; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--link); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem;
  font-size: .9rem; }
dt { font-weight: 600; overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; }
select { font: inherit; max-width: 100%; padding: .15rem .3rem; }
@media (max-width: 600px) { dl { grid-template-columns: 1fr; } dd { margin: 0 0 .4rem 1rem; } }
@media print { .plot { break-inside: avoid; } }
"""

SCRIPT = """
'use strict';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const plots = [...document.querySelectorAll('[data-figure]')];
async function unpacked(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(text, letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}
async function draw(place) {
  const key = place.dataset.figure;
  const list = document.querySelector(`select[data-for="${key}"]`);
  const id = `${key}-${list ? list.value : 0}`;
  const figure = await unpacked(id);
  if (list && id !== `${key}-${list.value}`) return;  // another was chosen in between
  const said = figure.layout.meta;
  figure.layout.font = {...figure.layout.font, color: dark.matches ? '#d4d4d4' : '#3a3a3a'};
  place.style.height = `${figure.layout.height}px`;
  document.getElementById(`${key}-caption`).textContent = said.caption;
  document.getElementById(`${key}-words`).textContent = said.description;
  await Plotly.newPlot(place, figure.data, figure.layout, {responsive: true, displaylogo: false});
  place.dataset.drawn = id;
}
plots.forEach(draw);
dark.addEventListener('change', () => plots.forEach(draw));
document.querySelectorAll('select[data-for]').forEach(list => list.addEventListener('change',
  () => draw(document.querySelector(`[data-figure="${list.dataset.for}"]`))));
"""
