// Everything on the page that is words and tables.
import { byId, draw, element, nothing, table } from "./dom.js";
import { DASH, figure, known, label, ms, percent, quantity, span, time } from "./format.js";

const GOOD = "good";
const WARN = "warn";
const BAD = "bad";
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
  showMissed(run, points, point, absent);
  showLatency(run, point, absent);
  showLoad(last);
  const calm = last.diagnosis.bottleneck === "none";
  tile("bottleneck", calm ? "None" : label(last.diagnosis.bottleneck), last.diagnosis.summary, calm ? GOOD : WARN);
  showCount(decisions, last);
  const late = last.tick_ms > 1000 * last.interval_s;
  const skipped = last.overruns ? `${last.overruns} overran` : "none overran";
  tile("control", ms(last.tick_ms), `tick ${last.number}, every ${figure(run.interval_s)} s, ${skipped}`, late ? BAD : GOOD);
}

function showMissed(run, points, point, absent) {
  const told = points.filter(({ blocks }) => known(blocks));
  const sum = (name) => told.reduce((total, each) => total + each[name], 0);
  const all = sum("blocks");
  const over = all ? `${percent(sum("missed") / all)} of ${all.toLocaleString("en-GB")} since ${time(told[0].time_s)}` : "";
  const tone = !known(point.miss_rate) ? WARN : point.miss_rate > run.target_miss_rate ? BAD : GOOD;
  const why = known(point.miss_rate) ? `target ${percent(run.target_miss_rate)}` : absent.miss_rate;
  tile("missed", percent(point.miss_rate), [why, over].filter(Boolean).join(" · "), tone);
}

function showLatency(run, point, absent) {
  const tone = !known(point.p99_ms) ? WARN : point.p99_ms > run.deadline_ms ? BAD : GOOD;
  const under = known(point.p99_ms) ? `p50 ${ms(point.p50_ms)} · deadline ${ms(run.deadline_ms)}` : absent.p99_ms;
  tile("latency", ms(point.p99_ms), under, tone);
}

function showLoad({ point, absent, forecast, load_unit: unit }) {
  const text = known(point.load) ? `${figure(point.load)} ${unit}` : DASH;
  const peak = `peak within ${span(forecast?.horizon_s ?? 0)}: ${figure(point.peak_p50)} to ${figure(point.peak_p99)}`;
  const sure = forecast && !forecast.calibrated ? ", not calibrated yet" : "";
  const ahead = forecast ? peak + sure : "no forecast";
  tile("load", text, [absent.load, ahead].filter(Boolean).join(" · "), known(point.load) ? "quiet" : WARN);
}

function showCount(decisions, last) {
  const count = (wanted) => decisions.filter(({ verdict }) => verdict?.verdict === wanted).length;
  const undone = count("rolled back");
  const parts = last.shadow
    ? ["none applied, in shadow"]
    : [`${count("confirmed")} confirmed`, `${undone} rolled back`];
  const held = last.holds.length ? `${last.holds.length} held back` : "none held back";
  tile("decisions", `${decisions.length}`, [...parts, held].join(" · "), undone ? WARN : "quiet");
}

export function showRun(run, last) {
  const shadow = Boolean(last?.shadow);
  const facts = [["policy", run.policy], ["plant", run.plant], ["lasts", span(run.duration_s)]];
  if (last?.forecast) facts.push(["forecaster", last.forecast.model]);
  draw("run", facts, () => facts.map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
  const mode = byId("mode");
  mode.hidden = !last;
  mode.dataset.tone = shadow ? "shadow" : GOOD;
  mode.textContent = shadow ? "In shadow: nothing is applied" : "Acting";
}

export function showKnobs(last) {
  draw("knobs", [last.knobs, last.unavailable, last.reason], () => [
    last.knobs.length ? knobTable(last.knobs) : nothing("The plant has told of no knob yet."),
    ...Object.entries(last.unavailable).map(([knob, why]) =>
      element("p", { class: "note warn" }, element("b", {}, label(knob)), ` ${why}`)),
    last.reason ? element("p", { class: "note" }, last.reason) : null,
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
  const shown = last.holds.map((hold) => ({ ...hold, for_s: Math.floor(last.point.time_s - hold.since_s) }));
  draw("holds", shown, () => (shown.length
    ? table(["knob", "for", "why"], shown.map(({ knob, for_s: heldS, reason, alarm }) => [
      element("span", { class: alarm ? "name bad" : "name" }, alarm ? `${MARKS[WARN]} ${label(knob)}` : label(knob)),
      element("span", { class: "quiet" }, span(heldS)),
      reason,
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
  draw("readings", last.readings, (readings) => {
    const items = Object.entries(readings).map(([name, value]) => element("div", {},
      element("dt", {}, label(name.replace(/_(ms|share|s)$/, ""))), element("dd", { class: known(value) ? null : "quiet" }, reading(name, value))));
    return items.length ? element("dl", { class: "readings" }, ...items) : nothing("The plant tells of nothing else.");
  });
}

function reading(name, value) {
  if (!known(value)) return String(value);
  if (name.endsWith("_share") || name.endsWith("utilisation")) return percent(value);
  return name.endsWith("_ms") ? ms(value) : figure(value);
}

export function toneOf({ shadow, verdict }) {
  if (shadow) return "shadow";
  if (!verdict) return "pending";
  return { confirmed: GOOD, "fell short": WARN, "rolled back": BAD, refused: BAD }[verdict.verdict] ?? "pending";
}

const word = ({ shadow, verdict }) => (shadow ? "in shadow" : verdict?.verdict ?? "awaiting its effect");

export function showDecisions(decisions) {
  byId("decisions-count").textContent = decisions.length || "";
  const newest = decisions.toReversed();
  draw("decisions", newest, () => (newest.length
    ? element("ol", { class: "decisions", reversed: "" }, ...newest.map(decisionItem))
    : nothing("No decision yet.")));
}

function decisionItem(decision) {
  const { verdict, quantity: name, changed, unchanged } = decision;
  const predicted = verdict ?? { changed, unchanged };
  const figures = [`${label(name)}: ${quantity(name, predicted.changed)} predicted, ${quantity(name, predicted.unchanged)} without`];
  if (known(verdict?.measured)) figures.push(`${quantity(name, verdict.measured)} came`);
  return element("li", { "data-tone": toneOf(decision) },
    element("div", { class: "line" },
      element("time", { datetime: new Date(decision.time_s * 1000).toISOString() }, time(decision.time_s)),
      element("b", {}, label(decision.knob)),
      element("span", { class: "turn" }, decision.turn),
      element("span", { class: "badge" }, word(decision))),
    element("p", {}, decision.reason),
    element("p", { class: "quiet" }, figures.join("; "), verdict?.reason ? `. ${verdict.reason}` : ""));
}

export function showAlarms(alarms) {
  byId("alarms-count").textContent = alarms.length || "";
  const newest = alarms.toReversed();
  draw("alarms", newest, () => (newest.length
    ? element("ul", { class: "alarms" }, ...newest.map(({ time_s: at, text }) =>
      element("li", {}, element("time", {}, time(at)), " ", text)))
    : nothing("None.")));
}
