/**
 * Zoomed and unzoomed pictures, as in the Python module `resampling`.
 *
 * @import { Axes, Bytes, Pixels, Level, Picture, Rgb, Size, Warp } from "./types.d.ts"
 */
import { zoomByAreas } from "./area_resampling.js";
import { invertPixels, zoomedMap } from "./inverse.js";
import { addSample, toLevel, writePixel } from "./mipmap.js";
import { cellPosition } from "./numbers.js";
import { analyze, determinant, evaluate, locatePixels, sampleAxis } from "./warp.js";

/** @type {Rgb} */
const BLACK = [0, 0, 0];

/** A weight of the coarser level below this is rounding only: that level is not sampled. */
const MIN_COARSE_WEIGHT = 1e-4;

/**
 * @param {number} rows
 * @param {number} columns
 * @returns {Bytes}
 */
const emptyPicture = (rows, columns) => new Uint8ClampedArray(rows * columns * 4);

/**
 * Zoom a picture: salient regions take up more of the pixels.
 *
 * @param {Level[]} levels the mipmap of a picture.
 * @param {Warp} warp
 * @param {number} rows of the zoomed picture.
 * @param {number} columns of the zoomed picture.
 * @param {boolean} antialias whether a pixel is a mean over the area that it is mapped to: exact
 *     for a separable warp, otherwise trilinear between two levels of the mipmap. Without it, a
 *     pixel is one bilinear sample of the picture.
 * @param {Pixels} [out] RGBA, rows * columns * 4.
 */
export function zoomPicture(
  levels,
  warp,
  rows,
  columns,
  antialias,
  out = emptyPicture(rows, columns),
) {
  if (!warp.axes) return zoomByMipmap(antialias ? levels : [levels[0]], warp, rows, columns, out);
  if (antialias) return zoomByAreas(levels[0], warp.axes, rows, columns, out);
  const points = { x: sampleAxis(warp.axes.x, columns), y: sampleAxis(warp.axes.y, rows) };
  return sampleSeparably(levels[0], points, out, BLACK);
}

/**
 * A zoomed picture as RGBA in 0..255, not rounded.
 *
 * @param {Level[]} levels
 * @param {Warp} warp
 * @param {Size} size
 * @param {boolean} antialias
 */
export function zoomToFloats(levels, warp, { rows, columns }, antialias) {
  const zoomed = new Float32Array(rows * columns * 4);
  zoomPicture(levels, warp, rows, columns, antialias, zoomed);
  return zoomed;
}

/**
 * @param {Level[]} levels
 * @param {Warp} warp
 * @param {number} rows
 * @param {number} columns
 * @param {Pixels} out
 */
function zoomByMipmap(levels, warp, rows, columns, out) {
  const { terms } = analyze(warp);
  const down = locatePixels(rows, warp.rows);
  const across = locatePixels(columns, warp.columns);
  const { width, height } = levels[0];
  const last = levels.length - 1;
  // From the area of a unit of (u, v) to that of a zoomed pixel, in source pixels.
  const scale = (warp.rows * warp.columns * width * height) / (4 * rows * columns);
  const colour = new Float64Array(3);
  for (let row = 0, pixel = 0; row < rows; row++) {
    const v = down.position[row];
    for (let column = 0; column < columns; column++, pixel++) {
      const u = across.position[column];
      const k = 8 * (down.interval[row] * warp.columns + across.interval[column]);
      const x = evaluate(terms, k, u, v);
      const y = evaluate(terms, k + 4, u, v);
      const footprint = last ? scale * Math.abs(determinant(terms, k, u, v)) : 1;
      const level = footprint > 1 ? Math.min(Math.log2(footprint) / 2, last) : 0;
      const fine = Math.floor(level);
      const coarse = level - fine > MIN_COARSE_WEIGHT ? level - fine : 0;
      colour[0] = colour[1] = colour[2] = 0;
      addSample(colour, levels[fine], x, y, 1 - coarse);
      if (coarse) addSample(colour, levels[fine + 1], x, y, coarse);
      writePixel(out, pixel, colour);
    }
  }
  return out;
}

/**
 * Sample a level bilinearly at every pair of an x and a y; `fill` where either is NaN.
 *
 * @param {Level} level
 * @param {Axes} points
 * @param {Pixels} out
 * @param {Rgb} fill
 */
function sampleSeparably({ width, height, data }, { x, y }, out, fill) {
  const across = linearTaps(x, width, 3);
  const down = linearTaps(y, height, 3 * width);
  let to = 0;
  for (let row = 0; row < y.length; row++) {
    const [top, below, v] = [down.from[row], down.next[row], down.weight[row]];
    for (let column = 0; column < x.length; column++, to += 4) {
      const u = across.weight[column];
      if (Number.isNaN(u + v)) {
        writePixel(out, to / 4, fill);
        continue;
      }
      const a = top + across.from[column];
      const b = a + across.next[column];
      const c = a + below;
      const d = b + below;
      const wB = (1 - v) * u;
      const wA = 1 - v - wB;
      const wD = v * u;
      const wC = v - wD;
      out[to] = wA * data[a] + wB * data[b] + wC * data[c] + wD * data[d];
      out[to + 1] = wA * data[a + 1] + wB * data[b + 1] + wC * data[c + 1] + wD * data[d + 1];
      out[to + 2] = wA * data[a + 2] + wB * data[b + 2] + wC * data[c + 2] + wD * data[d + 2];
      out[to + 3] = 255;
    }
  }
  return out;
}

/**
 * For each coordinate of an axis: the offset of the pixel before it, the offset from there to the
 * next pixel, and the weight of the next pixel. A separable warp needs this once for each row and
 * column, not for each pixel, which is three times as fast.
 *
 * @param {Float64Array} coordinates
 * @param {number} count of pixels.
 * @param {number} stride between two pixels.
 */
function linearTaps(coordinates, count, stride) {
  const from = new Int32Array(coordinates.length);
  const next = new Int32Array(coordinates.length);
  const weight = new Float64Array(coordinates.length);
  coordinates.forEach((coordinate, index) => {
    const along = cellPosition(coordinate, count);
    const before = Math.floor(along);
    from[index] = before * stride;
    next[index] = before + 1 < count ? stride : 0;
    weight[index] = along - before;
  });
  return { from, next, weight };
}

/**
 * Sample a picture bilinearly at the points of a dense map; `fill` where there is none.
 *
 * @param {Picture} picture
 * @param {Float64Array} map
 * @param {Pixels} out
 * @param {Rgb} fill
 */
function samplePicture(picture, map, out, fill) {
  const level = toLevel(picture);
  const colour = new Float64Array(3);
  for (let pixel = 0; pixel < map.length / 2; pixel++) {
    const x = map[2 * pixel];
    if (Number.isNaN(x)) {
      writePixel(out, pixel, fill);
    } else {
      colour[0] = colour[1] = colour[2] = 0;
      addSample(colour, level, x, map[2 * pixel + 1], 1);
      writePixel(out, pixel, colour);
    }
  }
  return out;
}

/**
 * Unzoom a picture: sample it where each source pixel is mapped to.
 *
 * @param {Picture} zoomed
 * @param {Warp} warp
 * @param {number} rows of the unzoomed picture.
 * @param {number} columns of the unzoomed picture.
 * @param {Pixels} [out] RGBA, rows * columns * 4.
 * @param {Rgb} [fill] where no zoomed pixel is mapped to.
 */
export function unzoomPicture(
  zoomed,
  warp,
  rows,
  columns,
  out = emptyPicture(rows, columns),
  fill = BLACK,
) {
  if (!warp.axes || !analyze(warp).invertible) {
    return samplePicture(zoomed, zoomedMap(warp, rows, columns), out, fill);
  }
  const points = { x: invertPixels(warp.axes.x, columns), y: invertPixels(warp.axes.y, rows) };
  return sampleSeparably(toLevel(zoomed), points, out, fill);
}
