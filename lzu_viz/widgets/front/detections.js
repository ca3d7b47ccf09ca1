/**
 * Boxes from the outputs of the detector, as `NanoDet.decode` in Python computes them from outputs
 * that were unzoomed.
 *
 * @import { Edges, FeatureMap, Point, Warp } from "./types.d.ts"
 * @import { Taps } from "./feature_maps.js"
 *
 * @typedef {object} Detection
 * @property {Edges} box
 * @property {number} label index of its class.
 * @property {number} score
 */
import { bilinearTaps, sampleAt } from "./feature_maps.js";
import { zoomedMap } from "./inverse.js";
import { clamp } from "./numbers.js";
import { toSource } from "./warp.js";

/** Each side's distance is predicted as a distribution over 0..10 strides. */
const BINS = 11;
/** Limit before non-maximum suppression. */
const MAX_CANDIDATES = 1000;

/**
 * Unzoom the outputs on grids that are finer by a factor, and decode them to boxes of the source.
 *
 * @param {FeatureMap[]} outputs one for each stride: the logits of the classes, then those of the
 *     distances to the left, top, right and bottom side.
 * @param {Warp} warp
 * @param {object} options
 * @param {number[]} options.strides
 * @param {[number, number]} options.size [rows, columns] of the network's input.
 * @param {number} options.upsampleFactor
 * @param {number} options.threshold score that boxes must exceed.
 * @param {number} [options.iou] above which the lower-scoring of two boxes of a class is suppressed.
 * @param {number} [options.top] maximum number of boxes.
 * @returns {Detection[]} the highest score first.
 */
export function decodeOutputs(
  outputs,
  warp,
  { strides, size, upsampleFactor, threshold, iou = 0.6, top = 100 },
) {
  const candidates = outputs.flatMap((output, level) => {
    const [rows, columns] = [output.rows * upsampleFactor, output.columns * upsampleFactor];
    const points = zoomedMap(warp, rows, columns);
    const taps = bilinearTaps(output, points);
    /** @type {[number, number]} */
    const units = [(2 * strides[level]) / size[1], (2 * strides[level]) / size[0]];
    return candidatesOf(output, taps, points, threshold, (cell) =>
      boxOf(output, taps, cell, [points[2 * cell], points[2 * cell + 1]], warp, units),
    );
  });
  // Sorting is stable, as in Python.
  candidates.sort((a, b) => b.score - a.score);
  return suppress(candidates.slice(0, MAX_CANDIDATES), iou).slice(0, top);
}

/**
 * @param {FeatureMap} output
 * @param {Taps} taps
 * @param {Float64Array} points of the cells of the finer grid in the zoomed frame.
 * @param {number} threshold
 * @param {(cell: number) => Edges} boxAt
 * @returns {Detection[]}
 */
function candidatesOf(output, taps, points, threshold, boxAt) {
  const { channels, rows, columns, data } = output;
  const classes = channels - 4 * BINS;
  const count = rows * columns;
  const minimum = Math.log(threshold / (1 - threshold));
  // An interpolated logit is at most the largest of the four cells: most cells need not be read.
  const largest = new Float32Array(count).fill(-Infinity);
  for (let label = 0, from = 0; label < classes; label++)
    for (let cell = 0; cell < count; cell++, from++)
      if (data[from] > largest[cell]) largest[cell] = data[from];
  /** @type {Detection[]} */
  const found = [];
  for (let cell = 0; cell < points.length / 2; cell++) {
    if (Number.isNaN(points[2 * cell])) continue;
    const corners = taps.cells.subarray(4 * cell, 4 * cell + 4);
    if (!corners.some((corner) => largest[corner] > minimum)) continue;
    /** @type {?Edges} */
    let box = null;
    for (let label = 0; label < classes; label++) {
      const score = 1 / (1 + Math.exp(-sampleAt(data, label * count, taps, cell)));
      if (score <= threshold) continue;
      box ??= boxAt(cell);
      found.push({ box, label, score });
    }
  }
  return found;
}

/**
 * The box that a cell of the finer grid predicts: its centre is mapped to the zoomed frame, moved
 * there by each distance, and mapped back.
 *
 * @param {FeatureMap} output
 * @param {Taps} taps
 * @param {number} cell
 * @param {Point} centre of the cell in the zoomed frame.
 * @param {Warp} warp
 * @param {[number, number]} units stride over half the input's sides, for x and y.
 * @returns {Edges}
 */
function boxOf(output, taps, cell, [x, y], warp, units) {
  const { channels, rows, columns, data } = output;
  const distances = [0, 1, 2, 3].map((side) => {
    const first = channels - (4 - side) * BINS;
    const logits = Array.from({ length: BINS }, (_, bin) =>
      sampleAt(data, (first + bin) * rows * columns, taps, cell),
    );
    return units[side % 2] * expectation(logits);
  });
  const mapped = (/** @type {number} */ px, /** @type {number} */ py) =>
    /** @type {Point} */ (toSource(warp, clamp(px, -1, 1), clamp(py, -1, 1)));
  const [left, top, right, bottom] = distances;
  const box = [
    mapped(x - left, y)[0],
    mapped(x, y - top)[1],
    mapped(x + right, y)[0],
    mapped(x, y + bottom)[1],
  ];
  return /** @type {Edges} */ (box.map((side) => clamp(side, -1, 1)));
}

/**
 * The mean of 0, 1, 2, ... weighted by the softmax of logits.
 *
 * @param {number[]} logits
 */
function expectation(logits) {
  const maximum = Math.max(...logits);
  let [total, weighted] = [0, 0];
  logits.forEach((logit, bin) => {
    const weight = Math.exp(logit - maximum);
    total += weight;
    weighted += bin * weight;
  });
  return weighted / total;
}

/**
 * Non-maximum suppression within each class.
 *
 * @param {Detection[]} candidates the highest score first.
 * @param {number} limit
 */
function suppress(candidates, limit) {
  /** @type {Detection[]} */
  const kept = [];
  for (const candidate of candidates) {
    const isCovered = kept.some(
      ({ box, label }) => label === candidate.label && boxIou(box, candidate.box) > limit,
    );
    if (!isCovered) kept.push(candidate);
  }
  return kept;
}

/**
 * The intersection over union of two boxes.
 *
 * @param {Edges} a
 * @param {Edges} b
 */
export function boxIou(a, b) {
  const overlap = (/** @type {0 | 1} */ axis) =>
    Math.max(Math.min(a[axis + 2], b[axis + 2]) - Math.max(a[axis], b[axis]), 0);
  const area = ([left, top, right, bottom] = a) => (right - left) * (bottom - top);
  const shared = overlap(0) * overlap(1);
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}
