/**
 * Errors of a warp: its distance from the continuous map, and that of points mapped there and back,
 * as in the Python modules `approximation` and `result`.
 *
 * @import { NumberMap, SaliencyMap, Size, State, Warp } from "./types.d.ts"
 */
import { attractAxes, makeWarp } from "./attraction.js";
import { toZoomed } from "./inverse.js";
import { sampleAxis, sourceMap, toSource } from "./warp.js";

/** Points of each axis at which the approximation error is computed. */
const SAMPLES = 128;
/** Points of each axis at which the round trip error is computed. */
const ROUND_TRIP_POINTS = 50;

/**
 * The distance between the warp of a state, without moved nodes, and its continuous map, in source
 * pixels.
 *
 * @param {State} state
 * @param {SaliencyMap} map
 * @param {Size} size of the source.
 * @returns {NumberMap & {values: Float64Array}}
 */
export function approximationError(state, map, size) {
  const options = {
    fwhm: /** @type {[number, number]} */ ([state.fwhm / 100, state.fwhm / 100]),
    separable: state.separable,
    antiCrop: state.anti_crop,
  };
  const { pieces } = state;
  const warp = makeWarp(map, { rows: pieces, columns: pieces, ...options });
  const values = new Float64Array(SAMPLES * SAMPLES);
  const unit = [size.columns / 2, size.rows / 2];
  // Morphing scales the displacements of both, and therefore also their difference.
  const distance = (/** @type {number} */ x, /** @type {number} */ y) =>
    state.morph * Math.sqrt((x * unit[0]) ** 2 + (y * unit[1]) ** 2);
  // With twice as many pieces as samples, every other node is the centre of a sample.
  const side = 2 * SAMPLES;
  if (warp.axes) {
    const fine = attractAxes(map, { rows: side, columns: side, ...options });
    const residual = (/** @type {Float64Array} */ axis, /** @type {Float64Array} */ exact) =>
      sampleAxis(axis, SAMPLES).map((value, sample) => value - exact[2 * sample + 1]);
    const [x, y] = [residual(warp.axes.x, fine.x), residual(warp.axes.y, fine.y)];
    for (let sample = 0; sample < values.length; sample++)
      values[sample] = distance(x[sample % SAMPLES], y[Math.floor(sample / SAMPLES)]);
  } else {
    const approximate = sourceMap(warp, SAMPLES, SAMPLES);
    const { grid } = makeWarp(map, { rows: side, columns: side, ...options });
    for (let sample = 0; sample < values.length; sample++) {
      const [row, column] = [Math.floor(sample / SAMPLES), sample % SAMPLES];
      const node = 2 * ((2 * row + 1) * (side + 1) + 2 * column + 1);
      const [x, y] = [approximate[2 * sample], approximate[2 * sample + 1]];
      values[sample] = distance(x - grid[node], y - grid[node + 1]);
    }
  }
  return { rows: SAMPLES, columns: SAMPLES, values };
}

/**
 * The largest distance of a point of the source from itself after it was mapped to the zoomed frame
 * and back, in source pixels.
 *
 * @param {Warp} warp
 * @param {Size} size of the source.
 */
export function roundTripError(warp, size) {
  const coordinate = (/** @type {number} */ index) => (2 * index) / (ROUND_TRIP_POINTS - 1) - 1;
  let largest = 0;
  for (let row = 0; row < ROUND_TRIP_POINTS; row++) {
    for (let column = 0; column < ROUND_TRIP_POINTS; column++) {
      const [x, y] = [coordinate(column), coordinate(row)];
      const zoomed = toZoomed(warp, x, y);
      const returned = zoomed && toSource(warp, ...zoomed);
      if (!returned) continue;
      const error = Math.hypot(
        ((returned[0] - x) * size.columns) / 2,
        ((returned[1] - y) * size.rows) / 2,
      );
      largest = Math.max(largest, error);
    }
  }
  return largest;
}
