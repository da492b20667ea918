// The numbers of kept_shares, fisher_spectra and lorenz_curves: what a keep share lets move of one
// task's units.

import { keptCount, layersOf, orderOf, parametersOf } from "./masks.js";

/** The scopes in Python's order (SCOPES of fggm_lab/mask_settings.py). */
const SCOPES = ["parameter", "global"];

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/**
 * How many units of each parameter move, for ascending keep shares.
 *
 * @param {object} ranked - by `rank`.
 * @param {string} task
 * @param {"parameter"|"global"} scope
 * @param {number[]} keeps
 * @returns {number[][]} (keep shares, parameters)
 */
function movedUnits(ranked, task, scope, keeps) {
  const sizes = ranked.parameters.map(({ units }) => units);
  if (scope === "parameter") return keeps.map((keep) => sizes.map((units) => keptCount(keep, units)));
  const order = orderOf(ranked, task).all;
  const owners = wordOwners(ranked);
  const counts = new Array(sizes.length).fill(0);
  let position = 0;
  return keeps.map((keep) => {
    for (const end = keptCount(keep, order.length); position < end; position++) {
      counts[owners[order[position] >>> 5]]++;
    }
    return [...counts];
  });
}

/** (words,) the parameter of each word of a packed mask. */
function wordOwners({ words }) {
  const owners = new Uint32Array(words.at(-1));
  for (let parameter = 0; parameter + 1 < words.length; parameter++) {
    owners.fill(parameter, words[parameter], words[parameter + 1]);
  }
  return owners;
}

/** The numbers of kept_shares_numbers in fggm_lab/plots/kept_shares.py. */
export function keptShares(ranked, { rows, groups, units, steps }, { keep, scope, task }) {
  const index = new Map(ranked.parameters.map(({ name }, parameter) => [name, parameter]));
  const chosen = groups.map((names) => names.map((name) => index.get(name)));
  const even = Array.from({ length: steps }, (_, step) => Math.round((100 * (step + 1)) / steps) / 100);
  const keeps = [...new Set([keep, ...even])].sort((a, b) => a - b);
  const counts = movedUnits(ranked, task, scope, keeps);
  const movedOf = (row, at) => sum(chosen[row].map((parameter) => counts[at][parameter]));
  const marked = keeps.indexOf(keep);
  const moved = rows.map((_, row) => movedOf(row, marked));
  const shares = moved.map((count, row) => count / units[row]);
  const most = shares.indexOf(Math.max(...shares));
  const least = shares.lastIndexOf(Math.min(...shares));
  return {
    keep,
    scope,
    parameter_scope: scope === "parameter" ? "" : null,
    global_scope: scope === "global" ? "" : null,
    task: task ?? null,
    keeps: [0, ...keeps],
    shares: rows.map((_, row) => [0, ...keeps.map((_, at) => movedOf(row, at) / units[row])]),
    marked_shares: shares,
    moved,
    most_row: rows[most],
    most_share: shares[most],
    least_row: rows[least],
    least_share: shares[least],
  };
}

/** The numbers of fisher_spectra_numbers in fggm_lab/plots/fisher_spectra.py. */
export function fisherSpectra(ranked, { units }, { keep, scope, task }) {
  const layers = layersOf(ranked)
    .map((layer) => parametersOf(ranked, layer))
    .filter((chosen) => chosen.some((parameter) => ranked.parameters[parameter].units));
  const moved = SCOPES.map((name) => {
    const [counts] = movedUnits(ranked, task, name, [keep]);
    return layers.map((chosen) => sum(chosen.map((parameter) => counts[parameter])));
  });
  const shares = moved.map((row, index) => row.map((count, layer) => count / units[index][layer]));
  const lowest = lowestMoving(ranked, task, keep);
  const shown = scope === "global";
  return {
    keep,
    scope,
    lowest,
    parameter_cut: [keep, keep],
    global_cut: [lowest || null, lowest || null],
    visible: SCOPES.map((name) => name === scope),
    shares,
    moved,
    marked_shares: shares[SCOPES.indexOf(scope)],
    no_unit_moves: lowest === null ? "" : null,
    in_parameters: shown ? null : "",
    above: shown ? lowest || null : null,
    tied: shown && lowest === 0 ? "" : null,
    no_unit: shown && lowest === null ? "" : null,
  };
}

/** The lowest score of the whole model's top share; null if that is no unit. */
function lowestMoving(ranked, task, keep) {
  const order = orderOf(ranked, task).all;
  const count = keptCount(keep, order.length);
  if (!count) return null;
  return scoreOf(ranked, task)(order[count - 1]);
}

/** Bit of a unit in a packed mask → its score. */
function scoreOf(ranked, task) {
  const scores = ranked.scores[ranked.tasks.indexOf(task)];
  const owners = wordOwners(ranked);
  return (bit) => {
    const owner = owners[bit >>> 5];
    return scores[ranked.starts[owner] + bit - 32 * ranked.words[owner]];
  };
}

/** The numbers of lorenz_curves_numbers in fggm_lab/plots/lorenz_curves.py. */
export function lorenzCurves(ranked, { tasks, layer }, { keep }) {
  return { keep, held_shares: tasks.map((task) => heldShare(ranked, task, layer, keep)) };
}

/** The share of the total that the top share of units holds; of all units alike if all score 0. */
function heldShare(ranked, task, layer, keep) {
  const sums = scoreSums(ranked, task, layer);
  const count = keptCount(keep, sums.length - 1);
  const total = sums.at(-1);
  return total ? sums[count] / total : count / (sums.length - 1);
}

/** (units + 1,) the sums of the 0, 1, … highest scores of a layer; computed once. */
function scoreSums(ranked, task, layer) {
  ranked.sums ??= new Map();
  const key = `${layer} ${task}`;
  if (!ranked.sums.has(key)) {
    const inside = new Set(parametersOf(ranked, layer));
    const owners = wordOwners(ranked);
    const score = scoreOf(ranked, task);
    const bits = orderOf(ranked, task).all.filter((bit) => inside.has(owners[bit >>> 5]));
    const sums = new Float64Array(bits.length + 1);
    bits.forEach((bit, position) => (sums[position + 1] = sums[position] + score(bit)));
    ranked.sums.set(key, sums);
  }
  return ranked.sums.get(key);
}
