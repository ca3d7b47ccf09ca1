/**
 * The saliency and the warp of a state, as the Python module `state_to_warp` computes them.
 *
 * @import { SaliencyMap, State, Warp } from "./types.d.ts"
 */
import { makeWarp } from "./attraction.js";
import { boxEdges } from "./frames.js";
import { fromBoxes, fromBoxesInPixels, fromFoveas, mix, uniform } from "./saliency.js";
import { morph, moveNodes } from "./warp.js";

/** Fields of the state on which the prediction of the uniform system depends. */
export const UNIFORM_FIELDS = /** @type {const} */ ([
  "network",
  "input_size",
  "antialias",
  "probability",
  "score",
]);

/**
 * The saliency map of a state.
 *
 * @param {State} state
 * @param {{width: number, height: number}} size of the photo.
 * @param {?SaliencyMap} imageSaliency the saliency that the kernel computed
 *     from the photo, for the kinds that need it.
 * @returns {?SaliencyMap} null while that is missing.
 */
export function saliencyOf(state, size, imageSaliency) {
  const map = { rows: state.columns / 2, columns: state.columns };
  const strength = state.strength / 100;
  const boxes = state.boxes.map(boxEdges);
  const amplitude = strength / (1 - strength) / boxes.length;
  if (state.saliency_kind === "foveas") {
    const foveas = state.foveas.map(({ x, y, width }) => ({ x, y, width: width / 100 }));
    return { ...map, cells: fromFoveas(map, foveas, strength) };
  }
  if (state.saliency_kind === "boxes")
    return { ...map, cells: fromBoxes(map, boxes, amplitude, state.relative_sigma / 100) };
  if (state.saliency_kind === "boxes in pixels") {
    const { bandwidth } = state;
    const cells = fromBoxesInPixels(map, boxes, amplitude, bandwidth, [size.height, size.width]);
    return { ...map, cells };
  }
  if (!imageSaliency) return null;
  const { rows, columns, cells } = imageSaliency;
  const mixed = mix([uniform({ rows, columns }), cells], [1 - strength, strength]);
  return { rows, columns, cells: mixed };
}

/**
 * The warp of a state, moved nodes included.
 *
 * @param {State} state
 * @param {SaliencyMap} map
 * @returns {Warp}
 */
export function warpOf(state, map) {
  const warp = makeWarp(map, {
    rows: state.pieces,
    columns: state.pieces,
    fwhm: [state.fwhm / 100, state.fwhm / 100],
    separable: state.separable,
    antiCrop: state.anti_crop,
  });
  return morph(moveNodes(warp, state.nodes), state.morph);
}
