/**
 * Frames on a canvas. A place is (x, y) in [-1, 1] over a frame.
 *
 * @import { BoxState, Edges, Frame, Point } from "./types.d.ts"
 * @typedef {{width: number, height: number}} Extent
 */

/**
 * The whole canvas, where the source frame is drawn.
 *
 * @param {Extent} canvas
 * @returns {Frame}
 */
export const wholeFrame = ({ width, height }) => ({ left: 0, top: 0, width, height });

/**
 * The largest square in the middle of a canvas, where the zoomed frame is drawn.
 *
 * @param {Extent} canvas
 * @returns {Frame}
 */
export function squareFrame({ width, height }) {
  const side = Math.min(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side };
}

/**
 * From a place to canvas pixels.
 *
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {Point}
 */
export const toCanvas = (frame, x, y) => [
  frame.left + ((x + 1) / 2) * frame.width,
  frame.top + ((y + 1) / 2) * frame.height,
];

/**
 * From canvas pixels to a place; beyond [-1, 1] outside the frame.
 *
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {Point}
 */
export const fromCanvas = (frame, x, y) => [
  ((x - frame.left) / frame.width) * 2 - 1,
  ((y - frame.top) / frame.height) * 2 - 1,
];

/**
 * The edges of a box of the state, which holds its centre, and its sides in percent of the frame.
 *
 * @param {BoxState} box
 * @returns {Edges}
 */
export function boxEdges({ x, y, width, height }) {
  return [x - width / 100, y - height / 100, x + width / 100, y + height / 100];
}
