// Listens to the run, keeps what was said of it, and draws. It has no way to act on it.
import { addPoint, drawCharts, recolour, resetCharts, showMarks, showWindow, startCharts } from "./charts.js";
import { byId } from "./dom.js";
import { known, percent, span } from "./format.js";
import { showGpu } from "./gpu.js";
import * as panels from "./panels.js";

const KEPT = { points: 3600, decisions: 200, alarms: 100 };
const AGAIN_MS = 2000;
const THEMES = ["auto", "light", "dark"];
let story = null;
let source = null;
let heardAt = 0;
let ended = false;
let due = false;
let retry = null;

function take(whole) {
  story = whole;
  ended = false;
  resetCharts(whole.run);
  whole.points.forEach(addPoint);
  heard();
}

function add(picture) {
  if (!story) return;
  const point = { ...picture.point, number: picture.number };
  story.last = picture;
  story.run.deadline_ms = picture.deadline_ms ?? story.run.deadline_ms;
  story.points.push(point);
  story.decisions.push(...picture.decisions);
  picture.alarms.forEach(note);
  for (const verdict of picture.verdicts) {
    for (const decision of story.decisions) if (decision.id === verdict.id) decision.verdict = verdict;
  }
  for (const [name, most] of Object.entries(KEPT)) story[name].splice(0, story[name].length - most);
  addPoint(point);
  if (picture.alarms.length) byId("news").textContent = `Alarm: ${picture.alarms.at(-1).text}`;
  heard();
}

// One of each kind, as in the history.
function note(alarm) {
  const at = story.alarms.findIndex(({ kind }) => kind === alarm.kind);
  const { times, since_s: since } = at < 0 ? { times: 0, since_s: alarm.time_s } : story.alarms.splice(at, 1)[0];
  story.alarms.push({ ...alarm, times: times + 1, since_s: since });
}

function heard() {
  heardAt = performance.now();
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    show();
  });
}

function show() {
  const { run, points, decisions, alarms, last } = story;
  panels.showRun(run, last);
  panels.showDecisions(decisions, KEPT.decisions);
  panels.showAlarms(alarms, KEPT.alarms);
  showMarks(decisions, panels.toneOf);
  drawCharts(last?.absent);
  showLink();
  if (!last) return;
  panels.showTiles(run, points, decisions, last);
  for (const part of ["Knobs", "Holds", "Diagnosis", "Stages", "Readings"]) panels[`show${part}`](last);
  showGpu(last);
  const missed = last.point.miss_rate;
  document.title = `${known(missed) ? `${percent(missed)} missed` : "Sound not known"} – Kapellmeister`;
}

// Old figures must not pass for new ones.
function showLink() {
  const silentS = (performance.now() - heardAt) / 1000;
  const patienceS = story ? 3 * story.run.interval_s + 2 : Infinity;
  let [tone, text, banner] = ["warn", "Connecting", ""];
  if (ended) [tone, text, banner] = ["quiet", "Run ended", "The run has ended; below are its last figures. The next run on this port appears by itself."];
  else if (source?.readyState !== EventSource.OPEN) banner = story ? `The controller cannot be reached for ${span(silentS)}; the figures below are old. Trying again.` : "";
  else if (story && !story.last) text = "Starting";
  else if (silentS > patienceS) [tone, text, banner] = ["bad", "Silent", `No tick for ${span(silentS)}; the figures below are old.`];
  else [tone, text] = ["good", "Live"];
  const [link, notice] = [byId("link"), byId("banner")];
  link.dataset.tone = tone;
  link.textContent = text;
  notice.hidden = !banner;
  notice.textContent = banner;
  document.body.classList.toggle("old", Boolean(banner));
}

function connect() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource("events");
  source.addEventListener("history", ({ data }) => take(JSON.parse(data)));
  source.addEventListener("tick", ({ data }) => add(JSON.parse(data)));
  source.addEventListener("end", () => { ended = true; });
  source.addEventListener("error", () => {
    showLink();
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, AGAIN_MS);
  });
}

// A page that nobody sees costs nothing; the history makes up for it afterwards.
function listenWhileSeen() {
  if (!document.hidden) connect();
  else {
    clearTimeout(retry);
    source?.close();
  }
}

function chooseTheme(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    localStorage.setItem("kapellmeister-theme", theme);
  } catch { /* storage may be forbidden: then it lasts as long as the page */ }
  nameTheme();
  recolour();
}

function nameTheme() {
  const theme = document.documentElement.dataset.theme ?? "auto";
  byId("theme").textContent = theme[0].toUpperCase() + theme.slice(1);
  byId("theme").setAttribute("aria-label", `Colours: ${theme}; press for the next`);
  return theme;
}

startCharts();
nameTheme();
byId("theme").addEventListener("click", () => chooseTheme(THEMES[(THEMES.indexOf(nameTheme()) + 1) % THEMES.length]));
byId("window").addEventListener("change", ({ target }) => showWindow(Number(target.value)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
document.addEventListener("visibilitychange", listenWhileSeen);
setInterval(showLink, 1000);
listenWhileSeen();
