/**
 * Follows cells of unzoomed maps, for `test_follow.py`.
 *
 * node follow.mjs FOLDER-OF-THE-FRONT-END < request.json > results.json
 *
 * @import { Size } from "../../lzu_viz/widgets/front/types.d.ts"
 * @import { Cell } from "../../lzu_viz/widgets/front/follow.js"
 *
 * @typedef {object} Case
 * @property {{x: number[], y: number[]} | null} axes of a separable warp, or
 * @property {?{rows: number, columns: number, nodes: number[]}} grid
 * @property {Size} size
 * @property {Size} map
 * @property {Cell} cell
 * @property {number[]} values of the zoomed map, row by row.
 */
import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const { followCell, stepsOf, sumOf } = await load("follow.js");
const { warpFromAxes, warpFromGrid } = await load("warp.js");

/** @type {Case[]} */
const cases = JSON.parse(readFileSync(0, "utf8"));
const results = cases.map(({ axes, grid, size, map, cell, values }) => {
  const warp = grid
    ? warpFromGrid(grid.rows, grid.columns, Float64Array.from(grid.nodes))
    : warpFromAxes(Float64Array.from(axes?.x ?? []), Float64Array.from(axes?.y ?? []));
  const path = followCell(warp, size, cell, map);
  const four = path.corners.map(({ row, column }) => values[row * map.columns + column]);
  const value = path.corners.reduce((sum, { weight }, index) => sum + weight * four[index], 0);
  const texts = stepsOf(path, warp, size, map, "picture");
  return { path, value, texts, sum: path.zoomed ? sumOf(path.corners, four) : "" };
});
process.stdout.write(JSON.stringify(results));
