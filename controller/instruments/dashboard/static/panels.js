// Everything on the page that is words and tables.
import { byId, draw, element, nothing, table } from "./dom.js";
import { DASH, figure, known, label, ms, percent, quantity, span, time, unitless } from "./format.js";
import { isShownApart } from "./gpu.js";

const GOOD = "good";
const WARN = "warn";
const BAD = "bad";
const LATELY_S = 10;
const MARKS = { [GOOD]: "✓", [WARN]: "▲", [BAD]: "✕", quiet: "" };

function tile(id, text, under, tone = "quiet") {
  const place = byId(`tile-${id}`);
  place.dataset.tone = tone;
  const [value, under_] = [place.querySelector(".figure"), place.querySelector(".under")];
  value.replaceChildren(element("span", {}, text), element("i", { "aria-hidden": "true" }, MARKS[tone]));
  under_.textContent = under;
  under_.title = under;
}

export function showTiles(run, points, decisions, last) {
  const { point, absent } = last;
  showSound(run, points, last);
  showBottleneck(last);
  showController(decisions, last);
  showLatency(run, point, absent);
  showLoad(last);
  const late = last.tick_ms > 1000 * run.interval_s;
  const skipped = last.overruns ? `${last.overruns} overran` : "none overran";
  tile("tick", ms(last.tick_ms), `number ${last.number}, every ${figure(run.interval_s)} s, ${skipped}`, late ? BAD : GOOD);
}

function showSound(run, points, { point, absent, no_deadline: noDeadline }) {
  const told = points.filter(({ blocks }) => known(blocks));
  const sum = (name) => told.reduce((total, each) => total + each[name], 0);
  const all = sum("blocks");
  const over = all ? `${percent(sum("missed") / all)} since ${time(told[0].time_s)}` : "";
  const target = `target ${percent(run.target_miss_rate)}`;
  const [text, why, tone] = !known(point.miss_rate)
    ? noDeadline ? ["No deadline", noDeadline, "quiet"] : ["Not known", absent.miss_rate, WARN]
    : point.miss_rate > run.target_miss_rate
      ? [`${percent(point.miss_rate)} missed`, target, BAD]
      : ["On time", `${percent(point.miss_rate)} missed, ${target}`, GOOD];
  tile("sound", text, [why, over].filter(Boolean).join(" · "), tone);
}

// That none is found where nothing is known is no good news.
function showBottleneck({ point, diagnosis: { bottleneck, summary } }) {
  const none = known(point.miss_rate) ? ["None", GOOD] : ["None seen", "quiet"];
  const [text, tone] = bottleneck === "none" ? none : [label(bottleneck), WARN];
  tile("bottleneck", text, summary, tone);
}

// What it does now, and what it did last.
function showController(decisions, last) {
  const newest = decisions.at(-1);
  const past = newest ? `last: ${label(newest.knob)} at ${time(newest.time_s)}, ${word(newest)}` : "no decision yet";
  const [text, why] = last.shadow ? wouldDo(newest, last) : doing(newest, last);
  const troubled = (newest && toneOf(newest) === BAD) || last.holds.some(({ alarm }) => alarm);
  tile("controller", text, [why, past].filter(Boolean).join(" · "), troubled ? WARN : "quiet");
}

const named = (list) => list.map(({ knob }) => label(knob)).join(", ");

// A knob rests after each decision, also in shadow: what was decided of late is meant still.
function wouldDo(newest, { point, decisions }) {
  if (decisions.length) return [`Would turn ${named(decisions)}`];
  const lately = newest && point.time_s - newest.time_s < LATELY_S;
  return [lately ? `Would turn ${label(newest.knob)}` : "Would change nothing"];
}

function doing(newest, { decisions, holds, knobs, unavailable }) {
  const barred = knobs.length > 0 && knobs.every(({ knob }) => knob in unavailable);
  if (decisions.length) return [`Turns ${named(decisions)}`];
  if (newest && toneOf(newest) === "pending" && !newest.verdict) return ["Awaits effect"];
  if (holds.length) return [`Holds back ${named(holds)}`, holds[0].reason];
  if (barred) return ["May turn nothing", Object.values(unavailable)[0]];
  return ["Changes nothing"];
}

function showLatency(run, point, absent) {
  const tone = !known(point.p99_ms) ? "quiet" : point.p99_ms > run.deadline_ms ? BAD : GOOD;
  const deadline = `deadline ${ms(run.deadline_ms)}`;
  const under = [known(point.p99_ms) ? `p50 ${ms(point.p50_ms)}` : absent.p99_ms, deadline];
  tile("latency", ms(point.p99_ms), under.join(" · "), tone);
}

function showLoad({ point, absent, forecast, load_unit: unit }) {
  const text = known(point.load) ? `${figure(point.load)} ${unit}` : DASH;
  const peak = `peak within ${span(forecast?.horizon_s ?? 0)}: p50 ${figure(point.peak_p50)}, p99 ${figure(point.peak_p99)}`;
  const sure = forecast && !forecast.calibrated ? ", not calibrated yet" : "";
  const ahead = forecast ? peak + sure : "no forecast";
  tile("load", text, [absent.load, ahead].filter(Boolean).join(" · "));
}

export function showRun(run, last) {
  const lasts = known(run.duration_s) ? span(run.duration_s) : "until stopped";
  const facts = [["policy", run.policy], ["plant", run.plant], ["lasts", lasts]];
  if (last?.forecast) facts.push(["forecaster", last.forecast.model]);
  draw("run", facts, () => facts.map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
  const mode = byId("mode");
  mode.hidden = !last;
  mode.dataset.tone = last?.shadow ? "shadow" : GOOD;
  const acting = run.acting ? `Acting on ${run.acting.map(label).join(", ")}` : "Acting";
  mode.textContent = last?.shadow ? "In shadow: nothing is applied" : acting;
}

export function showKnobs(last) {
  draw("knobs", [last.knobs, last.unavailable, last.reason], () => [
    last.knobs.length ? knobTable(last.knobs) : nothing("The plant has told of no knob yet."),
    ...Object.entries(last.unavailable).map(([knob, why]) =>
      element("p", { class: "note warn" }, element("b", {}, label(knob)), ` ${why}`)),
    last.reason ? element("p", { class: "note" }, element("b", {}, "Now: "), last.reason) : null,
  ].filter(Boolean));
}

function knobTable(knobs) {
  const value = (text, other) => element("span", { class: text !== null && other !== null && text !== other ? "differs" : null }, text ?? DASH);
  const rows = knobs.map(({ knob, part, planned, requested, in_force: force }) => [
    element("span", { class: "name" }, part ? label(part) : label(knob)),
    value(planned, force),
    value(requested, force),
    element("b", {}, force ?? DASH),
  ]);
  return table(["knob", "planned", "requested", "in force"], rows, { name: "Knobs" });
}

export function showHolds(last) {
  draw("holds", last.holds, (holds) => (holds.length
    ? table(["knob", "for", "why"], holds.map(({ knob, for_s: heldS, reason, alarm }) => [
      element("span", { class: alarm ? "name bad" : "name" }, alarm ? `${MARKS[WARN]} ${label(knob)}` : label(knob)),
      element("span", { class: "quiet" }, span(heldS)),
      element("span", { class: "why" }, reason),
    ]), { name: "Held back" })
    : nothing("The guard holds nothing back.")));
}

export function showDiagnosis(last) {
  draw("diagnosis", last.diagnosis, ({ bottleneck, summary, evidence, breaches, helpful_knobs: helps }) => [
    element("p", { class: "finding" }, element("b", { class: bottleneck === "none" ? GOOD : WARN }, `${label(bottleneck)}: `), summary),
    helps.length ? element("p", { class: "note" }, "would help: ", element("b", {}, helps.map(label).join(", "))) : null,
    ...breaches.map((text) => element("p", { class: "note warn" }, `${MARKS[WARN]} ${text}`)),
    evidence.length ? table(["evidence", "measured", "limit", ""], evidence.map(evidenceRow), { numeric: [1, 2], name: "Evidence" }) : null,
  ].filter(Boolean));
}

function evidenceRow({ name, value, unit, limit }) {
  const share = unit.startsWith("of ");
  const form = (number) => (share ? percent(number) : `${figure(number)}`);
  const over = known(value) && known(limit) && value > limit;
  const tone = over ? WARN : null;
  const text = share ? form(value) : `${form(value)} ${unit}`;
  const gauge = known(value) && known(limit) && limit > 0
    ? element("meter", { min: 0, max: 1, high: 0.999, value: Math.min(1, value / limit), class: tone, "aria-label": `${name} against its limit` })
    : "";
  return [name, element("span", { class: tone }, over ? `${MARKS[WARN]} ${text}` : text), known(limit) ? form(limit) : "", gauge];
}

export function showStages(last) {
  draw("stages", last.stages, (stages) => (stages.length
    ? table(["stage", "starts late, p99", "takes, p50", "takes, p99"], stages.map((each) => [
      label(each.name), ms(each.lateness_p99_ms), ms(each.service_p50_ms), ms(each.service_p99_ms),
    ]), { numeric: [1, 2, 3], name: "Stages of a block" })
    : nothing("The plant tells of no stages.")));
}

export function showReadings(last) {
  const others = Object.entries(last.readings).filter(([name]) => !isShownApart(name));
  draw("readings", others, (readings) => {
    const items = readings.map(([name, value]) => element("div", {},
      element("dt", {}, unitless(name)),
      element("dd", { class: known(value) ? null : "quiet" }, known(value) ? quantity(name, value) : String(value))));
    return items.length ? element("dl", { class: "readings" }, ...items) : nothing("The plant tells of nothing else.");
  });
}

export function toneOf({ shadow, verdict }) {
  if (shadow) return "shadow";
  if (!verdict) return "pending";
  return { confirmed: GOOD, "fell short": WARN, "rolled back": BAD, refused: BAD }[verdict.verdict] ?? "pending";
}

const word = ({ shadow, verdict }) => (shadow ? "in shadow" : verdict?.verdict ?? "awaiting its effect");

// Of more than are kept, how many came in all is not known here.
const count = (list, most) => (list.length < most ? list.length || "" : `the last ${most}`);

export function showDecisions(decisions, most) {
  byId("decisions-count").textContent = count(decisions, most);
  const newest = folded(decisions).toReversed();
  draw("decisions", newest, () => (newest.length
    ? element("ol", { class: "decisions", reversed: "" }, ...newest.map(decisionItem))
    : nothing("No decision yet.")));
}

// In shadow the same is decided again and again, since nothing comes of it: then only the newest.
function folded(decisions) {
  const found = new Map();
  for (const each of decisions) {
    const key = each.shadow ? `${each.knob} ${each.turn}` : each.id;
    const before = found.get(key);
    found.delete(key);
    found.set(key, { ...each, times: 1 + (before?.times ?? 0), since_s: before?.since_s ?? each.time_s });
  }
  return [...found.values()];
}

const often = ({ times, since_s: since }) =>
  (times > 1 ? element("span", { class: "quiet" }, `${times} times since ${time(since)}`) : null);

function decisionItem(decision) {
  return element("li", { "data-tone": toneOf(decision) },
    element("div", { class: "line" },
      element("time", { datetime: new Date(decision.time_s * 1000).toISOString() }, time(decision.time_s)),
      element("b", {}, label(decision.knob)),
      often(decision),
      element("span", { class: "badge" }, word(decision))),
    element("p", { class: "turn" }, decision.turn),
    element("p", {}, decision.reason),
    element("p", { class: "quiet" }, outcome(decision)));
}

// What was predicted and what came; or why nobody can say what came.
function outcome({ verdict, quantity: name, changed, unchanged }) {
  if (verdict && !known(verdict.measured)) return verdict.reason;
  const predicted = verdict ?? { changed, unchanged };
  const came = verdict ? `${quantity(name, verdict.measured)} came; ` : "";
  return `${label(name)}: ${came}${quantity(name, predicted.changed)} predicted, ${quantity(name, predicted.unchanged)} without`;
}

export function showAlarms(alarms, most) {
  byId("alarms-count").textContent = count(alarms, most);
  const newest = alarms.toReversed();
  draw("alarms", newest, () => (newest.length
    ? element("ul", { class: "alarms" }, ...newest.map((alarm) =>
      element("li", {}, element("time", {}, time(alarm.time_s)), " ", alarm.text, " ", often(alarm))))
    : nothing("None.")));
}
