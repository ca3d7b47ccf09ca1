/**
 * The inverse of a warp, from the source frame to the zoomed frame, as in the Python module
 * `inverse`.
 *
 * A folded piece has no inverse. Python rejects a warp that has one; here such pieces are left out,
 * so that a user who folds the grid sees a hole there.
 *
 * @import { Point, Warp } from "./types.d.ts"
 * @import { Analysis } from "./warp.js"
 */
import { cellCentre, clamp } from "./numbers.js";
import { analyze, determinant, evaluate, intervalOf, locate, toleranceOf } from "./warp.js";

/** A residual above this is not a rounding error: the point lies in another piece. */
const MAX_REFINED = 1e-4;

/**
 * Invert an increasing piecewise linear function of one axis; NaN where it does not take the value.
 *
 * @param {Float64Array} axis the coordinates of its nodes.
 * @param {number} value
 */
function invertAxis(axis, value) {
  const count = axis.length - 1;
  const tolerance = toleranceOf(axis);
  if (!(value >= axis[0] - tolerance && value <= axis[count] + tolerance)) return NaN;
  let [low, high] = [0, count];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (value >= axis[middle]) low = middle;
    else high = middle;
  }
  const local = (value - axis[low]) / (axis[low + 1] - axis[low]);
  return (low + clamp(local, 0, 1)) * (2 / count) - 1;
}

/**
 * The inverse of an axis at the centres of `count` pixels.
 *
 * @param {Float64Array} axis the coordinates of its nodes.
 * @param {number} count
 */
export const invertPixels = (axis, count) =>
  new Float64Array(count).map((_, index) => invertAxis(axis, cellCentre(index, count)));

/**
 * Invert one bilinear piece in closed form.
 *
 * @param {Float64Array} terms
 * @param {number} k 8 * piece.
 * @param {number} x
 * @param {number} y
 * @param {number} tolerance
 * @param {Float64Array} uv where (u, v), in [0, 1], is written.
 * @returns {boolean} whether (u, v) is mapped to the point, within the tolerance.
 */
function invertPiece(terms, k, x, y, tolerance, uv) {
  const bx = terms[k + 1];
  const cx = terms[k + 2];
  const dx = terms[k + 3];
  const by = terms[k + 5];
  const cy = terms[k + 6];
  const dy = terms[k + 7];
  const qx = x - terms[k];
  const qy = y - terms[k + 4];
  const quadratic = dx * cy - dy * cx;
  const linear = bx * cy - by * cx + (qx * dy - qy * dx);
  const constant = qx * by - qy * bx;
  const root = Math.sqrt(Math.max(linear * linear - 4 * quadratic * constant, 0));
  // Of the two forms of the same root, the one that does not subtract nearly equal numbers.
  let v = linear >= 0 ? (-2 * constant) / (linear + root) : (root - linear) / (2 * quadratic);
  v = Number.isNaN(v) ? 0.5 : clamp(v, 0, 1);
  const sideX = bx + v * dx;
  const sideY = by + v * dy;
  const along = (qx - v * cx) * sideX + (qy - v * cy) * sideY;
  let u = clamp(along / (sideX * sideX + sideY * sideY), 0, 1);
  let residualX = x - evaluate(terms, k, u, v);
  let residualY = y - evaluate(terms, k + 4, u, v);
  const residual = Math.max(Math.abs(residualX), Math.abs(residualY));
  if (residual > tolerance && residual < MAX_REFINED) {
    // One Newton step corrects for cancellation.
    const unit = determinant(terms, k, u, v);
    const step = (residualX * (cy + u * dy) - residualY * (cx + u * dx)) / unit;
    v = clamp(v + (sideX * residualY - sideY * residualX) / unit, 0, 1);
    u = clamp(u + step, 0, 1);
    residualX = x - evaluate(terms, k, u, v);
    residualY = y - evaluate(terms, k + 4, u, v);
  }
  uv[0] = u;
  uv[1] = v;
  return Math.abs(residualX) <= tolerance && Math.abs(residualY) <= tolerance;
}

/** @type {WeakMap<Warp, number[][]>} */
const binCache = new WeakMap();

/**
 * The pieces by location in the source: a list for each of rows x columns bins.
 *
 * @param {Warp} warp
 * @param {Analysis} analysis
 */
function binPieces(warp, { bounds, folded }) {
  const cached = binCache.get(warp);
  if (cached) return cached;
  const { rows, columns } = warp;
  /** @type {number[][]} */
  const bins = Array.from({ length: rows * columns }, () => []);
  for (let piece = 0; piece < rows * columns; piece++) {
    if (folded[piece]) continue;
    const [left, top, right, bottom] = bounds.subarray(4 * piece, 4 * piece + 4);
    for (let row = intervalOf(top, rows); row <= intervalOf(bottom, rows); row++) {
      for (let column = intervalOf(left, columns); column <= intervalOf(right, columns); column++) {
        bins[row * columns + column].push(piece);
      }
    }
  }
  binCache.set(warp, bins);
  return bins;
}

/**
 * Map a point of the source frame to the zoomed frame; null where no point is mapped to it.
 *
 * @param {Warp} warp
 * @param {number} x
 * @param {number} y
 * @returns {?Point}
 */
export function toZoomed(warp, x, y) {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return null;
  const analysis = analyze(warp);
  const { terms, bounds, tolerance, invertible } = analysis;
  const { rows, columns, axes } = warp;
  if (axes && invertible) {
    const [zoomedX, zoomedY] = [invertAxis(axes.x, x), invertAxis(axes.y, y)];
    return Number.isNaN(zoomedX + zoomedY) ? null : [zoomedX, zoomedY];
  }
  const bins = binPieces(warp, analysis);
  const uv = new Float64Array(2);
  for (const piece of bins[intervalOf(y, rows) * columns + intervalOf(x, columns)]) {
    const [left, top, right, bottom] = bounds.subarray(4 * piece, 4 * piece + 4);
    if (x < left || x > right || y < top || y > bottom) continue;
    if (invertPiece(terms, 8 * piece, x, y, tolerance, uv)) {
      return [
        ((piece % columns) + uv[0]) * (2 / columns) - 1,
        (Math.floor(piece / columns) + uv[1]) * (2 / rows) - 1,
      ];
    }
  }
  return null;
}

/**
 * The zoomed point of each pixel of the source: a dense map, NaN where there is none.
 *
 * @param {Warp} warp
 * @param {number} rows
 * @param {number} columns
 */
export function zoomedMap(warp, rows, columns) {
  const { terms, bounds, folded, invertible, tolerance } = analyze(warp);
  const map = new Float64Array(rows * columns * 2).fill(NaN);
  if (warp.axes && invertible) {
    const x = invertPixels(warp.axes.x, columns);
    const y = invertPixels(warp.axes.y, rows);
    for (let row = 0, to = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, to += 2) {
        if (Number.isNaN(x[column] + y[row])) continue;
        map[to] = x[column];
        map[to + 1] = y[row];
      }
    }
    return map;
  }
  // Rasterise the pieces: each fills the pixels of its bounding box that are still empty.
  const centres = new Float64Array(columns).map((_, column) => cellCentre(column, columns));
  const uv = new Float64Array(2);
  for (let piece = 0; piece < warp.rows * warp.columns; piece++) {
    if (folded[piece]) continue;
    const left = Math.max(Math.ceil(((bounds[4 * piece] + 1) * columns - 1) / 2), 0);
    const top = Math.max(Math.ceil(((bounds[4 * piece + 1] + 1) * rows - 1) / 2), 0);
    const right = Math.min(((bounds[4 * piece + 2] + 1) * columns - 1) / 2, columns - 1);
    const bottom = Math.min(((bounds[4 * piece + 3] + 1) * rows - 1) / 2, rows - 1);
    for (let row = top; row <= bottom; row++) {
      const y = cellCentre(row, rows);
      for (let column = left; column <= right; column++) {
        const to = 2 * (row * columns + column);
        if (!Number.isNaN(map[to])) continue;
        if (!invertPiece(terms, 8 * piece, centres[column], y, tolerance, uv)) continue;
        map[to] = ((piece % warp.columns) + uv[0]) * (2 / warp.columns) - 1;
        map[to + 1] = (Math.floor(piece / warp.columns) + uv[1]) * (2 / warp.rows) - 1;
      }
    }
  }
  return map;
}

/**
 * The linear magnification of each pixel of the source; NaN where there is no inverse.
 *
 * @param {Warp} warp
 * @param {number} rows
 * @param {number} columns
 */
export function magnification(warp, rows, columns) {
  const { terms } = analyze(warp);
  const map = zoomedMap(warp, rows, columns);
  return new Float64Array(rows * columns).map((_, pixel) => {
    const [x, y] = [map[2 * pixel], map[2 * pixel + 1]];
    if (Number.isNaN(x)) return NaN;
    const { k, u, v } = locate(warp, x, y);
    return 1 / Math.sqrt((determinant(terms, k, u, v) * warp.rows * warp.columns) / 4);
  });
}
