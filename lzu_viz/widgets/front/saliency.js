/**
 * Saliency maps: the mathematics of the Python module `saliency`, in float64. A test compares the
 * two.
 *
 * The cells of a map are a Float64Array of rows * columns, row by row.
 *
 * @import { Edges, Size } from "./types.d.ts"
 * @typedef {{x: number, y: number, varianceX: number, varianceY: number, weight: number}} Gaussian
 * @typedef {{x: number, y: number, width: number | [number, number], weight?: number}} Fovea
 */
import { cellCentre, sum } from "./numbers.js";

/** Lower bound of a cell, as a fraction of its value in the uniform map. */
const FLOOR = 1e-5;

/**
 * Sum Gaussians, each of mass `weight` and integrated over the cells.
 *
 * @param {number} rows
 * @param {number} columns
 * @param {Gaussian[]} gaussians variances are in units of [-1, 1], squared.
 */
export function sumGaussians(rows, columns, gaussians) {
  const cells = new Float64Array(rows * columns);
  for (const { x, y, varianceX, varianceY, weight } of gaussians) {
    const across = profile(columns, x, varianceX);
    const down = profile(rows, y, varianceY);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        cells[row * columns + column] += weight * down[row] * across[column];
      }
    }
  }
  return cells;
}

/**
 * A Gaussian over the cells of an axis, of mass 1 even where its centre is outside the frame.
 *
 * @param {number} count of cells.
 * @param {number} mean
 * @param {number} variance the variance of a cell is added to it.
 */
function profile(count, mean, variance) {
  const widened = variance + (2 / count) ** 2 / 12;
  const exponent = new Float64Array(count).map(
    (_, cell) => -((cellCentre(cell, count) - mean) ** 2) / (2 * widened),
  );
  const maximum = Math.max(...exponent);
  const density = exponent.map((value) => Math.exp(value - maximum));
  const total = sum(density);
  return density.map((value) => value / total);
}

/**
 * Add the lower bound to a map and scale it to sum to 1.
 *
 * @param {Float64Array} cells
 */
export function normalise(cells) {
  const total = sum(cells);
  return cells.map((cell) => (cell / total + FLOOR / cells.length) / (1 + FLOOR));
}

/**
 * The weighted mean of maps of one size.
 *
 * @param {Float64Array[]} maps
 * @param {number[]} [weights]
 */
export function mix(maps, weights = maps.map(() => 1)) {
  const mixed = new Float64Array(maps[0].length);
  maps.forEach((map, index) => {
    const scale = weights[index] / sum(map);
    for (let cell = 0; cell < mixed.length; cell++) mixed[cell] += scale * map[cell];
  });
  return normalise(mixed);
}

/** @param {Size} size */
export const uniform = ({ rows, columns }) =>
  new Float64Array(rows * columns).fill(1 / (rows * columns));

/**
 * Gaussians of mass `strength` on a uniform map of mass 1 - strength.
 *
 * The map is uniform if no fovea has a positive weight.
 *
 * @param {Size} size of the map.
 * @param {Fovea[]} foveas `width` is the standard deviation as a fraction of the frame's side, one
 *     number or [rows, columns].
 * @param {number} strength in 0..1.
 */
export function fromFoveas(size, foveas, strength) {
  const gaussians = foveas.map(({ x, y, width, weight = 1 }) => {
    const [rows, columns] = Array.isArray(width) ? width : [width, width];
    // A fraction of the side is twice as long in coordinates that run from -1 to 1.
    return { x, y, varianceX: (2 * columns) ** 2, varianceY: (2 * rows) ** 2, weight };
  });
  if (!gaussians.some(({ weight }) => weight > 0)) return uniform(size);
  const salient = normalise(sumGaussians(size.rows, size.columns, gaussians));
  return mix([uniform(size), salient], [1 - strength, strength]);
}

/**
 * One Gaussian a box; its standard deviation is `relativeSigma` times the side of the box.
 *
 * @param {Size} size of the map.
 * @param {Edges[]} boxes
 * @param {number} amplitude mass of each Gaussian relative to the uniform map.
 * @param {number} relativeSigma
 */
export function fromBoxes(size, boxes, amplitude, relativeSigma) {
  return fromBoxGaussians(size, boxes, amplitude, (side) => (relativeSigma * side) ** 2);
}

/**
 * One Gaussian a box, as in FOVEA: its variance is `bandwidth` times the side of the box, in pixels.
 *
 * @param {Size} size of the map.
 * @param {Edges[]} boxes
 * @param {number} amplitude mass of each Gaussian relative to the uniform map.
 * @param {number} bandwidth
 * @param {[number, number]} frame [height, width] of the image in pixels.
 */
export function fromBoxesInPixels(size, boxes, amplitude, bandwidth, frame) {
  const [height, width] = frame;
  return fromBoxGaussians(size, boxes, amplitude, (side, axis) =>
    axis === "x" ? (bandwidth * side * 2) / width : (bandwidth * side * 2) / height,
  );
}

/**
 * @param {Size} size
 * @param {Edges[]} boxes
 * @param {number} amplitude
 * @param {(side: number, axis: "x" | "y") => number} variance
 */
function fromBoxGaussians(size, boxes, amplitude, variance) {
  const gaussians = boxes.map(([left, top, right, bottom]) => ({
    x: (left + right) / 2,
    y: (top + bottom) / 2,
    varianceX: variance(right - left, "x"),
    varianceY: variance(bottom - top, "y"),
    weight: amplitude,
  }));
  const even = 1 / (size.rows * size.columns);
  return normalise(sumGaussians(size.rows, size.columns, gaussians).map((cell) => cell + even));
}
