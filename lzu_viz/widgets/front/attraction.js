/**
 * The attraction: from a saliency map to the nodes of a warp, as in the Python module `attraction`.
 *
 * @import { Axes, SaliencyMap, Warp } from "./types.d.ts"
 * @typedef {{weight: Float64Array, moment: Float64Array}} Kernel
 */
import { cellCentre, clamp, intervalEdge } from "./numbers.js";
import { warpFromAxes, warpFromGrid } from "./warp.js";

const CACHE_SIZE = 8;

/**
 * While a fovea moves, the kernels stay the same.
 *
 * @type {Map<string, Kernel>}
 */
const kernelCache = new Map();

/**
 * The warp of a saliency map.
 *
 * @param {SaliencyMap} map positive.
 * @param {object} options
 * @param {number} options.rows of pieces.
 * @param {number} options.columns of pieces.
 * @param {[number, number]} options.fwhm full width at half maximum of the kernel, [rows, columns],
 *     as fractions of the side.
 * @param {boolean} options.separable whether each axis is warped independently.
 * @param {boolean} options.antiCrop whether the saliency is reflected at the edges of the frame, so
 *     that they are mapped to themselves.
 * @returns {Warp}
 */
export function makeWarp(map, { rows, columns, fwhm, separable, antiCrop }) {
  if (separable) {
    const { x, y } = attractAxes(map, { rows, columns, fwhm, antiCrop });
    return warpFromAxes(x, y);
  }
  const down = makeKernel(rows, map.rows, fwhm[0], antiCrop);
  const across = makeKernel(columns, map.columns, fwhm[1], antiCrop);
  const moved = (/** @type {number} */ coordinate, /** @type {number} */ shift) =>
    move(coordinate, shift, antiCrop);
  const columnWeight = matmulTransposed(across.weight, map.cells, map.columns);
  const columnMoment = matmulTransposed(across.moment, map.cells, map.columns);
  const total = matmulTransposed(down.weight, columnWeight, map.rows);
  const pullX = matmulTransposed(down.weight, columnMoment, map.rows);
  const pullY = matmulTransposed(down.moment, columnWeight, map.rows);
  const grid = new Float64Array(2 * total.length);
  for (let index = 0; index < total.length; index++) {
    const [row, column] = [Math.floor(index / (columns + 1)), index % (columns + 1)];
    grid[2 * index] = moved(intervalEdge(column, columns), pullX[index] / total[index]);
    grid[2 * index + 1] = moved(intervalEdge(row, rows), pullY[index] / total[index]);
  }
  return warpFromGrid(rows, columns, grid);
}

/**
 * The nodes of a separable warp on each axis.
 *
 * @param {SaliencyMap} map
 * @param {{rows: number, columns: number, fwhm: [number, number], antiCrop: boolean}} options as of
 *     `makeWarp`.
 * @returns {Axes}
 */
export function attractAxes(map, { rows, columns, fwhm, antiCrop }) {
  const columnSums = new Float64Array(map.columns);
  const rowSums = new Float64Array(map.rows);
  map.cells.forEach((cell, index) => {
    columnSums[index % map.columns] += cell;
    rowSums[Math.floor(index / map.columns)] += cell;
  });
  /**
   * @param {Float64Array} marginal
   * @param {number} count
   * @param {number} width of the kernel.
   */
  const attractAxis = (marginal, count, width) => {
    const { weight, moment } = makeKernel(count, marginal.length, width, antiCrop);
    const total = matmulTransposed(weight, marginal, marginal.length);
    const pull = matmulTransposed(moment, marginal, marginal.length);
    return total.map((mass, index) =>
      move(intervalEdge(index, count), pull[index] / mass, antiCrop),
    );
  };
  return { x: attractAxis(columnSums, columns, fwhm[1]), y: attractAxis(rowSums, rows, fwhm[0]) };
}

/**
 * A coordinate and its attraction; with anti-crop, edges are exact after rounding.
 *
 * @param {number} coordinate
 * @param {number} shift
 * @param {boolean} antiCrop
 */
function move(coordinate, shift, antiCrop) {
  if (!antiCrop) return coordinate + shift;
  return Math.abs(coordinate) === 1 ? coordinate : clamp(coordinate + shift, -1, 1);
}

/**
 * The kernel for each node of an axis (row) and each cell (column), and the kernel times the
 * distance from the node to the cell. Reflections or repetitions of a cell beyond the frame are
 * added to it.
 *
 * @param {number} count of intervals between nodes.
 * @param {number} cells
 * @param {number} fwhm
 * @param {boolean} antiCrop
 * @returns {Kernel}
 */
function makeKernel(count, cells, fwhm, antiCrop) {
  const key = [count, cells, fwhm, antiCrop].join();
  const cached = kernelCache.get(key);
  if (cached) return cached;
  // Beyond this, even a cell 1e12 times as salient as another contributes less than rounding.
  const reach = fwhm * Math.sqrt((Math.log(1e12) - Math.log(Number.EPSILON)) / (4 * Math.LN2));
  const beyond = Math.ceil(Math.max(1, reach) * cells);
  const weight = new Float64Array((count + 1) * cells);
  const moment = new Float64Array((count + 1) * cells);
  for (let index = 0; index <= count; index++) {
    const coordinate = intervalEdge(index, count);
    const exponent = (/** @type {number} */ distance) =>
      -4 * Math.LN2 * (distance / (2 * fwhm)) ** 2;
    // A common factor cancels; this one keeps a narrow kernel from underflowing at every cell.
    const nearestCell = Math.floor(((coordinate + 1) / 2) * cells);
    const nearest = exponent(cellCentre(nearestCell, cells) - coordinate);
    for (let position = -beyond; position < cells + beyond; position++) {
      const distance = cellCentre(position, cells) - coordinate;
      const value = Math.exp(exponent(distance) - nearest);
      const cell = antiCrop ? reflect(position, cells) : clamp(position, 0, cells - 1);
      weight[index * cells + cell] += value;
      moment[index * cells + cell] += value * distance;
    }
  }
  if (kernelCache.size >= CACHE_SIZE) kernelCache.clear();
  kernelCache.set(key, { weight, moment });
  return { weight, moment };
}

/**
 * The cell whose reflection at the edges of the frame lies at `position`; the edge cell repeats.
 *
 * @param {number} position
 * @param {number} cells
 */
function reflect(position, cells) {
  const along = ((position % (2 * cells)) + 2 * cells) % (2 * cells);
  return Math.min(along, 2 * cells - 1 - along);
}

/**
 * Matrix product `left @ right.T`, both row by row with `inner` columns.
 *
 * @param {Float64Array} left
 * @param {Float64Array} right
 * @param {number} inner
 */
function matmulTransposed(left, right, inner) {
  const [rows, columns] = [left.length / inner, right.length / inner];
  const product = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let total = 0;
      for (let k = 0; k < inner; k++) total += left[row * inner + k] * right[column * inner + k];
      product[row * columns + column] = total;
    }
  }
  return product;
}
