// The numbers of mask_overlap and overlap_per_layer, counted from packed masks.

import { cumulants, meanJaccard } from "./chance.js";
import { percent } from "./fill.js";
import { bitCount, layersOf, masksOf, parametersOf } from "./masks.js";

/** How many bits two masks share in ranges of words. */
function sharedBits(first, second, ranges) {
  let count = 0;
  for (let index = 0; index < ranges.length; index++) {
    const [start, end] = ranges[index];
    for (let word = start; word < end; word++) count += bitCount(first[word] & second[word]);
  }
  return count;
}

/**
 * The units of parameters that each mask keeps.
 *
 * @param {object} ranked - by `rank`.
 * @param {Uint32Array[]} masks
 * @param {number[]} chosen - indices of parameters.
 * @returns {{units: number, kept: number[][], totals: number[]}} all their units; per mask the
 *   units kept of each parameter, and of all.
 */
export function countsOf(ranked, masks, chosen) {
  const kept = masks.map((mask) =>
    chosen.map((index) => sharedBits(mask, mask, [[ranked.words[index], ranked.words[index + 1]]])),
  );
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const units = sum(chosen.map((index) => ranked.parameters[index].units));
  return { units, kept, totals: kept.map(sum) };
}

/**
 * The overlap of every two masks within parameters, and of random masks.
 *
 * @param {object} ranked - by `rank`.
 * @param {Uint32Array[]} masks
 * @param {number[]} chosen - indices of parameters.
 * @param {"jaccard"|"overlap"} measure
 * @returns {object} `countsOf` and pairs: for each two masks j < i their `measured` and `expected`
 *   overlap, and `z`, how many standard deviations the shared units lie above chance; null where
 *   there is none.
 */
function overlapsOf(ranked, masks, chosen, measure) {
  const counts = countsOf(ranked, masks, chosen);
  const ranges = chosen.map((index) => [ranked.words[index], ranked.words[index + 1]]);
  const chance = new Map(); // masks of equal counts have the same chance
  const keys = counts.kept.map((kept) => kept.join());
  const pairs = [];
  for (let i = 0; i < masks.length; i++) {
    for (let j = 0; j < i; j++) {
      const both = sharedBits(masks[i], masks[j], ranges);
      const smaller = Math.min(counts.totals[i], counts.totals[j]);
      const union = counts.totals[i] + counts.totals[j] - both;
      const divisor = measure === "jaccard" ? union : smaller;
      const key = `${keys[i]} ${keys[j]}`;
      if (!chance.has(key)) {
        const sizes = chosen.map((parameter, index) => [
          ranked.parameters[parameter].units, counts.kept[i][index], counts.kept[j][index],
        ]);
        chance.set(key, chanceOf(sizes, smaller, measure));
      }
      const { mean: meanBoth, variance, expected } = chance.get(key);
      pairs.push({
        i,
        j,
        measured: divisor ? both / divisor : null,
        expected,
        z: variance > 0 ? (both - meanBoth) / Math.sqrt(variance) : null,
      });
    }
  }
  return { ...counts, pairs };
}

function chanceOf(sizes, smaller, measure) {
  const moments = cumulants(sizes);
  const overlap = smaller ? moments.mean / smaller : null;
  return { ...moments, expected: measure === "jaccard" ? meanJaccard(sizes) : overlap };
}

const mean = (values) =>
  values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;

/** The item whose value is highest, among equals the first; undefined if there is none. */
const highestOf = (items, value) => items.reduce((a, b) => (value(b) > value(a) ? b : a), items[0]);
const lowestOf = (items, value) => items.reduce((a, b) => (value(b) < value(a) ? b : a), items[0]);

/** The numbers of overlap_numbers in fggm_lab/plots/mask_overlap.py. */
export function maskOverlap(ranked, { tasks, layer, measure }, cut) {
  const masks = masksOf(ranked, cut, tasks);
  const counts = overlapsOf(ranked, masks, parametersOf(ranked, layer), measure);
  const table = () => tasks.map(() => new Array(tasks.length).fill(null));
  const tables = { measured: table(), expected: table(), z: table() };
  for (const { i, j, ...values } of counts.pairs) {
    for (const name of Object.keys(tables)) {
      tables[name][i][j] = tables[name][j][i] = values[name];
    }
  }
  const pairs = counts.pairs.filter((pair) => pair.measured !== null);
  // among equal values Python's max takes the last pair, its min the first
  const highest = pairs.reduce((a, b) => (b.measured >= a.measured ? b : a), pairs[0]);
  const lowest = lowestOf(pairs, (pair) => pair.measured);
  const several = pairs.length > 1;
  const shares = counts.totals.map((total) => total / Math.max(1, counts.units));
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  return {
    ...tables,
    empty: tables.measured.map((row) => row.map((value) => (value === null ? "" : null))),
    lowest_share: low,
    highest_share: percent(low) === percent(high) ? null : high,
    too_few: pairs.length ? null : "",
    mean: mean(pairs.map((pair) => pair.measured)),
    mean_expected: mean(pairs.map((pair) => pair.expected)),
    mean_z: mean(pairs.map((pair) => pair.z).filter((z) => z !== null)),
    highest: highest?.measured ?? null,
    closest_first: tasks[highest?.j ?? 0],
    closest_second: tasks[highest?.i ?? 0],
    lowest: several ? lowest.measured : null,
    distant_first: tasks[several ? lowest.j : 0],
    distant_second: tasks[several ? lowest.i : 0],
  };
}

/** The numbers of overlap_per_layer_numbers in fggm_lab/plots/overlap_per_layer.py. */
export function overlapPerLayer(ranked, { tasks, layers }, cut) {
  const masks = masksOf(ranked, cut, tasks);
  const numbers = layersOf(ranked).map((layer) => {
    const { pairs } = overlapsOf(ranked, masks, parametersOf(ranked, layer), "jaccard");
    return layerNumbers(pairs, tasks);
  });
  const columns = {};
  for (const name of Object.keys(numbers[0])) columns[name] = numbers.map((row) => row[name]);
  const full = [...layers.keys()].filter((index) => numbers[index].mean !== null);
  const inside = full.filter((index) => layers[index].startsWith("layer "));
  const described = {
    most: highestOf(inside, (index) => numbers[index].mean),
    least: inside.length > 1 ? lowestOf(inside, (index) => numbers[index].mean) : undefined,
    outside: full.find((index) => !inside.includes(index)),
  };
  for (const [name, index] of Object.entries(described)) {
    columns[`${name}_layer`] = layers[index] ?? null;
    columns[`${name}_mean`] = numbers[index]?.mean ?? null;
    columns[`${name}_expected`] = numbers[index]?.expected ?? null;
    columns[`${name}_z`] = numbers[index]?.z_mean ?? null;
  }
  return {
    ...columns,
    blank: layers.length - full.length || null,
    too_few: full.length ? null : "",
    enough: full.length ? "" : null,
    separator: inside.length ? "; " : "",
  };
}

/** The numbers of one layer's pairs of masks. */
function layerNumbers(pairs, tasks) {
  // in the order of the first task, in which Python names the first of equal pairs
  const full = pairs
    .filter((pair) => pair.measured !== null)
    .sort((a, b) => a.j - b.j || a.i - b.i);
  const lowest = lowestOf(full, (pair) => pair.measured);
  const highest = highestOf(full, (pair) => pair.measured);
  return {
    ...range("", full.map((pair) => pair.measured)),
    ...range("z_", pairs.map((pair) => pair.z).filter((z) => z !== null)),
    expected: mean(full.map((pair) => pair.expected)),
    empty: full.length ? null : "",
    lowest_first: tasks[lowest?.j] ?? null,
    lowest_second: tasks[lowest?.i] ?? null,
    highest_first: tasks[highest?.j] ?? null,
    highest_second: tasks[highest?.i] ?? null,
  };
}

/** Mean, lowest and highest of a layer's values, and how far the mean lies from them. */
function range(prefix, values) {
  const middle = mean(values);
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [null, null];
  return {
    [`${prefix}mean`]: middle,
    [`${prefix}lowest`]: low,
    [`${prefix}highest`]: high,
    [`${prefix}above`]: high - middle,
    [`${prefix}below`]: middle - low,
  };
}
