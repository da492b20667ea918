// The numbers of mask_overlap, counted from packed masks.

import { cumulants, meanJaccard } from "./chance.js";
import { percent } from "./fill.js";
import { bitCount, masksOf, parametersOf } from "./masks.js";

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

export const mean = (values) =>
  values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;

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
  const lowest = pairs.reduce((a, b) => (b.measured < a.measured ? b : a), pairs[0]);
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
