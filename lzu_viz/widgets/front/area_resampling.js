/**
 * The antialiased zoom by a separable warp: each pixel is the exact mean of the source over the
 * rectangle that it is mapped to, as in the Python module `area_resampling`.
 *
 * Python multiplies by a sparse matrix for each axis. Here the sums over rectangles come from a
 * summed-area table (integral image), computed once for each picture: the time then depends on the
 * size of the zoomed picture alone, not on that of the source.
 *
 * @import { Axes, Pixels, Level } from "./types.d.ts"
 *
 * @typedef {object} Intervals of an axis of a zoomed picture, in source pixels.
 * @property {Int32Array} index of the pixel of the source that holds each end, and
 * @property {Float64Array} fraction where in it. An end that two intervals share is held once.
 * @property {Int32Array} low which of the ends begins the interval of each pixel, and
 * @property {Int32Array} high which ends it.
 * @property {Float64Array} scale 1 / length of the interval of each pixel.
 */
import { clamp, intervalEdge } from "./numbers.js";
import { intervalOf, positionIn } from "./warp.js";

/** Ends this close to an edge of a pixel, relative to the number of pixels, are moved to it. */
const SNAP = 4 * 2 ** -23;

/**
 * Where the edges of `count` output pixels are mapped to, in source pixels.
 *
 * @param {Float64Array} axis the coordinates of its nodes.
 * @param {number} count
 * @param {number} pixels of the source.
 */
function mapEdges(axis, count, pixels) {
  const pieces = axis.length - 1;
  return new Float64Array(count + 1).map((_, index) => {
    const coordinate = intervalEdge(index, count);
    const piece = intervalOf(coordinate, pieces);
    const position = positionIn(piece, coordinate, pieces);
    // In this form both ends of a piece are exact.
    const mapped = (1 - position) * axis[piece] + position * axis[piece + 1];
    const edge = ((mapped + 1) / 2) * pixels;
    const nearest = Math.round(edge);
    return Math.abs(edge - nearest) <= SNAP * pixels ? nearest : edge;
  });
}

/**
 * The interval of the source that each output pixel of an axis averages.
 *
 * An interval shorter than a source pixel is widened to one about its centre: over constant pixels
 * that is linear interpolation. Beyond the frame the border pixel repeats.
 *
 * @param {Float64Array} axis the coordinates of its nodes.
 * @param {number} count of output pixels.
 * @param {number} pixels of the source.
 * @returns {Intervals}
 */
function meanIntervals(axis, count, pixels) {
  const edges = mapEdges(axis, count, pixels);
  const [low, high] = [new Int32Array(count), new Int32Array(count)];
  const scale = new Float64Array(count);
  /** @type {number[]} */
  const ends = [];
  const add = (/** @type {number} */ end) => {
    if (ends[ends.length - 1] !== end) ends.push(end);
    return ends.length - 1;
  };
  for (let pixel = 0; pixel < count; pixel++) {
    const [start, end] = [edges[pixel], edges[pixel + 1]];
    const [before, after] = start < end ? [start, end] : [end, start];
    const missing = Math.max(1 - (after - before), 0) / 2;
    low[pixel] = add(before - missing);
    high[pixel] = add(after + missing);
    scale[pixel] = 1 / Math.max(after - before, 1);
  }
  // Outside the frame, a fraction beyond [0, 1] of the border pixel repeats it.
  const index = Int32Array.from(ends, (end) => clamp(Math.floor(end), 0, pixels - 1));
  const fraction = Float64Array.from(ends, (end, k) => end - index[k]);
  return { index, fraction, low, high, scale };
}

/**
 * @typedef {Uint32Array | Float64Array} Sums
 * @type {WeakMap<Level, Sums>}
 */
const sumsCache = new WeakMap();

/**
 * The summed-area table of a picture: RGB sums over all pixels above and left of each corner of a
 * pixel, (height + 1) * (width + 1), row by row.
 *
 * @param {Level} level with whole numbers in 0..255.
 */
function sumAreas(level) {
  const cached = sumsCache.get(level);
  if (cached) return cached;
  const { width, height, data } = level;
  const size = 3 * (width + 1) * (height + 1);
  const sums = 255 * width * height < 2 ** 32 ? new Uint32Array(size) : new Float64Array(size);
  const stride = 3 * (width + 1);
  for (let row = 0, from = 0; row < height; row++) {
    let [red, green, blue] = [0, 0, 0];
    let to = (row + 1) * stride + 3;
    for (let column = 0; column < width; column++, from += 3, to += 3) {
      red += data[from];
      green += data[from + 1];
      blue += data[from + 2];
      sums[to] = sums[to - stride] + red;
      sums[to + 1] = sums[to + 1 - stride] + green;
      sums[to + 2] = sums[to + 2 - stride] + blue;
    }
  }
  sumsCache.set(level, sums);
  return sums;
}

/**
 * Zoom a picture by a separable warp.
 *
 * @param {Level} level the picture, with whole numbers in 0..255.
 * @param {Axes} axes of the warp.
 * @param {number} rows of the zoomed picture.
 * @param {number} columns of the zoomed picture.
 * @param {Pixels} out RGBA, rows * columns * 4.
 */
export function zoomByAreas(level, axes, rows, columns, out) {
  const sums = sumAreas(level);
  const down = meanIntervals(axes.y, rows, level.height);
  const across = meanIntervals(axes.x, columns, level.width);
  // The sums above the upper and the lower end of a row of pixels, left of each end of a column.
  let above = new Float64Array(3 * across.index.length);
  let below = new Float64Array(3 * across.index.length);
  let computed = -1;
  const stride = 3 * (level.width + 1);
  for (let row = 0, to = 0; row < rows; row++) {
    if (down.low[row] === computed) [above, below] = [below, above];
    else interpolateSums(sums, stride, down, down.low[row], across, above);
    computed = down.high[row];
    interpolateSums(sums, stride, down, computed, across, below);
    for (let column = 0; column < columns; column++, to += 4) {
      const scale = down.scale[row] * across.scale[column];
      const left = 3 * across.low[column];
      const right = 3 * across.high[column];
      out[to] = scale * (below[right] - below[left] - (above[right] - above[left]));
      out[to + 1] =
        scale * (below[right + 1] - below[left + 1] - (above[right + 1] - above[left + 1]));
      out[to + 2] =
        scale * (below[right + 2] - below[left + 2] - (above[right + 2] - above[left + 2]));
      out[to + 3] = 255;
    }
  }
  return out;
}

/**
 * Interpolate the table, which is exact since a pixel is constant, at one y and all x.
 *
 * @param {Sums} sums
 * @param {number} stride of a row of the table.
 * @param {Intervals} down
 * @param {number} end which of the ends of `down`.
 * @param {Intervals} across
 * @param {Float64Array} out three sums for each end of `across`.
 */
function interpolateSums(sums, stride, down, end, { index, fraction }, out) {
  const v = down.fraction[end];
  const top = down.index[end] * stride;
  for (let k = 0, to = 0; k < index.length; k++, to += 3) {
    const u = fraction[k];
    const a = top + 3 * index[k];
    const b = a + stride;
    const wD = u * v;
    const wC = v - wD;
    const wB = u - wD;
    const wA = 1 - u - wC;
    out[to] = wA * sums[a] + wB * sums[a + 3] + wC * sums[b] + wD * sums[b + 3];
    out[to + 1] = wA * sums[a + 1] + wB * sums[a + 4] + wC * sums[b + 1] + wD * sums[b + 4];
    out[to + 2] = wA * sums[a + 2] + wB * sums[a + 5] + wC * sums[b + 2] + wD * sums[b + 5];
  }
}
