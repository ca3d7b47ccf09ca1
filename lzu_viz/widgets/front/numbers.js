/** Scalar helpers, and coordinates on [-1, 1]. */

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);

/**
 * @param {number} value
 * @param {number} digits after the decimal point.
 */
export const round = (value, digits) => Number(value.toFixed(digits));

/**
 * The nearest whole number; of two, the even one, as `round` in Python.
 *
 * @param {number} value
 */
export function roundHalfEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** @param {Float64Array} values */
export const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * The centre of one of `count` cells or pixels on [-1, 1].
 *
 * @param {number} index
 * @param {number} count
 */
export const cellCentre = (index, count) => (2 * index + 1) / count - 1;

/**
 * Where a coordinate lies among the centres of `count` cells of [-1, 1]: the inverse of
 * `cellCentre`. Beyond the outermost centres it stays there, as their values repeat.
 *
 * @param {number} coordinate
 * @param {number} count
 */
export const cellPosition = (coordinate, count) =>
  clamp(((coordinate + 1) * count - 1) / 2, 0, count - 1);

/**
 * One of the count + 1 edges of `count` equal intervals on [-1, 1]; both ends are exact.
 *
 * @param {number} index
 * @param {number} count
 */
export const intervalEdge = (index, count) => (2 * index - count) / count;
