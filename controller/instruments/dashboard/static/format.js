// Figures and times in words. What is not known is a dash, and never a zero.
export const DASH = "–";
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
const UNITS = [
  [/_bytes$/, bytes],
  [/_bytes_per_s$/, (value) => `${bytes(value)}/s`],
  [/_us$/, (value) => ms(value / 1000)],
  [/_mhz$/, (value) => `${figure(value)} MHz`],
  [/_w$/, (value) => `${figure(value)} W`],
  [/_c$/, (value) => `${figure(value)} °C`],
];
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const known = (value) => typeof value === "number" && Number.isFinite(value);

export function figure(value, digits = 3) {
  if (!known(value)) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(1);
  if (size >= 10 ** (digits - 1)) return Math.round(value).toString();
  return Number(value.toPrecision(digits)).toString();
}

export const percent = (share) => (known(share) ? `${figure(share * 100)} %` : DASH);

export function ms(value) {
  if (!known(value)) return DASH;
  return value !== 0 && Math.abs(value) < 0.1 ? `${figure(value * 1000)} µs` : `${figure(value)} ms`;
}

// From a thousand of one size on, the next one.
export function bytes(value) {
  if (!known(value)) return DASH;
  const power = Math.max(0, Math.min(SIZES.length - 1, Math.floor(Math.log2(1.024 * Math.abs(value) || 1) / 10)));
  return `${figure(value / 1024 ** power)} ${SIZES[power]}`;
}

export const time = (epochS) => clock.format(epochS * 1000);

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export const label = (name) => name.replaceAll("_", " ").replaceAll(".", " ");

// A quantity by the unit that its name ends on: shares read better in percent.
export function quantity(name, value) {
  if (/(miss_rate|_share|utilisation)$/.test(name)) return percent(value);
  if (/_ms($|_per_)/.test(name)) return ms(value);
  const [, form] = UNITS.find(([ending]) => ending.test(name)) ?? [null, figure];
  return form(value);
}

// A quantity's name without the unit, which stands with its value.
export const unitless = (name) => label(name.replace(/_(ms|share)(?=$|_per_)|_(us|mhz|w|c|bytes|bytes_per_s)$/, ""));
