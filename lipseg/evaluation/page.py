"""The style sheet of the report: readable on a phone, in a light and in a dark page, and on paper."""

# The variables from --muted on are those that the charts draw in (``figures.VARIABLES``).
CSS = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c2127; --panel: #f5f7f9; --accent: #1f63d1; --good: #17703f; --bad: #b3261e;
  --warn: #fff6dd; --warn-edge: #d9a514;
  --muted: #59636e; --rule: #dfe3e8;
  --series-1: #c8641b; --series-2: #1f63d1; --series-3: #6f7a86; --series-4: #1a8a6d; --series-5: #9a4fb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --text: #e4e8ec; --panel: #1d2227; --accent: #7aaaf7; --good: #6fcf97; --bad: #f2938c;
    --warn: #2c2714; --warn-edge: #a8821c;
    --muted: #9ba6b2; --rule: #323940;
    --series-1: #f0944d; --series-2: #6ea3f5; --series-3: #98a3ae; --series-4: #4cc3a2; --series-5: #c58adb;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 68rem; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .4rem 0 .9rem; max-width: 52rem; }
small, .subtitle, .where { color: var(--muted); }
.subtitle { margin: .3rem 0 0; }
.where { margin: 1.5rem 0 .4rem; font-size: .9rem; }
nav {
  position: sticky; top: 0; z-index: 1; display: flex; gap: 1.1rem; overflow-x: auto; white-space: nowrap;
  margin-top: 1.5rem; padding: .6rem 0; background: var(--page); border-bottom: 1px solid var(--rule);
  font-size: .9rem;
}
nav a { color: var(--accent); text-decoration: none; }
nav a:hover { text-decoration: underline; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; }
.tile { background: var(--panel); border-radius: .6rem; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-weight: 600; font-size: .92rem; }
.tile small { display: block; font-size: .8rem; line-height: 1.3; }
.verdict { margin: 1rem 0; }
.notes {
  background: var(--warn); border-left: 4px solid var(--warn-edge); border-radius: .3rem; padding: .7rem 1rem;
  margin: 1rem 0; font-size: .95rem;
}
.notes ul { margin: .3rem 0 0; padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
.scroll table { width: 100%; max-width: 60rem; }
th, td { padding: .32rem 0 .32rem 1.1rem; text-align: right; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); font-weight: 600; border-bottom: 1px solid var(--rule); }
tbody th { font-weight: 400; }
tbody tr + tr { border-top: 1px solid var(--rule); }
tr.group th { font-weight: 600; padding-top: .9rem; }
td small { font-size: .82rem; }
.better, .better small { color: var(--good); }
.worse, .worse small { color: var(--bad); }
.same, .same small { color: var(--muted); }
figure { margin: 0; }
figure.chart { margin: 1.2rem 0 2rem; }
figure.chart figcaption { margin-bottom: .5rem; max-width: 52rem; }
figure.chart svg, figure.chart img { display: block; width: 100%; height: auto; min-width: 34rem; max-width: 56rem; }
.keys { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; font-size: .9rem; }
.key i {
  display: inline-block; width: 1.4em; height: .3em; margin-right: .45em; vertical-align: middle;
  outline: 1px solid #0005;
}
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .9rem; }
.gallery img { display: block; width: 100%; height: auto; border-radius: .35rem; }
.gallery figcaption { font-size: .82rem; color: var(--muted); margin-top: .25rem; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem; }
.card { background: var(--panel); border-radius: .6rem; padding: .9rem 1rem; }
.card h3 { margin: 0; }
.card p { color: var(--muted); font-size: .9rem; margin: .15rem 0 .6rem; }
.badge {
  font-size: .75rem; font-weight: 600; border-radius: 1rem; padding: .1rem .6rem; border: 1px solid;
  vertical-align: middle;
}
.badge.own { color: var(--accent); }
.badge.kept { color: var(--muted); }
.faces { display: grid; grid-template-columns: 7rem 1fr; gap: .6rem; margin-bottom: .6rem; }
.faces img { display: block; width: 100%; height: auto; border-radius: .25rem; }
.members img:only-child { grid-column: 1 / -1; }
.members { display: grid; grid-template-columns: repeat(4, 1fr); gap: .3rem; align-content: start; }
dl {
  display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: .5rem 0 1rem; font-size: .92rem;
}
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
details { border-bottom: 1px solid var(--rule); padding: .35rem 0; max-width: 52rem; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 40rem) {
  body { padding: 1rem .9rem 3rem; font-size: 15px; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); }
  tbody th { white-space: normal; min-width: 6.5rem; }
  th, td { padding-left: .7rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; }
}
@media print { nav { display: none; } figure, .card { break-inside: avoid; } }
"""
