// The GPU, where a plant tells of one: who holds its memory, how busy it is, and for whom.
import { byId, draw, element } from "./dom.js";
import { bytes, known, label, quantity } from "./format.js";

const OWNERS = ["audio", "analysis", "visualisation", "cache", "workspace"];
const FIGURES = {
  "gpu.busy_share": "busy",
  "gpu.utilisation": "busy, with all programs",
  "gpu.transfer_in_ms": "copy in, p99",
  "gpu.compute_ms": "compute, p99",
  "gpu.transfer_out_ms": "copy out, p99",
  "gpu.sm_clock_mhz": "clock",
  "gpu.temperature_c": "temperature",
  "gpu.power_w": "power",
  "gpu.streams": "streams on the GPU",
  "gpu.streams_on_cpu": "streams on the CPU",
  "gpu.streams_yielded": "streams yielded",
};
const ownerOf = (name) => `gpu.owner_${name}_bytes`;
const SHOWN = new Set([...Object.keys(FIGURES), ...OWNERS.map(ownerOf), "gpu.arena_bytes", "gpu.arena_used_bytes", "gpu.throttled"]);

export const isShownApart = (name) => SHOWN.has(name);

export function showGpu({ readings }) {
  const told = Object.fromEntries(Object.entries(readings).filter(([name]) => isShownApart(name)));
  byId("gpu-card").hidden = Object.keys(told).length === 0;
  draw("gpu", told, () => [memory(told), list(told), throttled(told)].filter(Boolean));
}

// One bar of the whole arena, and its owners in words: a colour alone tells nothing.
function memory(readings) {
  const total = readings["gpu.arena_bytes"];
  const owned = OWNERS.map((name) => [name, readings[ownerOf(name)]]).filter(([, size]) => known(size));
  if (!known(total) || !owned.length) return null;
  const used = readings["gpu.arena_used_bytes"];
  const title = `${bytes(used)} of ${bytes(total)} used`;
  const keys = owned.map(([name, size]) => element("span", { class: `key ${name}` }, `${label(name)} `, element("b", {}, bytes(size))));
  const parts = owned.map(([name, size]) => share(name, size / total));
  return element("div", {},
    element("div", { class: "arena", role: "img", "aria-label": title }, ...parts),
    element("p", { class: "legend" }, `${title}: `, ...keys));
}

function share(name, part) {
  const made = element("span", { class: name });
  made.style.width = `${100 * part}%`;
  return made;
}

function list(told) {
  const items = Object.entries(FIGURES).filter(([name]) => name in told).map(([name, text]) => element("div", {},
    element("dt", {}, text),
    element("dd", { class: known(told[name]) ? null : "quiet" }, known(told[name]) ? quantity(name, told[name]) : String(told[name]))));
  return items.length ? element("dl", { class: "readings" }, ...items) : null;
}

function throttled(readings) {
  return readings["gpu.throttled"] === 1
    ? element("p", { class: "note warn" }, "\u25b2 It lowers its clock; the alarms say why.")
    : null;
}
