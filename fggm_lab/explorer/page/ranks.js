// Orders units by their scores, once: masks of any keep share are then the first units in order.

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/**
 * Order the units of every task, as fggm_lab.masks.Ranking does: highest score first, among equal
 * scores the model's order.
 *
 * A unit is named by its bit in a packed mask, where every parameter begins at a new word of 32.
 *
 * @param {{tasks: string[],
 *   parameters: {name: string, layer: number|null, module: string, units: number}[],
 *   scores: (Float32Array|Float64Array)[]}} records - scores of all units per task, in the order of
 *   the parameters; the highest move.
 * @returns {object} the records, with
 *   - starts: (parameters + 1,) the first unit of each parameter;
 *   - words: (parameters + 1,) the first word of each parameter in a packed mask;
 *   - bits: (units,) the bit of each unit;
 *   - orders: per task {all, within}: bits in the order of all units, and of each parameter's units
 *     (those of parameter p stand at starts[p] to starts[p + 1]).
 * @throws {Error} a score is not a number.
 */
export function rank(records) {
  const sizes = records.parameters.map(({ units }) => units);
  const starts = sums(sizes);
  const words = sums(sizes.map((units) => Math.ceil(units / 32)));
  const count = starts.at(-1);
  const bits = new Uint32Array(count);
  const owners = new Uint32Array(count);
  sizes.forEach((units, parameter) => {
    for (let unit = 0; unit < units; unit++) {
      bits[starts[parameter] + unit] = 32 * words[parameter] + unit;
      owners[starts[parameter] + unit] = parameter;
    }
  });
  const orders = records.scores.map((scores, index) => {
    if (scores.length !== count) {
      throw new Error(`${records.tasks[index]} has ${scores.length} scores for ${count} units`);
    }
    const order = descending(scores);
    const within = stablySorted(order, owners, sizes.length);
    return { all: picked(bits, order), within: picked(bits, within) };
  });
  return { ...records, starts, words, bits, orders };
}

/** (n + 1,) the sums of the first 0, 1, …, n numbers. */
export function sums(numbers) {
  const result = [0];
  for (const number of numbers) result.push(result.at(-1) + number);
  return result;
}

/**
 * Sort stably by a small whole number (a counting sort).
 *
 * @param {Uint32Array} order - indices.
 * @param {Uint8Array|Uint16Array|Uint32Array} keys - key of each index, below `limit`.
 * @param {number} limit
 * @returns {Uint32Array} the indices, keys ascending.
 */
export function stablySorted(order, keys, limit) {
  const next = new Uint32Array(limit + 1);
  for (let position = 0; position < order.length; position++) next[keys[order[position]] + 1]++;
  for (let key = 0; key < limit; key++) next[key + 1] += next[key];
  const sorted = new Uint32Array(order.length);
  for (let position = 0; position < order.length; position++) {
    const index = order[position];
    sorted[next[keys[index]]++] = index;
  }
  return sorted;
}

/** (n,) the whole numbers from 0 on. */
export function indices(n) {
  const result = new Uint32Array(n);
  for (let index = 0; index < n; index++) result[index] = index;
  return result;
}

/** The values at indices. */
export function picked(values, order) {
  const result = new Uint32Array(order.length);
  for (let position = 0; position < order.length; position++) {
    result[position] = values[order[position]];
  }
  return result;
}

/**
 * The indices of scores, the highest score first, the first index first among equal ones.
 *
 * A radix sort over the bits of the floats: a positive float grows with its bits read as a whole
 * number, a negative one falls.
 */
function descending(scores) {
  const wide = scores instanceof Float64Array ? 2 : 1; // words of 32 bits
  const parts = new Uint32Array(scores.buffer, scores.byteOffset, wide * scores.length);
  const high = new Uint32Array(scores.length);
  const low = new Uint32Array(wide === 2 ? scores.length : 0);
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index];
    if (score !== score) throw new Error("the scores contain NaN; score the model anew");
    const top = parts[wide * index + wide - 1]; // little-endian, as every browser's machine is
    const flipped = score >= 0; // -0 equals 0, whatever its sign bit says
    high[index] = flipped ? ~top & 0x7fffffff : top;
    if (wide === 2) low[index] = flipped ? ~parts[2 * index] : parts[2 * index];
  }
  const digits = new Uint16Array(scores.length);
  let order = indices(scores.length);
  for (const keys of wide === 2 ? [low, high] : [high]) {
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
      for (let index = 0; index < keys.length; index++) {
        digits[index] = (keys[index] >>> shift) & (DIGITS - 1);
      }
      if (digits.some((digit) => digit !== digits[0])) {
        order = stablySorted(order, digits, DIGITS);
      }
    }
  }
  return order;
}
