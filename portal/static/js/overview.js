// App Overview: draws the chart from the table beside it, and shows fresh numbers every five seconds.

const EVERY = 5000;
const count = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });

let region = document.getElementById("numbers");
let drawn = null;

if (region) {
  draw();
  setTimeout(refresh, EVERY);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("change", (event) => event.target.id === "measure" && draw());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#pause");
    if (button) button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "true" ? "false" : "true");
  });
}

async function refresh() {
  const paused = document.getElementById("pause")?.getAttribute("aria-pressed") === "true";
  if (!paused && !document.hidden) await update();
  setTimeout(refresh, EVERY);
}

async function update() {
  let answer;
  try {
    answer = await fetch(region.dataset.source, { redirect: "manual", signal: AbortSignal.timeout(EVERY) });
  } catch {
    return late();
  }
  if (!answer.ok) return late();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("numbers");
  if (!fresh) return late();
  if (fresh.dataset.state !== region.dataset.state) {
    region.replaceWith(fresh);
    region = fresh;
    drawn = null;
  } else {
    for (const part of region.querySelectorAll("[data-live]")) replace(part, fresh.querySelector(`#${part.id}`));
  }
  draw();
}

// What somebody is using at this moment stays as it is: it is fresh again five seconds later.
function replace(part, fresh) {
  if (!fresh || part.contains(document.activeElement) || part.innerHTML === fresh.innerHTML) return;
  part.replaceChildren(...fresh.childNodes);
}

function late() {
  const since = document.getElementById("late");
  if (since) since.hidden = false;
}

function draw() {
  const box = document.getElementById("chart");
  if (!box || typeof uPlot === "undefined") return; // A browser that cannot run it still has the table, and fresh numbers.
  const measure = document.getElementById("measure")?.value ?? "count";
  const rows = [...document.querySelectorAll("#series tr")];
  const data = [rows.map((row) => Number(row.dataset.at)), rows.map((row) => Number(row.dataset[measure] ?? 0))];
  const key = [measure, matchMedia("(prefers-color-scheme: dark)").matches, rows.length].join();
  if (drawn?.key === key && drawn.box === box) return drawn.plot.setData(data);
  drawn?.plot.destroy();
  const plot = new uPlot(options(box, measure), data, box);
  new ResizeObserver(() => plot.setSize(sizeOf(box))).observe(box);
  drawn = { key, box, plot };
}

function sizeOf(box) {
  return { width: box.clientWidth, height: box.clientHeight };
}

function options(box, measure) {
  const ink = (name) => getComputedStyle(box.querySelector(`.chart-${name}`)).color;
  const [accent, line, muted] = ["accent", "line", "muted"].map(ink);
  const zone = box.dataset.zone;
  const font = `12px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: muted, font, ticks: { show: false }, border: { show: false } };
  return {
    ...sizeOf(box),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { range: (_, low, high) => spread(low, high, box) }, y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.08] } },
    axes: [
      { ...axis, grid: { show: false }, size: 38, gap: 12, values: (_, marks, _axis, _room, step) => marks.map((mark) => moment(mark, step, zone)), space: 72 },
      { ...axis, grid: { stroke: line, width: 1 }, size: 52, splits: whole, values: (_, marks) => marks.map((mark) => count.format(mark)) },
    ],
    series: [{}, { fill: accent, stroke: accent, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 36], radius: 0.18 }) }],
    hooks: { setCursor: [(plot) => say(plot, measure)] },
  };
}

// A mark of the time axis: the day, and for steps of hours the time where it is not midnight.
function moment(seconds, step, zone) {
  const at = new Date(seconds * 1000);
  const time = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(at);
  if (step < 86_400 && time !== "00:00") return time;
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" }).format(at);
}

// Half a bar of room on both sides, so that the first and the last are as wide as the others.
function spread(low, high, box) {
  const room = Number(box.dataset.step) * 0.6;
  return [low - room, high + room];
}

// Four lines at most, at whole numbers.
function whole(_, __, ___, top) {
  const rough = Math.max(1, top / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough));
  return Array.from({ length: Math.floor(top / step) + 1 }, (_unused, index) => index * step);
}

function say(plot, measure) {
  const readout = document.getElementById("readout");
  const place = plot.cursor.idx;
  const row = place == null ? null : document.querySelectorAll("#series tr")[place];
  const unit = measure === "count" ? "transactions" : measure.toUpperCase();
  readout.textContent = row ? `${row.cells[0].textContent.trim()}: ${exact.format(plot.data[1][place])} ${unit}` : readout.dataset.rest;
}
