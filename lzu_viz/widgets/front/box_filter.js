/**
 * The antialiased zoom by a separable warp: each pixel is the exact mean of the source over the
 * rectangle that it is mapped to.
 *
 * The mean is separable too: a matrix of weights for each axis, of which a row has few entries.
 *
 * @import { Axes, Bytes, Level } from "./types.d.ts"
 *
 * @typedef {object} Weights sparse rows: those of output pixel i are `values[start[i]]` up to
 *     `values[start[i + 1] - 1]`, for the source pixels from `first[i]` on.
 * @property {Int32Array} first
 * @property {Int32Array} start
 * @property {Float64Array} values
 */
import { clamp, intervalEdge } from "./numbers.js";
import { intervalOf, positionIn } from "./warp.js";

/** Edges this close to a pixel's edge, relative to the number of pixels, are moved to it. */
const SNAP = 4 * 2 ** -23;

/**
 * Where the edges of `count` output pixels are mapped to, in source pixels.
 *
 * @param {Float64Array} nodes of the axis.
 * @param {number} count
 * @param {number} pixels of the source.
 */
function pixelEdges(nodes, count, pixels) {
  const pieces = nodes.length - 1;
  return new Float64Array(count + 1).map((_, index) => {
    const coordinate = intervalEdge(index, count);
    const piece = intervalOf(coordinate, pieces);
    const position = positionIn(piece, coordinate, pieces);
    // In this form both ends of a piece are exact.
    const mapped = (1 - position) * nodes[piece] + position * nodes[piece + 1];
    const edge = ((mapped + 1) / 2) * pixels;
    const nearest = Math.round(edge);
    return Math.abs(edge - nearest) <= SNAP * pixels ? nearest : edge;
  });
}

/**
 * The weights of the source pixels in each output pixel of an axis; they sum to 1.
 *
 * An interval shorter than a source pixel is widened to one about its centre: over constant pixels
 * that is linear interpolation. Beyond the frame the border pixel repeats.
 *
 * @param {Float64Array} nodes of the axis.
 * @param {number} count of output pixels.
 * @param {number} pixels of the source.
 * @returns {Weights}
 */
export function boxWeights(nodes, count, pixels) {
  const edges = pixelEdges(nodes, count, pixels);
  const first = new Int32Array(count);
  const start = new Int32Array(count + 1);
  /** @type {number[]} */
  const values = [];
  for (let index = 0; index < count; index++) {
    const centre = (edges[index] + edges[index + 1]) / 2;
    const length = Math.max(Math.abs(edges[index + 1] - edges[index]), 1);
    const [low, high] = [centre - length / 2, centre + length / 2];
    first[index] = clamp(Math.floor(low), 0, pixels - 1);
    const last = clamp(Math.ceil(high) - 1, first[index], pixels - 1);
    for (let pixel = first[index]; pixel <= last; pixel++) {
      const left = pixel === 0 ? -Infinity : pixel;
      const right = pixel === pixels - 1 ? Infinity : pixel + 1;
      values.push(Math.max(0, Math.min(high, right) - Math.max(low, left)) / length);
    }
    start[index + 1] = values.length;
  }
  return { first, start, values: Float64Array.from(values) };
}

/**
 * Zoom a picture: first along the rows of the source, then along its columns.
 *
 * @param {Level} level the picture.
 * @param {Axes} axes of the warp.
 * @param {number} rows of the zoomed picture.
 * @param {number} columns of the zoomed picture.
 * @param {Bytes} out RGBA, rows * columns * 4.
 */
export function zoomByAreas({ width, height, data }, axes, rows, columns, out) {
  const down = boxWeights(axes.y, rows, height);
  const across = boxWeights(axes.x, columns, width);
  const line = new Float32Array(3 * width);
  for (let row = 0; row < rows; row++) {
    weightRows(line, data, down, row);
    const { first, start, values } = across;
    for (let column = 0, to = 4 * row * columns; column < columns; column++, to += 4) {
      let [red, green, blue] = [0, 0, 0];
      let from = 3 * first[column];
      for (let k = start[column]; k < start[column + 1]; k++, from += 3) {
        const weight = values[k];
        red += weight * line[from];
        green += weight * line[from + 1];
        blue += weight * line[from + 2];
      }
      out[to] = red;
      out[to + 1] = green;
      out[to + 2] = blue;
      out[to + 3] = 255;
    }
  }
  return out;
}

/**
 * Write the weighted sum of the source rows in one output row.
 *
 * @param {Float32Array} line
 * @param {Float32Array} data
 * @param {Weights} weights
 * @param {number} row
 */
function weightRows(line, data, { first, start, values }, row) {
  const size = line.length;
  let from = first[row] * size;
  line.fill(0);
  for (let k = start[row]; k < start[row + 1]; k++, from += size) {
    const weight = values[k];
    for (let index = 0; index < size; index++) line[index] += weight * data[from + index];
  }
}
