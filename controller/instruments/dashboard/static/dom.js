// Elements made of text alone: nothing that is shown is ever read as markup.
export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Rows are arrays of cells, a cell is text or an element; `numeric` are the columns set right.
export function table(headings, rows, { numeric = [], name = null } = {}) {
  const side = (column) => (numeric.includes(column) ? "number" : null);
  const head = headings.map((text, column) => element("th", { scope: "col", class: side(column) }, text));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell, column) =>
    element("td", { class: side(column) }, cell))));
  return element("table", { "aria-label": name },
    element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

const drawn = new Map();

// Draw a part anew only where what it shows has changed: focus and scrolling stay.
export function draw(id, shown, make) {
  const key = JSON.stringify(shown);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  byId(id).replaceChildren(...[make(shown)].flat());
}

export const nothing = (text) => element("p", { class: "nothing" }, text);
