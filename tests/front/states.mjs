/**
 * Says for states what the page makes of them, for `test_looks.py`.
 *
 * node states.mjs FOLDER-OF-THE-FRONT-END < states.json > answers.json
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(process.argv[2]);
const { saliencyOf, warpOf } = await import(`${folder}/shared.js`);
const { folds } = await import(`${folder}/warp.js`);

const numbers = (array) => Array.from(array);

function run({ state, size, found }) {
  const known = found && { ...found, cells: Float64Array.from(found.cells) };
  const map = saliencyOf(state, size, known);
  const warp = warpOf(state, map);
  return { saliency: numbers(map.cells), grid: numbers(warp.grid), folds: folds(warp) };
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(run)));
