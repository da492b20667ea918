// Figures of masks, drawn from stored scores at any keep share: cut, count, fill.

import { fill } from "./fill.js";
import { maskOverlap, overlapPerLayer } from "./overlaps.js";
import { fisherSpectra, keptShares, lorenzCurves } from "./shares.js";
import { sharedUnits, unionGrowth } from "./sharing.js";
import { maskMap } from "./strips.js";

export { rank } from "./ranks.js";

/** Name of a figure → its numbers, from ordered units, the template's settings and the cut. */
const NUMBERS = {
  fisher_spectra: fisherSpectra,
  kept_shares: keptShares,
  lorenz_curves: lorenzCurves,
  mask_map: maskMap,
  mask_overlap: maskOverlap,
  overlap_per_layer: overlapPerLayer,
  shared_units: sharedUnits,
  union_growth: unionGrowth,
};

/**
 * Draw a figure.
 *
 * @param {object} template - what Template.to_json gives in Python.
 * @param {object} ranked - by `rank`.
 * @param {{keep: number, scope: "parameter"|"global", task?: string}} cut - the keep share, where it
 *   holds, and of which task the scores are, for kept_shares and fisher_spectra.
 * @returns {{data: object[], layout: object, caption: string, description: string}}
 */
export function draw(template, ranked, cut) {
  return fill(template, NUMBERS[template.figure](ranked, template.settings, cut));
}
