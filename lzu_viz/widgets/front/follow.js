/**
 * How a cell of an unzoomed map is computed: through the inverse of the warp, from four cells of the
 * zoomed map.
 *
 * @import { Point, Size, Warp } from "./types.d.ts"
 *
 * @typedef {{row: number, column: number}} Cell
 * @typedef {Cell & {weight: number}} Corner
 *
 * @typedef {object} Path
 * @property {Cell} cell of the unzoomed map.
 * @property {Point} source its centre in the source frame.
 * @property {?Point} zoomed where that is in the zoomed frame; null if the warp does not reach it.
 * @property {?Cell} piece of the warp, row and column.
 * @property {?Point} place [column, row] among the centres of the cells of the zoomed map.
 * @property {Corner[]} corners the four cells of the zoomed map, and their weights, which sum to 1.
 */
import { toZoomed } from "./inverse.js";
import { cellCentre, cellPosition } from "./numbers.js";
import { intervalOf } from "./warp.js";

/**
 * Follow a cell of an unzoomed map back to the zoomed map.
 *
 * @param {Warp} warp
 * @param {Size} size of the unzoomed map.
 * @param {Cell} cell
 * @param {Size} map size of the zoomed map.
 * @returns {Path}
 */
export function followCell(warp, size, cell, map) {
  /** @type {Point} */
  const source = [cellCentre(cell.column, size.columns), cellCentre(cell.row, size.rows)];
  const zoomed = toZoomed(warp, ...source);
  if (!zoomed) return { cell, source, zoomed, piece: null, place: null, corners: [] };
  const [u, v] = zoomed;
  const piece = { row: intervalOf(v, warp.rows), column: intervalOf(u, warp.columns) };
  /** @type {Point} */
  const place = [cellPosition(u, map.columns), cellPosition(v, map.rows)];
  const [column, row] = place.map(Math.floor);
  const [right, below] = [place[0] - column, place[1] - row];
  const next = (/** @type {number} */ index, /** @type {number} */ count) =>
    Math.min(index + 1, count - 1);
  const corners = [
    { row, column, weight: (1 - below) * (1 - right) },
    { row, column: next(column, map.columns), weight: (1 - below) * right },
    { row: next(row, map.rows), column, weight: below * (1 - right) },
    { row: next(row, map.rows), column: next(column, map.columns), weight: below * right },
  ];
  return { cell, source, zoomed, piece, place, corners };
}

/**
 * The cell of a map that holds a place of its frame.
 *
 * @param {Point} place
 * @param {Size} size
 * @returns {Cell}
 */
export const cellAt = ([x, y], { rows, columns }) => ({
  row: intervalOf(y, rows),
  column: intervalOf(x, columns),
});

/**
 * What was done, step by step, with the real numbers.
 *
 * @param {Path} path
 * @param {Warp} warp
 * @param {Size} size of the unzoomed map.
 * @param {Size} map size of the zoomed map.
 * @param {string} name of the maps, such as "picture".
 * @returns {string[]} three steps; the sums follow them.
 */
export function stepsOf(path, warp, size, map, name) {
  const { cell, source, zoomed, piece, place } = path;
  const [x, y] = source;
  const where = `(x, y) = (${decimal(x)}, ${decimal(y)})`;
  const first =
    `Unzoomed ${name}, ${size.rows} × ${size.columns}: row ${cell.row}, column ${cell.column}. ` +
    `Its centre is the source place ${where}: ` +
    `x = (2 · ${cell.column} + 1) / ${size.columns} − 1, y = (2 · ${cell.row} + 1) / ${size.rows} − 1.`;
  if (!zoomed || !piece || !place)
    return [first, "The warp does not reach this place: no zoomed pixel shows it."];
  const [u, v] = zoomed;
  const there = `T⁻¹ maps it to the zoomed place (u, v) = (${decimal(u)}, ${decimal(v)})`;
  const inverse = warp.axes
    ? `${there}. ${alongAxis("x", x, "u", warp.axes.x, piece.column)} ` +
      alongAxis("y", y, "v", warp.axes.y, piece.row)
    : `${there}, in the piece in row ${piece.row}, column ${piece.column}: there T is bilinear, and its inverse solves a quadratic equation.`;
  const [column, row] = place;
  const third =
    `Zoomed ${name}, ${map.rows} × ${map.columns}: that is row ${decimal(row, 2)}, column ${decimal(column, 2)}, ` +
    "between the centres of four cells. A cell's weight is the product of how near it is along each axis:";
  return [first, inverse, third];
}

/**
 * @param {string} from
 * @param {number} value
 * @param {string} to
 * @param {Float64Array} axis nodes of the warp.
 * @param {number} index of the piece.
 */
function alongAxis(from, value, to, axis, index) {
  const [low, high] = [axis[index], axis[index + 1]];
  const share = (value - low) / (high - low);
  const count = axis.length - 1;
  return (
    `${from} lies ${decimal(share, 2)} of the way from node ${index} (${decimal(low)}) to node ` +
    `${index + 1} (${decimal(high)}): ${to} = 2 · (${index} + ${decimal(share, 2)}) / ${count} − 1.`
  );
}

/**
 * A weighted sum, written out.
 *
 * @param {Corner[]} corners
 * @param {number[]} values one for each corner.
 */
export function sumOf(corners, values) {
  const terms = corners.map(
    ({ weight }, index) => `${decimal(weight, 2)} · ${number(values[index])}`,
  );
  const total = corners.reduce((sum, { weight }, index) => sum + weight * values[index], 0);
  return `${terms.join(" + ")} = ${decimal(total, 2)}`;
}

/** A value of a map: the colours of pixels are whole numbers. */
export const number = (/** @type {number} */ value) =>
  decimal(value, Number.isInteger(value) ? 0 : 2);

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const decimal = (value, digits = 3) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};
