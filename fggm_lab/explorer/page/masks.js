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
 * The masks of tasks at a keep share, as Mask.top gives them. The last cut is remembered, so that
 * another view of it costs nothing.
 *
 * @param {object} ranked - by `rank`.
 * @param {{keep: number, scope: "parameter"|"global"}} cut
 * @param {string[]} tasks - names.
 * @returns {Uint32Array[]} per task its mask, 32 units to a word, each parameter at a new word.
 */
export function masksOf(ranked, { keep, scope }, tasks) {
  if (ranked.last?.keep !== keep || ranked.last.scope !== scope) {
    ranked.last = { keep, scope, masks: new Map() };
  }
  const { masks } = ranked.last;
  return tasks.map((task) => {
    if (!masks.has(task)) masks.set(task, cutMask(ranked, orderOf(ranked, task), keep, scope));
    return masks.get(task);
  });
}

/** The order of a task's units. */
export function orderOf(ranked, task) {
  const index = ranked.tasks.indexOf(task);
  if (index < 0) throw new Error(`there are no scores of ${task}`);
  return ranked.orders[index];
}

function cutMask({ starts, words }, order, keep, scope) {
  const mask = new Uint32Array(words.at(-1));
  if (scope === "global") {
    setBits(mask, order.all, 0, keptCount(keep, order.all.length));
  } else {
    for (let parameter = 0; parameter + 1 < starts.length; parameter++) {
      const start = starts[parameter];
      setBits(mask, order.within, start, start + keptCount(keep, starts[parameter + 1] - start));
    }
  }
  return mask;
}

function setBits(mask, bits, start, end) {
  for (let index = start; index < end; index++) {
    const bit = bits[index];
    mask[bit >>> 5] |= 1 << (bit & 31);
  }
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
