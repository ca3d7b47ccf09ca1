/**
 * Warps: their nodes, and the bilinear pieces between them, as in the Python modules `warp` and
 * `bilinear`, in float64.
 *
 * A point is (x, y) in [-1, 1] over its frame; -1 and 1 are the outer edges. A dense map is a
 * Float64Array of rows * columns points (x, y), one a pixel, NaN where there is none.
 *
 * @import { NodeState, Point, Size, Warp } from "./types.d.ts"
 */
import { cellCentre, clamp, intervalEdge } from "./numbers.js";

/** A piece whose Jacobian determinant is at most this is folded, or too flat to be inverted. */
const MIN_DETERMINANT = 1e-7;

/**
 * The separable warp with these nodes on each axis.
 *
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @returns {Warp}
 */
export function warpFromAxes(x, y) {
  const [rows, columns] = [y.length - 1, x.length - 1];
  const grid = new Float64Array(2 * x.length * y.length).map((_, index) =>
    index % 2 ? y[Math.floor(index / 2 / x.length)] : x[(index / 2) % x.length],
  );
  return { rows, columns, axes: { x, y }, grid };
}

/**
 * The non-separable warp with these nodes, (x, y) each, row by row.
 *
 * @param {number} rows of pieces.
 * @param {number} columns of pieces.
 * @param {ArrayLike<number>} grid
 * @returns {Warp}
 */
export function warpFromGrid(rows, columns, grid) {
  return { rows, columns, axes: null, grid: Float64Array.from(grid) };
}

/**
 * The identity.
 *
 * @param {number} rows
 * @param {number} columns
 */
export function identityWarp(rows, columns) {
  const nodeCoordinates = (/** @type {number} */ count) =>
    new Float64Array(count + 1).map((_, index) => intervalEdge(index, count));
  return warpFromAxes(nodeCoordinates(columns), nodeCoordinates(rows));
}

/**
 * Shift single nodes; the warp is then no longer separable.
 *
 * @param {Warp} warp
 * @param {NodeState[]} nodes
 */
export function moveNodes(warp, nodes) {
  if (!nodes.length) return warp;
  const moved = warpFromGrid(warp.rows, warp.columns, warp.grid);
  for (const { row, column, dx, dy } of nodes) {
    const k = nodeOffset(warp, row, column);
    moved.grid[k] += dx;
    moved.grid[k + 1] += dy;
  }
  return moved;
}

/**
 * Where the x of a node is in `grid`; y follows.
 *
 * @param {Size} pieces
 * @param {number} row
 * @param {number} column
 */
export const nodeOffset = ({ columns }, row, column) => 2 * (row * (columns + 1) + column);

/**
 * Interpolate linearly between the identity (t = 0) and the warp (t = 1).
 *
 * @param {Warp} warp
 * @param {number} t
 */
export function morph(warp, t) {
  const identity = identityWarp(warp.rows, warp.columns);
  const between = (/** @type {Float64Array} */ from, /** @type {Float64Array} */ to) =>
    from.map((value, index) => (1 - t) * value + t * to[index]);
  if (warp.axes && identity.axes) {
    return warpFromAxes(
      between(identity.axes.x, warp.axes.x),
      between(identity.axes.y, warp.axes.y),
    );
  }
  return warpFromGrid(warp.rows, warp.columns, between(identity.grid, warp.grid));
}

/**
 * What is derived from a warp, computed once.
 *
 * On a piece each coordinate is P + u b + v c + u v d, with (u, v) in [0, 1].
 *
 * @typedef {object} Analysis
 * @property {Float64Array} terms P, b, c, d of x and then of y: eight numbers a piece, from
 *     k = 8 * piece on.
 * @property {Float64Array} bounds of each piece in the source, slightly widened: left, top, right,
 *     bottom.
 * @property {Uint8Array} folded 1 for a piece that is folded or too flat.
 * @property {boolean} invertible whether no piece is folded.
 * @property {number} tolerance of a point that is mapped back, in the source frame.
 */

/** @type {WeakMap<Warp, Analysis>} */
const analyses = new WeakMap();

/**
 * @param {Warp} warp
 * @returns {Analysis}
 */
export function analyze(warp) {
  const cached = analyses.get(warp);
  if (cached) return cached;
  const { rows, columns, axes, grid } = warp;
  const count = rows * columns;
  const tolerance = toleranceOf(grid);
  const terms = new Float64Array(8 * count);
  const bounds = new Float64Array(4 * count);
  const folded = new Uint8Array(count);
  for (let piece = 0; piece < count; piece++) {
    const [row, column] = [Math.floor(piece / columns), piece % columns];
    for (const axis of [0, 1]) {
      const above = nodeOffset(warp, row, column) + axis;
      const below = nodeOffset(warp, row + 1, column) + axis;
      const [p00, p10, p01, p11] = [grid[above], grid[above + 2], grid[below], grid[below + 2]];
      terms.set([p00, p10 - p00, p01 - p00, p11 - p01 - (p10 - p00)], 8 * piece + 4 * axis);
      bounds[4 * piece + axis] = Math.min(p00, p10, p01, p11) - tolerance;
      bounds[4 * piece + axis + 2] = Math.max(p00, p10, p01, p11) + tolerance;
    }
    // The determinant is affine in (u, v): its minimum is at a corner.
    const corner = (/** @type {number} */ u, /** @type {number} */ v) =>
      determinant(terms, 8 * piece, u, v);
    const minimum = Math.min(corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
    // Two mirrored axes have a positive determinant, but no increasing axis to search.
    const decreasing =
      axes !== null && (axes.x[column + 1] <= axes.x[column] || axes.y[row + 1] <= axes.y[row]);
    if (decreasing || minimum * (count / 4) <= MIN_DETERMINANT) folded[piece] = 1;
  }
  const analysis = { terms, bounds, folded, invertible: !folded.includes(1), tolerance };
  analyses.set(warp, analysis);
  return analysis;
}

/**
 * The largest error of a point mapped there and back that is explained by rounding.
 *
 * @param {Float64Array} coordinates
 */
export function toleranceOf(coordinates) {
  const magnitude = coordinates.reduce((maximum, value) => Math.max(maximum, Math.abs(value)), 1);
  return 16 * Number.EPSILON * magnitude;
}

/**
 * One coordinate of the warp at (u, v) of a piece.
 *
 * @param {Float64Array} terms
 * @param {number} k 8 * piece for x, 8 * piece + 4 for y.
 * @param {number} u
 * @param {number} v
 */
export function evaluate(terms, k, u, v) {
  return terms[k] + u * terms[k + 1] + v * (terms[k + 2] + u * terms[k + 3]);
}

/**
 * The determinant of the Jacobian by (u, v): the signed area of the source per unit of (u, v).
 *
 * @param {Float64Array} terms
 * @param {number} k 8 * piece.
 * @param {number} u
 * @param {number} v
 */
export function determinant(terms, k, u, v) {
  const ux = terms[k + 1] + v * terms[k + 3];
  const vx = terms[k + 2] + u * terms[k + 3];
  const uy = terms[k + 5] + v * terms[k + 7];
  const vy = terms[k + 6] + u * terms[k + 7];
  return ux * vy - uy * vx;
}

/**
 * The folded pieces, [row, column] each: where the determinant is not positive everywhere.
 *
 * @param {Warp} warp
 * @returns {[number, number][]}
 */
export function folds(warp) {
  const { folded } = analyze(warp);
  const pieces = Array.from(folded, (_, piece) => piece).filter((piece) => folded[piece]);
  return pieces.map((piece) => [Math.floor(piece / warp.columns), piece % warp.columns]);
}

/**
 * The interval of `count` that contains a coordinate; the first or last one for those outside.
 *
 * @param {number} coordinate
 * @param {number} count
 */
export const intervalOf = (coordinate, count) =>
  clamp(Math.floor(((coordinate + 1) * count) / 2), 0, count - 1);

/**
 * The position of a coordinate in an interval, 0 at its start and 1 at its end.
 *
 * @param {number} interval
 * @param {number} coordinate
 * @param {number} count
 */
export const positionIn = (interval, coordinate, count) =>
  ((coordinate + 1) * count) / 2 - interval;

/**
 * The piece that contains a point of the zoomed frame, as k = 8 * piece, and (u, v) in it.
 *
 * @param {Warp} warp
 * @param {number} x
 * @param {number} y
 */
export function locate({ rows, columns }, x, y) {
  const [row, column] = [intervalOf(y, rows), intervalOf(x, columns)];
  const k = 8 * (row * columns + column);
  return { k, u: positionIn(column, x, columns), v: positionIn(row, y, rows) };
}

/**
 * For each pixel of an axis the interval that contains its centre, and the position in it.
 *
 * @param {number} pixels
 * @param {number} count
 */
export function locatePixels(pixels, count) {
  const interval = new Int32Array(pixels);
  const position = new Float64Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const coordinate = cellCentre(pixel, pixels);
    interval[pixel] = intervalOf(coordinate, count);
    position[pixel] = positionIn(interval[pixel], coordinate, count);
  }
  return { interval, position };
}

/**
 * The source coordinates of the centres of `pixels` columns or rows of a zoomed picture.
 *
 * @param {Float64Array} axis the coordinates of its nodes.
 * @param {number} pixels
 */
export function sampleAxis(axis, pixels) {
  const { interval, position } = locatePixels(pixels, axis.length - 1);
  return position.map((part, index) => {
    const [before, after] = [axis[interval[index]], axis[interval[index] + 1]];
    return before + part * (after - before);
  });
}

/**
 * Map a point of the zoomed frame to the source frame; null outside the frame.
 *
 * @param {Warp} warp
 * @param {number} x
 * @param {number} y
 * @returns {?Point}
 */
export function toSource(warp, x, y) {
  const edge = 1 + 16 * Number.EPSILON;
  if (!(Math.abs(x) <= edge && Math.abs(y) <= edge)) return null;
  const { terms } = analyze(warp);
  const { k, u, v } = locate(warp, clamp(x, -1, 1), clamp(y, -1, 1));
  return [evaluate(terms, k, u, v), evaluate(terms, k + 4, u, v)];
}

/**
 * The source point of each pixel of a zoomed picture: a dense map.
 *
 * @param {Warp} warp
 * @param {number} rows
 * @param {number} columns
 */
export function sourceMap(warp, rows, columns) {
  const { terms } = analyze(warp);
  const down = locatePixels(rows, warp.rows);
  const across = locatePixels(columns, warp.columns);
  const map = new Float64Array(rows * columns * 2);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const k = 8 * (down.interval[row] * warp.columns + across.interval[column]);
      map[to++] = evaluate(terms, k, across.position[column], down.position[row]);
      map[to++] = evaluate(terms, k + 4, across.position[column], down.position[row]);
    }
  }
  return map;
}
