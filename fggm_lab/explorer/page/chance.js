// What two random masks share, as fggm_lab/masks/chance.py computes it; the maths is told there.

const ERROR = 1e-12;
const TAIL = 1e-30;

/**
 * The first four cumulants of the size of the intersection of two random masks.
 *
 * @param {number[][]} sizes - per parameter [n, a, b]: its units, those the first mask keeps, those
 *   the second keeps.
 */
export function cumulants(sizes) {
  const result = { mean: 0, variance: 0, third: 0, fourth: 0 };
  for (const [n, a, b] of sizes) {
    const variance = quotient(a * b * (n - a) * (n - b), n * n * (n - 1));
    const numerator = n * (n + 1) - 6 * a * (n - a) - 6 * b * (n - b) + 6 * variance * (5 * n - 6);
    const excess = n > 3 ? numerator / ((n - 2) * (n - 3)) : 1 - 6 * variance;
    result.mean += quotient(a * b, n);
    result.variance += variance;
    result.third += variance * quotient((n - 2 * a) * (n - 2 * b), n * (n - 2));
    result.fourth += variance * excess;
  }
  return result;
}

const quotient = (dividend, divisor) => (divisor > 0 ? dividend / divisor : 0);

/**
 * The mean Jaccard index of two random masks; null if both are empty.
 *
 * A series in the cumulants for large masks, a sum over the distribution for small ones.
 */
export function meanJaccard(sizes) {
  let total = 0;
  for (const [, a, b] of sizes) total += a + b;
  if (!total) return null;
  const { mean, variance: v, third, fourth } = cumulants(sizes);
  const rest = total - mean;
  const error =
    v / rest ** 5 + (60 * v ** 2 + 105 * v ** 3) / rest ** 7 + (105 * v ** 4) / rest ** 8;
  if ((total / rest) * error > ERROR) return summedJaccard(sizes, total);
  const moments = [
    v,
    third,
    fourth + 3 * v ** 2,
    10 * third * v,
    15 * (v ** 3 + fourth * v) + 10 * third ** 2,
  ];
  const correction = moments.reduce((sum, moment, k) => sum + moment / rest ** (k + 2), 0);
  return (total / rest) * (1 + correction) - 1;
}

function summedJaccard(sizes, total) {
  const { low, probabilities } = intersection(sizes);
  const all = probabilities.reduce((sum, probability) => sum + probability, 0);
  return probabilities.reduce(
    (sum, probability, i) => sum + (probability / all) * ((low + i) / (total - low - i)), 0,
  );
}

/** The distribution of the size of the intersection: the parameters' ones, convolved in turn. */
function intersection(sizes) {
  let low = 0;
  let probabilities = [1];
  for (const [n, a, b] of sizes) {
    const next = hypergeometric(n, a, b);
    low += next.low;
    const product = new Array(probabilities.length + next.probabilities.length - 1).fill(0);
    for (let i = 0; i < probabilities.length; i++) {
      for (let j = 0; j < next.probabilities.length; j++) {
        product[i + j] += probabilities[i] * next.probabilities[j];
      }
    }
    const first = product.findIndex((probability) => probability > TAIL);
    low += first;
    probabilities = product.slice(first, product.findLastIndex((p) => p > TAIL) + 1);
  }
  return { low, probabilities };
}

/** The probabilities of the intersection of an a-set and a b-set among n units, from `low` on. */
function hypergeometric(n, a, b) {
  const low = Math.max(0, a + b - n);
  const logarithms = [0];
  for (let i = low; i < Math.min(a, b); i++) {
    const ratio = ((a - i) * (b - i)) / ((i + 1) * (n - a - b + i + 1));
    logarithms.push(logarithms.at(-1) + Math.log(ratio));
  }
  const highest = logarithms.reduce((high, logarithm) => Math.max(high, logarithm));
  const weights = logarithms.map((logarithm) => Math.exp(logarithm - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { low, probabilities: weights.map((weight) => weight / total) };
}
