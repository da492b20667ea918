// Fills a figure's template with numbers, as fggm_lab/plots/template.py does in Python.

const BRACKETS = /\[([^\]]*)\]/g;
const BRACES = /\{(\w+)(?::([^}]*))?\}/g;

/**
 * Draw a template's figure with numbers.
 *
 * @param {object} template - what Template.to_json gives in Python.
 * @param {object} numbers - every value that its slots and texts name, its settings aside.
 * @returns {{data: object[], layout: object, caption: string, description: string}} for Plotly;
 *   title, caption and description are also in layout.meta. The template stays as it is.
 */
export function fill(template, numbers) {
  const values = { ...template.settings, ...numbers };
  for (const [name, { template: text, join }] of Object.entries(template.texts)) {
    const formatted = formatText(text, values);
    values[name] = join === null ? formatted : formatted.join(join);
  }
  const figure = { data: [...template.data], layout: { ...template.layout } };
  for (const slot of template.slots) setAt(figure, slot.path, valueOf(slot, values));
  const { title, caption, description } = values;
  figure.layout.meta = { title, caption, description };
  return { ...figure, caption, description };
}

function valueOf({ names, item }, values) {
  const columns = names.map((name) => (item === null ? values[name] : values[name][item]));
  return columns.length === 1 ? columns[0] : sideBySide(columns);
}

/** Arrays of one shape, their elements side by side along a last axis. */
function sideBySide(columns) {
  if (!isArray(columns[0])) return columns;
  return Array.from(columns[0], (_, index) => sideBySide(columns.map((column) => column[index])));
}

/** Set a value inside a figure; objects on the way to it are copied, for they are the template's. */
function setAt(figure, path, value) {
  let owner = figure;
  for (const key of path.slice(0, -1)) {
    owner[key] = Array.isArray(owner[key]) ? [...owner[key]] : { ...owner[key] };
    owner = owner[key];
  }
  owner[path.at(-1)] = value;
}

/**
 * Put values into a text.
 *
 * @param {string} text - with values in braces, and brackets around what may be left out.
 * @param {object} values - those that it names, perhaps among others.
 * @returns {string|Array} the text; an array of texts where values are arrays, of their shape.
 */
export function formatText(text, values) {
  const parts = parsed(text);
  const names = new Set(parts.flatMap(({ pieces }) => pieces.map(({ name }) => name)));
  names.delete(undefined);
  return overArrays(parts, Object.fromEntries(Array.from(names, (name) => [name, values[name]])));
}

/** A text's parts: pieces of plain `text`, or of the `name` and `format` of a value. */
function parsed(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(BRACKETS)) {
    parts.push({ optional: false, pieces: piecesOf(text.slice(end, match.index)) });
    parts.push({ optional: true, pieces: piecesOf(match[1]) });
    end = match.index + match[0].length;
  }
  parts.push({ optional: false, pieces: piecesOf(text.slice(end)) });
  return parts;
}

function piecesOf(text) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(BRACES)) {
    pieces.push({ text: text.slice(end, match.index) }, { name: match[1], format: match[2] });
    end = match.index + match[0].length;
  }
  pieces.push({ text: text.slice(end) });
  return pieces;
}

function overArrays(parts, values) {
  const arrays = Object.entries(values).filter(([, value]) => isArray(value));
  if (!arrays.length) return parts.map((part) => formatPart(part, values)).join("");
  const items = { ...values };
  return Array.from(arrays[0][1], (_, index) => {
    for (const [name, array] of arrays) items[name] = array[index];
    return overArrays(parts, items);
  });
}

function formatPart({ optional, pieces }, values) {
  if (optional && pieces.some(({ name }) => name && values[name] === null)) return "";
  return pieces
    .map(({ text, name, format }) => (name ? formatValue(values[name], format) : text))
    .join("");
}

const isArray = (value) => Array.isArray(value) || ArrayBuffer.isView(value);

/**
 * Format a value as Python does: `+.1f`, `,`, `,.1f`, `.2%`, `.3g`, `.1e`, or a name of the lab's.
 *
 * @param {number|string} value
 * @param {string} [format]
 * @returns {string}
 */
export function formatValue(value, format = "") {
  if (format === "percent") return percent(value);
  if (format === "cell") return fixed(value, 2).replace(/^0/, "");
  if (format === "") return String(value);
  const [, plus, comma, digits, kind] = /^(\+?)(,?)(?:\.(\d+))?([fge%]?)$/.exec(format);
  const text = magnitude(Math.abs(value), kind, Number(digits ?? 6));
  const sign = value < 0 || Object.is(value, -0) ? "-" : plus;
  return sign + (comma ? text.replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ",") : text);
}

function magnitude(value, kind, digits) {
  if (kind === "f") return fixed(value, digits);
  if (kind === "%") return `${fixed(value * 100, digits)}%`;
  if (kind === "e") return scientific(value, digits);
  if (kind === "g") return general(value, digits);
  return String(value); // a whole number
}

/** `0.3` → `30 %`; a share above 0 never reads `0 %`, one below 1 never `100 %`. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1 %";
  if (share > 0.9995 && share < 1) return ">99.9 %";
  const hundredths = share * 100;
  const whole = Number(hundredths.toFixed(9)) === Math.round(hundredths);
  return `${fixed(hundredths, whole ? 0 : 1)} %`;
}

/** A number ≥ 0 with so many decimals; halves go to the even neighbour, where toFixed rounds up. */
function fixed(value, digits) {
  const half = value * 2 ** (digits + 1); // exact; odd where the rest is exactly half a last digit
  if (half % 2 !== 1) return value.toFixed(digits);
  const below = value.toFixed(digits + 1).slice(0, -1).replace(/\.$/, "");
  return Number(below.at(-1)) % 2 ? value.toFixed(digits) : below;
}

/** `1.2e-05`: at least two digits in the exponent; halves go to the even neighbour. */
function scientific(value, digits) {
  const [exact, ownExponent] = value.toExponential(digits + 30).split("e");
  const below = exact.slice(0, digits ? digits + 2 : 1);
  const isHalf = /^50*$/.test(exact.slice(digits + 2));
  const [mantissa, exponent] =
    isHalf && Number(below.at(-1)) % 2 === 0
      ? [below, ownExponent]
      : value.toExponential(digits).split("e");
  const power = Math.abs(Number(exponent));
  return `${mantissa}e${exponent[0]}${String(power).padStart(2, "0")}`;
}

/** So many significant digits, without zeros at the end. */
function general(value, digits) {
  const exponent = value === 0 ? 0 : Number(value.toExponential(digits - 1).split("e")[1]);
  const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return trim(fixed(value, digits - 1 - exponent));
  const [mantissa, power] = scientific(value, digits - 1).split("e");
  return `${trim(mantissa)}e${power}`;
}
