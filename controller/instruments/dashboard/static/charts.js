// Three plots over one stretch of time, with one cursor. A null is a gap.
/* global uPlot */
import { byId, element } from "./dom.js";
import { figure, known, ms, percent, time } from "./format.js";

const COLUMNS = ["time_s", "miss_rate", "p50_ms", "p99_ms", "load", "peak_p50", "peak_p90"];
const HEIGHT = 168;
const KEPT_S = 900;
const SHORTEST_S = 60;
const columns = Object.fromEntries(COLUMNS.map((name) => [name, []]));
const plots = [];
let run = null;
let marks = [];
let windowS = 300;
let lastNumber = null;
let absent = {};

// A canvas does not know the page's variables: each is asked for once a theme.
const colours = new Map();
const probe = document.body.appendChild(element("span", { hidden: "" }));

function colour(name) {
  if (!colours.has(name)) {
    probe.style.color = `var(--${name})`;
    colours.set(name, getComputedStyle(probe).color);
  }
  return colours.get(name);
}

export function recolour() {
  colours.clear();
  for (const [, plot] of plots) plot.redraw(false, true);
}

function highest(names, from) {
  let top = 0;
  for (const name of names) {
    for (let at = from; at < columns[name].length; at += 1) {
      if (columns[name][at] > top) top = columns[name][at];
    }
  }
  return top;
}

const firstShown = () => {
  const start = extent()[0];
  const at = columns.time_s.findIndex((value) => value >= start);
  return at < 0 ? 0 : at;
};

// No wider than the run has lasted, beyond its first minute.
function extent() {
  const last = columns.time_s.at(-1) ?? Date.now() / 1000;
  const first = Math.min(columns.time_s[0] ?? last, last - SHORTEST_S);
  return [Math.max(first, last - windowS), last];
}

// Powers of ten and what lies between, as a latency axis needs them.
function logTicks(low, high) {
  const found = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const step of [1, 2, 5]) {
      const value = Number((step * decade).toPrecision(1));
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found.length > 6 ? found.filter((value) => /^[1]/.test(value.toExponential())) : found;
}

const PLOTS = [
  {
    id: "chart-missed",
    series: [{ name: "miss_rate", label: "missed", colour: "bad", fill: true, stepped: true, form: percent }],
    limit: () => ({ value: run.target_miss_rate, label: `target ${percent(run.target_miss_rate)}` }),
    range: () => [0, Math.max(run.target_miss_rate * 2.5, highest(["miss_rate"], firstShown()) * 1.15)],
    axis: percent,
  },
  {
    id: "chart-latency",
    series: [
      { name: "p50_ms", label: "p50", colour: "first", form: ms },
      { name: "p99_ms", label: "p99", colour: "second", form: ms },
    ],
    limit: () => ({ value: run.deadline_ms, label: `deadline ${ms(run.deadline_ms)}` }),
    log: true,
    range: () => {
      const shown = columns.p50_ms.slice(firstShown()).filter((value) => value > 0);
      const low = shown.length ? Math.min(...shown) : run.deadline_ms / 20;
      const top = highest(["p99_ms"], firstShown());
      return [Math.min(low * 0.6, run.deadline_ms / 10), Math.max(run.deadline_ms * 2, top * 1.5)];
    },
    axis: (value) => `${figure(value)} ms`,
  },
  {
    id: "chart-load",
    series: [
      { name: "load", label: "load", colour: "third", width: 2, form: figure },
      { name: "peak_p50", label: "forecast p50", colour: "band", width: 1, dash: [2, 3], form: figure },
      { name: "peak_p90", label: "p90", colour: "band", width: 1, form: figure },
    ],
    band: [3, 2],
    range: () => [0, Math.max(1, highest(["load", "peak_p50", "peak_p90"], firstShown()) * 1.1)],
    axis: figure,
  },
];

function seriesOf({ label, colour: name, width = 1.5, dash, fill, stepped }) {
  return {
    label,
    width,
    dash,
    stroke: () => colour(name),
    fill: fill ? () => colour(`${name}-wash`) : undefined,
    paths: stepped ? uPlot.paths.stepped({ align: -1 }) : undefined,
    points: { show: (plot, at) => lonely(plot, at), size: 4 },
    spanGaps: false,
  };
}

// Points are drawn where a value stands alone between gaps, and no line would show it.
function lonely(plot, at) {
  const values = plot.data[at];
  const alone = (place) => known(values[place]) && !known(values[place - 1]) && !known(values[place + 1]);
  const found = [];
  for (let place = 0; place < values.length; place += 1) if (alone(place)) found.push(place);
  return found.length > 0 && found;
}

function drawLimit(plot, limit) {
  if (!limit || !run) return;
  const { value, label } = limit();
  if (!known(value)) return;
  const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
  const { left, top, width, height } = plot.bbox;
  if (y < top || y > top + height) return;
  const { ctx } = plot;
  const pixel = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("limit");
  ctx.lineWidth = pixel;
  ctx.setLineDash([5 * pixel, 4 * pixel]);
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + width, y);
  ctx.stroke();
  ctx.font = `${11 * pixel}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.fillText(label, left + 4 * pixel, y - 2 * pixel);
  ctx.restore();
}

// A small flag at the foot for each decision, so that cause and effect stand in one picture.
function drawMarks(plot) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const pixel = devicePixelRatio;
  ctx.save();
  for (const { time_s: at, tone } of marks) {
    const x = Math.round(plot.valToPos(at, "x", true)) + 0.5;
    if (x < left || x > left + width) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(tone);
    ctx.lineWidth = pixel;
    ctx.globalAlpha = 0.55;
    ctx.setLineDash([pixel, 3 * pixel]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.moveTo(x - 4 * pixel, top + height);
    ctx.lineTo(x + 4 * pixel, top + height);
    ctx.lineTo(x, top + height - 6 * pixel);
    ctx.fill();
  }
  ctx.restore();
}

function options(plan, width) {
  const axis = {
    stroke: () => colour("faint"),
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
    gap: 4,
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "kapellmeister" }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => extent() },
      y: { distr: plan.log ? 3 : 1, range: () => (run ? plan.range() : [0.1, 1]) },
    },
    axes: [
      { ...axis, size: 26, space: 90, values: (_, values) => values.map(time) },
      {
        ...axis,
        size: 58,
        space: 28,
        splits: plan.log ? (plot) => logTicks(plot.scales.y.min, plot.scales.y.max) : undefined,
        filter: plan.log ? (_, splits) => splits : undefined,
        values: (_, values) => values.map((value) => (value === null ? "" : plan.axis(value))),
      },
    ],
    series: [{}, ...plan.series.map(seriesOf)],
    bands: plan.band ? [{ series: plan.band, fill: () => colour("band-wash") }] : [],
    hooks: {
      drawAxes: [(plot) => drawLimit(plot, plan.limit)],
      draw: [drawMarks],
      setCursor: [(plot) => showLegend(plan, plot.cursor.idx)],
    },
  };
}

// Why a plot is empty stands in its place.
function showAbsence({ id, series }) {
  const from = firstShown();
  const told = series.some(({ name }) => columns[name].some((value, at) => at >= from && known(value)));
  const why = series.map(({ name }) => absent[name]).find(Boolean);
  if (told || !why) byId(id).removeAttribute("data-empty");
  else byId(id).dataset.empty = why;
}

const dataOf = (plan) => [columns.time_s, ...plan.series.map(({ name }) => columns[name])];

function showLegend(plan, at) {
  const place = at ?? columns.time_s.length - 1;
  const parts = plan.series.map(({ name, label, colour: tone, form }) =>
    element("span", { class: `key ${tone}` }, label, " ", element("b", {}, form(columns[name][place]))));
  const when = at === null || at === undefined ? "" : time(columns.time_s[place]);
  byId(plan.id).previousElementSibling.replaceChildren(element("span", { class: "when" }, when), ...parts);
  byId(plan.id).setAttribute("aria-label", describe(plan, place));
}

function describe(plan, place) {
  const said = plan.series.map(({ name, label, form }) => `${label} ${form(columns[name][place])}`);
  const at = columns.time_s[place];
  return `${said.join(", ")}${known(at) ? ` at ${time(at)}` : ""}; arrow keys move through time`;
}

// The cursor by keyboard: a step, ten with Shift, the ends, and away with Escape.
function moveByKey(event, plot) {
  const count = columns.time_s.length;
  const here = plot.cursor.idx ?? count - 1;
  const step = event.shiftKey ? 10 : 1;
  const place = { ArrowLeft: here - step, ArrowRight: here + step, Home: firstShown(), End: count - 1 }[event.key];
  if (event.key === "Escape") plot.setCursor({ left: -10, top: -10 });
  if (place === undefined || count === 0) return;
  event.preventDefault();
  const at = columns.time_s[Math.min(count - 1, Math.max(firstShown(), place))];
  plot.setCursor({ left: plot.valToPos(at, "x"), top: HEIGHT / 3 });
}

export function startCharts() {
  for (const plan of PLOTS) {
    const place = byId(plan.id);
    place.tabIndex = 0;
    place.setAttribute("role", "img");
    const plot = new uPlot(options(plan, place.clientWidth || 300), dataOf(plan), place);
    place.addEventListener("keydown", (event) => moveByKey(event, plot));
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
    plots.push([plan, plot]);
  }
}

export function resetCharts(newRun) {
  run = newRun;
  lastNumber = null;
  for (const values of Object.values(columns)) values.length = 0;
}

// A tick that was dropped, or came much later than it should, leaves a gap as well.
export function addPoint(point) {
  const before = columns.time_s.at(-1);
  const late = before !== undefined && point.time_s - before > 2.5 * run.interval_s;
  const dropped = lastNumber !== null && point.number !== lastNumber + 1;
  if (before !== undefined && (late || dropped)) {
    for (const name of COLUMNS) columns[name].push(name === "time_s" ? before + run.interval_s / 2 : null);
  }
  for (const name of COLUMNS) columns[name].push(point[name]);
  lastNumber = point.number;
  const old = columns.time_s.findIndex((value) => value >= point.time_s - KEPT_S);
  if (old > 0) for (const values of Object.values(columns)) values.splice(0, old);
}

export function showMarks(decisions, toneOf) {
  marks = decisions.map((decision) => ({ time_s: decision.time_s, tone: toneOf(decision) }));
}

export function showWindow(seconds) {
  windowS = seconds;
  drawCharts();
}

export function drawCharts(missing = absent) {
  absent = missing;
  for (const [plan, plot] of plots) {
    plot.setData(dataOf(plan));
    showAbsence(plan);
    showLegend(plan, plot.cursor.idx);
  }
}
