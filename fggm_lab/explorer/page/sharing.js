// The numbers of shared_units and union_growth: how many masks keep a unit, as
// fggm_lab/masks/sharing.py counts them; the maths of random masks is explained there.

import { bitCount, masksOf, parametersOf } from "./masks.js";
import { countsOf } from "./overlaps.js";

/** The numbers of shared_units_numbers in fggm_lab/plots/shared_units.py. */
export function sharedUnits(ranked, { tasks, layer }, cut) {
  const masks = masksOf(ranked, cut, tasks);
  const { total, units, means, sd } = sharingOf(ranked, masks, parametersOf(ranked, layer));
  const share = units.map((count) => count / total);
  const expectedShare = means.map((mean) => mean / total);
  const ends = (column) => [column[0], column[1], column.at(-1)];
  return {
    total,
    units,
    share,
    expected: means,
    expected_share: expectedShare,
    sd,
    spread: sd.map((deviation) => (2 * deviation) / total),
    spread_below: sd.map((deviation, k) => Math.min(2 * deviation, means[k]) / total),
    z: sd.map((deviation, k) => (deviation ? (units[k] - means[k]) / deviation : null)),
    ends_units: ends(units),
    ends_share: ends(share),
    ends_expected_share: ends(expectedShare),
  };
}

/**
 * The units of parameters that exactly k masks keep, k from 0 to all, beside random masks.
 *
 * @param {object} ranked - by `rank`.
 * @param {Uint32Array[]} masks
 * @param {number[]} chosen - indices of parameters.
 * @returns {{total: number, totals: number[], units: number[], means: number[], sd: number[]}} all
 *   units; per mask the units kept; and by k the units, and their mean and standard deviation.
 */
export function sharingOf(ranked, masks, chosen) {
  const { sizes, totals, units: total } = sizesOf(ranked, masks, chosen);
  const { means, variances } = chanceKeepers(sizes, masks.length);
  const sd = variances.map((variance) => deviation(variance, sizes));
  return { total, totals, units: keeperCounts(ranked, masks, chosen), means, sd };
}

/** The numbers of union_growth_numbers in fggm_lab/plots/union_growth.py. */
export function unionGrowth(ranked, { tasks, layer }, cut) {
  const chosen = parametersOf(ranked, layer);
  const masks = masksOf(ranked, cut, tasks);
  const { sizes, units: total, totals: kept } = sizesOf(ranked, masks, chosen);
  const used = unionCounts(ranked, masks, chosen);
  const fresh = used.map((count, index) => count - (used[index - 1] ?? 0));
  const { means: expectedUsed, variances } = chanceUnion(sizes, tasks.length);
  const last = tasks.length - 1;
  return {
    total,
    kept,
    fresh,
    used,
    expected_fresh: expectedUsed.map((mean, index) => mean - (expectedUsed[index - 1] ?? 0)),
    expected_used: expectedUsed,
    sd: variances.map((variance) => deviation(variance, sizes)),
    fresh_share: fresh.map((count) => count / total),
    used_share: used.map((count) => count / total),
    expected_share: expectedUsed.map((mean) => mean / total),
    first_task: tasks[0],
    first_share: used[0] / total,
    last_task: tasks[last],
    last_share: last ? used[last] / total : null,
    last_expected_share: expectedUsed[last] / total,
    last_fresh: kept[last] ? fresh[last] / kept[last] : 0,
  };
}

/** Per parameter that has units [units, kept by the first mask, the second, …], and all units. */
function sizesOf(ranked, masks, chosen) {
  const filled = chosen.filter((index) => ranked.parameters[index].units);
  const { kept, totals, units } = countsOf(ranked, masks, filled);
  if (!units) throw new Error("the masks are over no units; make them from a model's scores");
  const sizes = filled.map((parameter, index) => [
    ranked.parameters[parameter].units, ...kept.map((counts) => counts[index]),
  ]);
  return { sizes, totals, units };
}

/**
 * How many units exactly k masks keep, k from 0 to all.
 *
 * Thirty-two units at a time: `planes[d]` holds binary digit d of each unit's number of keepers.
 */
function keeperCounts(ranked, masks, chosen) {
  const counts = new Array(masks.length + 1).fill(0);
  const planes = new Uint32Array(32 - Math.clz32(masks.length));
  for (const parameter of chosen) {
    let units = ranked.parameters[parameter].units;
    for (let word = ranked.words[parameter]; word < ranked.words[parameter + 1]; word++) {
      planes.fill(0);
      for (const mask of masks) {
        let carry = mask[word];
        for (let digit = 0; carry; digit++) {
          const both = planes[digit] & carry;
          planes[digit] ^= carry;
          carry = both;
        }
      }
      const present = units >= 32 ? -1 : (1 << units) - 1; // the last word of a parameter has gaps
      units -= 32;
      for (let k = 0; k <= masks.length; k++) {
        let equal = present;
        for (let digit = 0; digit < planes.length; digit++) {
          equal &= (k >>> digit) & 1 ? planes[digit] : ~planes[digit];
        }
        counts[k] += bitCount(equal);
      }
    }
  }
  return counts;
}

/** How many units any of the first 1, 2, … masks keeps. */
function unionCounts(ranked, masks, chosen) {
  const counts = new Array(masks.length).fill(0);
  for (const parameter of chosen) {
    for (let word = ranked.words[parameter]; word < ranked.words[parameter + 1]; word++) {
      let union = 0;
      masks.forEach((mask, index) => {
        union |= mask[word];
        counts[index] += bitCount(union);
      });
    }
  }
  return counts;
}

/** Means and variances of the numbers of units that exactly k random masks keep. */
function chanceKeepers(sizes, masks) {
  const means = new Array(masks + 1).fill(0);
  const variances = new Array(masks + 1).fill(0);
  for (const [n, ...counts] of sizes) {
    const single = oneUnit(n, counts);
    const double = twoUnits(n, counts);
    for (let k = 0; k <= masks; k++) {
      const p = single[k];
      means[k] += n * p;
      variances[k] += n * p * (1 - p) + n * (n - 1) * (double[k] - p ** 2);
    }
  }
  return { means, variances };
}

/** (masks + 1,) probabilities that a unit is kept by exactly k masks (Poisson-binomial). */
function oneUnit(n, counts) {
  let probabilities = [1];
  for (const a of counts) {
    const next = new Array(probabilities.length + 1).fill(0);
    probabilities.forEach((probability, k) => {
      next[k] += probability * (1 - a / n);
      next[k + 1] += probability * (a / n);
    });
    probabilities = next;
  }
  return probabilities;
}

/** (masks + 1,) probabilities that exactly k masks keep one unit, and exactly k another. */
function twoUnits(n, counts) {
  const ways = Math.max(1, n * (n - 1));
  const width = counts.length + 2; // row and column 0 stay 0, for what no mask can reach
  const p = new Float64Array(width * width); // one unit kept by j masks, another by k
  p[width + 1] = 1;
  for (const a of counts) {
    const neither = ((n - a) * (n - a - 1)) / ways;
    const single = (a * (n - a)) / ways;
    const both = (a * (a - 1)) / ways;
    for (let j = width - 1; j > 0; j--) {
      for (let k = width - 1; k > 0; k--) {
        const at = j * width + k;
        p[at] = neither * p[at] + single * (p[at - width] + p[at - 1]) + both * p[at - width - 1];
      }
    }
  }
  return counts.concat(0).map((_, k) => p[(k + 1) * (width + 1)]);
}

/** Means and variances of the numbers of units that any of the first 1, 2, … random masks keeps. */
function chanceUnion(sizes, masks) {
  const means = new Array(masks).fill(0);
  const variances = new Array(masks).fill(0);
  for (const [n, ...counts] of sizes) {
    let single = 1; // probability that no mask so far keeps a unit
    let double = 1; // nor another unit
    counts.forEach((a, index) => {
      const free = n - a;
      single *= free / n;
      double *= (free * (free - 1)) / Math.max(1, n * (n - 1));
      means[index] += n * (1 - single);
      variances[index] += n * single * (1 - single) + n * (n - 1) * (double - single ** 2);
    });
  }
  return { means, variances };
}

/** The root of a variance; 0 where it is no larger than the rounding error of its terms. */
function deviation(variance, sizes) {
  const squares = sizes.reduce((sum, [n]) => sum + n ** 2, 0);
  return variance > 1e-14 * squares ? Math.sqrt(variance) : 0;
}
