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
 * One of the count + 1 edges of `count` equal intervals on [-1, 1]; both ends are exact.
 *
 * @param {number} index
 * @param {number} count
 */
export const intervalEdge = (index, count) => (2 * index - count) / count;
