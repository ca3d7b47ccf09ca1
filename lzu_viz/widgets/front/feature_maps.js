/**
 * Feature maps and outputs of a network, and how they are unzoomed, as by `Warp.unzoom` in Python.
 *
 * @import { FeatureMap, Size, Warp } from "./types.d.ts"
 *
 * @typedef {object} Taps bilinear samples of a map: four cells and weights for each point.
 * @property {Int32Array} cells
 * @property {Float32Array} weights all 0 where a point has no location in the map.
 */
import { invertPixels, zoomedMap } from "./inverse.js";
import { cellPosition } from "./numbers.js";
import { analyze } from "./warp.js";

/**
 * Unzoom a map of one channel; 0 where the warp does not reach.
 *
 * @param {Size & {data: Float32Array}} map
 * @param {Warp} warp
 * @param {Size} size of the result.
 */
export function unzoomChannel({ rows, columns, data }, warp, size) {
  const values = new Float32Array(size.rows * size.columns);
  if (!warp.axes || !analyze(warp).invertible) {
    const taps = bilinearTaps({ rows, columns }, zoomedMap(warp, size.rows, size.columns));
    return values.map((_, point) => sampleAt(data, 0, taps, point));
  }
  // Of a separable warp, each row and each column is located once.
  const across = axisTaps(invertPixels(warp.axes.x, size.columns), columns);
  const down = axisTaps(invertPixels(warp.axes.y, size.rows), rows);
  for (let row = 0, to = 0; row < size.rows; row++) {
    const v = down.weight[row];
    if (Number.isNaN(v)) {
      to += size.columns;
      continue;
    }
    const above = down.before[row] * columns;
    const below = down.after[row] * columns;
    for (let column = 0; column < size.columns; column++, to++) {
      const u = across.weight[column];
      if (Number.isNaN(u)) continue;
      const [left, right] = [across.before[column], across.after[column]];
      const top = data[above + left] + u * (data[above + right] - data[above + left]);
      const bottom = data[below + left] + u * (data[below + right] - data[below + left]);
      values[to] = top + v * (bottom - top);
    }
  }
  return values;
}

/**
 * For each coordinate of an axis the cells before and after it, and the weight of the latter; NaN
 * where there is no coordinate.
 *
 * @param {Float64Array} coordinates
 * @param {number} count of cells.
 */
function axisTaps(coordinates, count) {
  const before = new Int32Array(coordinates.length);
  const after = new Int32Array(coordinates.length);
  const weight = new Float32Array(coordinates.length);
  for (let index = 0; index < coordinates.length; index++) {
    const along = cellPosition(coordinates[index], count);
    before[index] = Math.floor(along);
    after[index] = Math.min(before[index] + 1, count - 1);
    weight[index] = along - before[index];
  }
  return { before, after, weight };
}

/**
 * How a map is sampled bilinearly at points; beyond the outermost centres, the border repeats.
 *
 * @param {Size} size of the map.
 * @param {Float64Array} points (x, y) in [-1, 1] for each, NaN where there is none.
 * @returns {Taps}
 */
export function bilinearTaps({ rows, columns }, points) {
  const count = points.length / 2;
  const cells = new Int32Array(4 * count);
  const weights = new Float32Array(4 * count);
  for (let point = 0, to = 0; point < count; point++, to += 4) {
    const x = points[2 * point];
    const y = points[2 * point + 1];
    if (Number.isNaN(x + y)) continue;
    const across = cellPosition(x, columns);
    const down = cellPosition(y, rows);
    const left = Math.floor(across);
    const top = Math.floor(down);
    const right = Math.min(left + 1, columns - 1);
    const bottom = Math.min(top + 1, rows - 1);
    const [u, v] = [across - left, down - top];
    cells[to] = top * columns + left;
    cells[to + 1] = top * columns + right;
    cells[to + 2] = bottom * columns + left;
    cells[to + 3] = bottom * columns + right;
    weights[to] = (1 - u) * (1 - v);
    weights[to + 1] = u * (1 - v);
    weights[to + 2] = (1 - u) * v;
    weights[to + 3] = u * v;
  }
  return { cells, weights };
}

/**
 * One channel of a map at one of the points.
 *
 * @param {Float32Array} data of the map.
 * @param {number} start of the channel in it.
 * @param {Taps} taps
 * @param {number} point
 */
export function sampleAt(data, start, { cells, weights }, point) {
  const k = 4 * point;
  return (
    weights[k] * data[start + cells[k]] +
    weights[k + 1] * data[start + cells[k + 1]] +
    weights[k + 2] * data[start + cells[k + 2]] +
    weights[k + 3] * data[start + cells[k + 3]]
  );
}

/**
 * The norm of the features of each cell.
 *
 * @param {FeatureMap} map
 */
export function norms({ channels, rows, columns, data }) {
  const count = rows * columns;
  const squares = new Float32Array(count);
  for (let channel = 0, from = 0; channel < channels; channel++)
    for (let cell = 0; cell < count; cell++, from++) squares[cell] += data[from] ** 2;
  return squares.map(Math.sqrt);
}

/**
 * The norm of the features at each point; 0 where there is none.
 *
 * @param {FeatureMap} map
 * @param {Taps} taps
 */
export function normsAt({ channels, rows, columns, data }, taps) {
  const squares = new Float32Array(taps.weights.length / 4);
  for (let channel = 0; channel < channels; channel++) {
    const start = channel * rows * columns;
    for (let point = 0; point < squares.length; point++)
      squares[point] += sampleAt(data, start, taps, point) ** 2;
  }
  return squares.map(Math.sqrt);
}
