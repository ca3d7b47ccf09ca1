/**
 * Evaluates states as the page does, for `test_state_to_warp.py`.
 *
 * node states.mjs FOLDER-OF-THE-FRONT-END < states.json > results.json
 *
 * @import { Size, State } from "../../lzu_viz/widgets/front/types.d.ts"
 */
import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const { saliencyOf, warpOf } = await load("state_to_warp.js");
const { folds } = await load("warp.js");

/**
 * @param {object} request
 * @param {State} request.state
 * @param {{width: number, height: number}} request.size
 * @param {?Size & {cells: number[]}} request.photoSaliency where the state needs it.
 */
function run({ state, size, photoSaliency }) {
  const imageSaliency = photoSaliency && {
    ...photoSaliency,
    cells: Float64Array.from(photoSaliency.cells),
  };
  const map = saliencyOf(state, size, imageSaliency);
  if (!map)
    throw new Error(`a state of kind ${state.saliency_kind} needs the saliency of the photo`);
  const warp = warpOf(state, map);
  return { saliency: Array.from(map.cells), grid: Array.from(warp.grid), folds: folds(warp) };
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(run)));
