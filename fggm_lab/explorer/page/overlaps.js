// The numbers of mask_overlap and overlap_per_layer, counted from packed masks.

import { cumulants, meanJaccard } from "./chance.js";
import { percent } from "./fill.js";
import { bitCount, layersOf, masksOf, parametersOf } from "./masks.js";

/**
 * Two masks of some parameters.
 *
 * @param {number[][]} sizes - per parameter [units, kept by the first, kept by the second].
 * @param {number} both - units that both keep, over all these parameters.
 * @param {number[]} counts - units that the first keeps, and the second.
 */
class Pair {
  constructor(sizes, both, [first, second]) {
    Object.assign(this, { sizes, both, union: first + second - both });
    this.smaller = Math.min(first, second);
  }

  /** |a ∩ b| / |a ∪ b|; null if both are empty. */
  get jaccard() {
    return this.union ? this.both / this.union : null;
  }

  /** |a ∩ b| / min(|a|, |b|); null if one is empty. */
  get overlap() {
    return this.smaller ? this.both / this.smaller : null;
  }

  get expectedJaccard() {
    return meanJaccard(this.sizes);
  }

  get expectedOverlap() {
    return this.smaller ? cumulants(this.sizes).mean / this.smaller : null;
  }

  /** Standard deviations of the shared units above chance; null where chance has no spread. */
  get z() {
    const { mean, variance } = cumulants(this.sizes);
    return variance > 0 ? (this.both - mean) / Math.sqrt(variance) : null;
  }
}

/** How many bits two masks share between two words. */
function sharedBits(first, second, start, end) {
  let count = 0;
  for (let word = start; word < end; word++) count += bitCount(first[word] & second[word]);
  return count;
}

/**
 * The units that masks keep and that every two share, parameter by parameter.
 *
 * @param {object} ranked - by `rank`.
 * @param {Uint32Array[]} masks
 * @param {number[]} chosen - indices of parameters.
 * @returns {{units: number, kept: number[][], pair: function}} all their units; per mask and
 *   parameter the units kept; and `pair(i, j)`, the Pair of two masks.
 */
export function countsOf(ranked, masks, chosen) {
  const units = chosen.map((index) => ranked.parameters[index].units);
  const ranges = chosen.map((index) => [ranked.words[index], ranked.words[index + 1]]);
  const kept = masks.map((mask) => ranges.map(([start, end]) => sharedBits(mask, mask, start, end)));
  const totals = kept.map((counts) => counts.reduce((sum, count) => sum + count, 0));
  const pair = (i, j) => {
    const both = ranges.reduce((sum, range) => sum + sharedBits(masks[i], masks[j], ...range), 0);
    const sizes = units.map((n, index) => [n, kept[i][index], kept[j][index]]);
    return new Pair(sizes, both, [totals[i], totals[j]]);
  };
  return { units: units.reduce((sum, n) => sum + n, 0), kept, totals, pair };
}

const mean = (values) =>
  values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;

/** The item whose value is highest, among equals the first; undefined if there is none. */
const highestOf = (items, value) => items.reduce((a, b) => (value(b) > value(a) ? b : a), items[0]);
const lowestOf = (items, value) => items.reduce((a, b) => (value(b) < value(a) ? b : a), items[0]);

/** The numbers of overlap_numbers in fggm_lab/plots/mask_overlap.py. */
export function maskOverlap(ranked, { tasks, layer, measure }, cut) {
  const counts = countsOf(ranked, masksOf(ranked, cut, tasks), parametersOf(ranked, layer));
  const table = () => tasks.map(() => new Array(tasks.length).fill(null));
  const tables = { measured: table(), expected: table(), z: table() };
  const pairs = [];
  for (let i = 0; i < tasks.length; i++) {
    for (let j = 0; j < i; j++) {
      const pair = counts.pair(i, j);
      const jaccard = measure === "jaccard";
      const measured = jaccard ? pair.jaccard : pair.overlap;
      const expected = jaccard ? pair.expectedJaccard : pair.expectedOverlap;
      for (const [name, value] of Object.entries({ measured, expected, z: pair.z })) {
        tables[name][i][j] = tables[name][j][i] = value;
      }
      if (measured !== null) pairs.push({ measured, expected, z: pair.z, i, j });
    }
  }
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
    const counts = countsOf(ranked, masks, parametersOf(ranked, layer));
    const pairs = tasks.flatMap((first, i) =>
      tasks.slice(i + 1).map((second, k) => {
        const pair = counts.pair(i, i + 1 + k);
        return { jaccard: pair.jaccard, expected: pair.expectedJaccard, z: pair.z, first, second };
      }),
    );
    return layerNumbers(pairs);
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
function layerNumbers(pairs) {
  const full = pairs.filter((pair) => pair.jaccard !== null);
  const lowest = lowestOf(full, (pair) => pair.jaccard);
  const highest = highestOf(full, (pair) => pair.jaccard);
  return {
    ...range("", full.map((pair) => pair.jaccard)),
    ...range("z_", pairs.map((pair) => pair.z).filter((z) => z !== null)),
    expected: mean(full.map((pair) => pair.expected)),
    empty: full.length ? null : "",
    lowest_first: lowest?.first ?? null,
    lowest_second: lowest?.second ?? null,
    highest_first: highest?.first ?? null,
    highest_second: highest?.second ?? null,
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
