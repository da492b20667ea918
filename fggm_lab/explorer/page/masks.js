// Cuts packed masks out of ordered units.

/**
 * How many units a keep share keeps, as Python's round(keep * units): halves go to the even
 * neighbour.
 */
export function keptCount(keep, units) {
  const product = keep * units;
  const below = Math.floor(product);
  const rest = product - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/**
 * The masks of tasks at a keep share, as Mask.top gives them.
 *
 * Each task's last mask of a scope is moved to the new keep share: only units between the two are
 * touched. The masks are good until the next call.
 *
 * @param {object} ranked - by `rank`.
 * @param {{keep: number, scope: "parameter"|"global"}} cut
 * @param {string[]} tasks - names.
 * @returns {Uint32Array[]} per task its mask, 32 units to a word, each parameter at a new word.
 */
export function masksOf(ranked, { keep, scope }, tasks) {
  const starts = scope === "global" ? [0, ranked.starts.at(-1)] : ranked.starts;
  ranked.masks ??= { global: new Map(), parameter: new Map() };
  return tasks.map((task) => {
    const masks = ranked.masks[scope];
    if (!masks.has(task)) {
      const counts = new Uint32Array(starts.length - 1);
      masks.set(task, { mask: new Uint32Array(ranked.words.at(-1)), counts });
    }
    const { mask, counts } = masks.get(task);
    const order = orderOf(ranked, task)[scope === "global" ? "all" : "within"];
    for (let part = 0; part < counts.length; part++) {
      const count = keptCount(keep, starts[part + 1] - starts[part]);
      const [low, high] = count < counts[part] ? [count, counts[part]] : [counts[part], count];
      toggle(mask, order, starts[part] + low, starts[part] + high);
      counts[part] = count;
    }
    return mask;
  });
}

function toggle(mask, bits, start, end) {
  for (let position = start; position < end; position++) {
    const bit = bits[position];
    mask[bit >>> 5] ^= 1 << (bit & 31);
  }
}

/** The order of a task's units. */
export function orderOf(ranked, task) {
  const index = ranked.tasks.indexOf(task);
  if (index < 0) throw new Error(`there are no scores of ${task}`);
  return ranked.orders[index];
}

/** How many bits of a word are set. */
export function bitCount(word) {
  let count = word - ((word >>> 1) & 0x55555555);
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The indices of the parameters of a layer; of all where it is null, -1 are those outside. */
export function parametersOf({ parameters }, layer) {
  const inside = (parameter) => layer === null || (parameter.layer ?? -1) === layer;
  return [...parameters.keys()].filter((index) => inside(parameters[index]));
}

/** The layers' numbers in ascending order, -1 for the parameters outside layers last. */
export function layersOf({ parameters }) {
  const layers = new Set(parameters.map((parameter) => parameter.layer ?? Infinity));
  return [...layers].sort((a, b) => a - b).map((layer) => (layer === Infinity ? -1 : layer));
}
