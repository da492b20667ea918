// Figures of masks, drawn from stored scores at any keep share: cut, count, fill.

import { fill } from "./fill.js";
import { maskOverlap, overlapPerLayer } from "./overlaps.js";
import { sharedUnits, unionGrowth } from "./sharing.js";
import { maskMap } from "./strips.js";

export { rank } from "./ranks.js";

/** Name of a figure → its numbers, from ordered units, the template's settings and the cut. */
const NUMBERS = {
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
 *   holds, and for figures of one task whose scores are shown.
 * @returns {{data: object[], layout: object, caption: string, description: string}}
 */
export function draw(template, ranked, cut) {
  return fill(template, NUMBERS[template.figure](ranked, template.settings, cut));
}
