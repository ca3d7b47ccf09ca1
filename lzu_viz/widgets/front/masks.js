/**
 * Masks of the segmenter, in the source frame.
 *
 * @import { FeatureMap, Size, Warp } from "./types.d.ts"
 * @typedef {Size & {cells: Uint8Array}} Mask 1 inside, 0 elsewhere.
 */
import { unzoomChannel } from "./feature_maps.js";

/**
 * Unzoom the probabilities of a segmenter, and compare them with a threshold; pixels that the warp
 * does not reach are outside the mask.
 *
 * @param {FeatureMap} logits of one channel.
 * @param {Warp} warp
 * @param {Size} size of the mask.
 * @param {number} threshold that probabilities must exceed.
 * @returns {Mask}
 */
export function maskOf({ rows, columns, data }, warp, size, threshold) {
  const probabilities = data.map((logit) => 1 / (1 + Math.exp(-logit)));
  const unzoomed = unzoomChannel({ rows, columns, data: probabilities }, warp, size);
  const cells = new Uint8Array(unzoomed.length);
  for (let cell = 0; cell < cells.length; cell++) if (unzoomed[cell] > threshold) cells[cell] = 1;
  return { ...size, cells };
}

/**
 * The part of its frame that a mask covers, in 0..1.
 *
 * @param {Mask} mask
 */
export function shareOf({ cells }) {
  let inside = 0;
  for (let cell = 0; cell < cells.length; cell++) inside += cells[cell];
  return inside / cells.length;
}

/**
 * The intersection over union of two masks of one size; 1 where both are empty.
 *
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
export function maskIou(first, second) {
  let [intersection, union] = [0, 0];
  for (let cell = 0; cell < first.length; cell++) {
    intersection += first[cell] & second[cell];
    union += first[cell] | second[cell];
  }
  return union > 0 ? intersection / union : 1;
}
