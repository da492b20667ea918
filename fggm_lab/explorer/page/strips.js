// The numbers of mask_map: masks cut into strips of cells, as fggm_lab/plots/mask_strips.py does.

import { masksOf } from "./masks.js";
import { indices, picked, stablySorted, sums } from "./ranks.js";
import { sharingOf } from "./sharing.js";

const DIGIT_TASKS = 8;

/** The numbers of mask_map_numbers in fggm_lab/plots/mask_map.py. */
export function maskMap(ranked, { tasks, groups, modules, cells, order }, cut) {
  const masks = masksOf(ranked, cut, tasks);
  const index = new Map(ranked.parameters.map(({ name }, parameter) => [name, parameter]));
  const chosen = groups.map((names) => names.map((name) => index.get(name)));
  const strips = chosen.map((parameters, group) =>
    groupStrips(ranked, masks, parameters, modules[group], cells, order),
  );
  const { total, totals, units, means } = sharingOf(ranked, masks, chosen.flat());
  const several = tasks.length > 1;
  const numbers = {
    total,
    task_shares: totals.map((count) => count / total),
    none_units: several ? units[0] : null,
    none_share: units[0] / total,
    none_expected: means[0] / total,
    every_units: several ? units.at(-1) : null,
    every_share: units.at(-1) / total,
    every_expected: means.at(-1) / total,
  };
  for (const name of Object.keys(strips[0])) numbers[name] = strips.flatMap((group) => group[name]);
  return numbers;
}

/** The strips of one group, tables of (tasks, cells): its units in a row, cut into cells. */
function groupStrips(ranked, masks, parameters, modules, cells, order) {
  const ends = sums(parameters.map((parameter) => ranked.parameters[parameter].units));
  const bits = new Uint32Array(ends.at(-1));
  parameters.forEach((parameter, index) => {
    bits.set(ranked.bits.subarray(ranked.starts[parameter], ranked.starts[parameter + 1]), ends[index]);
  });
  const total = bits.length;
  const sorted = order === "shared";
  const keepers = new Uint16Array(sorted ? total : 0);
  const unitOrder = sorted ? byKeepers(masks, bits, keepers) : indices(total);
  const orderedBits = picked(bits, unitOrder);
  const starts = Array.from({ length: cells }, (_, cell) => Math.floor((cell * total) / cells));
  const sizes = starts.map((start, cell) =>
    Math.max(Math.floor(((cell + 1) * total) / cells) - start, 1),
  );
  const counts = masks.map((mask) =>
    starts.map((start, cell) => setBits(mask, orderedBits, start, start + sizes[cell])),
  );
  const nameOf = (unit) => {
    const module = ends.findIndex((end) => unit < end) - 1;
    return `${modules[module]} ${unit - ends[module]}`;
  };
  const columns = sorted
    ? sortedTexts(starts, sizes, unitOrder, keepers, nameOf)
    : positionTexts(starts, sizes, nameOf);
  const perTask = (column) => masks.map(() => column);
  return {
    counts,
    sizes: perTask(sizes),
    shares: counts.map((row) => row.map((count, cell) => count / sizes[cell])),
    ...Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, perTask(column)])),
  };
}

/** How many of the bits between two positions a mask has set. */
function setBits(mask, bits, start, end) {
  let count = 0;
  for (let position = start; position < end; position++) {
    const bit = bits[position];
    count += (mask[bit >>> 5] >>> (bit & 31)) & 1;
  }
  return count;
}

/** What the text of a cell names where units are sorted by their keepers. */
function sortedTexts(starts, sizes, unitOrder, keepers, nameOf) {
  const most = starts.map((start) => keepers[unitOrder[start]]);
  const fewest = starts.map((start, cell) => keepers[unitOrder[start + sizes[cell] - 1]]);
  return {
    first: starts.map((start, cell) => (sizes[cell] === 1 ? nameOf(unitOrder[start]) : null)),
    fewest: fewest.map((low, cell) => (low < most[cell] ? low : null)),
    most,
    plural: most.map((count) => (count === 1 ? "" : "s")),
  };
}

/** What the text of a cell names where units are in the model's order. */
function positionTexts(starts, sizes, nameOf) {
  return {
    first: starts.map(nameOf),
    last: starts.map((start, cell) => (sizes[cell] > 1 ? nameOf(start + sizes[cell] - 1) : null)),
  };
}

/**
 * The order of units: most keepers first, among equals the units of the first tasks together.
 *
 * @param {Uint32Array[]} masks
 * @param {Uint32Array} bits - of the units.
 * @param {Uint16Array} keepers - (units,) zeros, in which the masks that keep a unit are counted.
 */
function byKeepers(masks, bits, keepers) {
  let order = indices(bits.length);
  // the last tasks first, so that the first tasks decide
  for (let end = masks.length; end > 0; end -= DIGIT_TASKS) {
    const digits = new Uint8Array(bits.length);
    for (const mask of masks.slice(Math.max(0, end - DIGIT_TASKS), end)) {
      addDigit(mask, bits, digits, keepers);
    }
    order = stablySorted(order, digits, 2 ** DIGIT_TASKS);
  }
  const frozen = new Uint16Array(bits.length);
  for (let unit = 0; unit < bits.length; unit++) frozen[unit] = masks.length - keepers[unit];
  return stablySorted(order, frozen, masks.length + 1);
}

/** Append a mask's binary digit to each unit's number, 0 where it is kept; count its keepers. */
function addDigit(mask, bits, digits, keepers) {
  for (let unit = 0; unit < bits.length; unit++) {
    const bit = bits[unit];
    const kept = (mask[bit >>> 5] >>> (bit & 31)) & 1;
    digits[unit] = (digits[unit] << 1) | (kept ^ 1);
    keepers[unit] += kept;
  }
}
