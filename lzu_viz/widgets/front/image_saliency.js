/**
 * Saliency of a picture: from its edges, or from the prediction of a network, as in the Python
 * modules `saliency` and `saliency_policies`.
 *
 * @import { Edges, Level, SaliencyMap, Size } from "./types.d.ts"
 */
import { fromBoxes, normalise } from "./saliency.js";

/** Added to the probabilities of a segmenter, so that a map without foreground is nearly uniform. */
const SEGMENTER_FLOOR = 0.05;
/** Mass of each detected box: the strength of the state adds the floor. */
const BOX_AMPLITUDE = 1e3;

/**
 * The mean magnitude of the gradient (Sobel) in each cell.
 *
 * @param {Level} level the picture, in 0..255.
 * @param {Size} size of the map.
 * @returns {SaliencyMap}
 */
export function fromEdges({ width, height, data }, size) {
  const grey = new Float32Array(width * height);
  for (let pixel = 0, from = 0; pixel < grey.length; pixel++, from += 3)
    grey[pixel] = (0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2]) / 255;
  const magnitude = new Float32Array(grey.length);
  for (let row = 0, pixel = 0; row < height; row++) {
    const above = width * Math.max(row - 1, 0);
    const here = width * row;
    const below = width * Math.min(row + 1, height - 1);
    for (let column = 0; column < width; column++, pixel++) {
      const left = Math.max(column - 1, 0);
      const right = Math.min(column + 1, width - 1);
      const [a, b, c] = [grey[above + left], grey[above + column], grey[above + right]];
      const [d, f] = [grey[here + left], grey[here + right]];
      const [g, h, i] = [grey[below + left], grey[below + column], grey[below + right]];
      const x = (c - a + 2 * (f - d) + i - g) / 8;
      const y = (g - a + 2 * (h - b) + i - c) / 8;
      magnitude[pixel] = Math.sqrt(x * x + y * y + 1e-6) - (1e-3 - 1e-6);
    }
  }
  return { ...size, cells: normalise(pool(magnitude, { rows: height, columns: width }, size)) };
}

/**
 * @param {Float32Array} probabilities of a segmenter.
 * @param {Size} from the size of the prediction.
 * @param {Size} size of the map.
 * @returns {SaliencyMap}
 */
export function fromProbabilities(probabilities, from, size) {
  const cells = pool(probabilities, from, size).map((value) => value + SEGMENTER_FLOOR);
  return { ...size, cells: normalise(cells) };
}

/**
 * @param {Edges[]} boxes that a detector found.
 * @param {number} relativeSigma
 * @param {Size} size of the map.
 * @returns {SaliencyMap} the uniform map without boxes.
 */
export function fromDetections(boxes, relativeSigma, size) {
  return { ...size, cells: fromBoxes(size, boxes, BOX_AMPLITUDE, relativeSigma) };
}

/**
 * The mean over each cell of a coarser map; cells overlap where the sides are no multiples.
 *
 * @param {Float32Array} values
 * @param {Size} from
 * @param {Size} to
 */
function pool(values, from, to) {
  const ends = (
    /** @type {number} */ index,
    /** @type {number} */ side,
    /** @type {number} */ n,
  ) => [Math.floor((index * side) / n), Math.ceil(((index + 1) * side) / n)];
  const cells = new Float64Array(to.rows * to.columns);
  for (let row = 0, cell = 0; row < to.rows; row++) {
    const [top, bottom] = ends(row, from.rows, to.rows);
    for (let column = 0; column < to.columns; column++, cell++) {
      const [left, right] = ends(column, from.columns, to.columns);
      let total = 0;
      for (let y = top; y < bottom; y++)
        for (let x = left; x < right; x++) total += values[y * from.columns + x];
      cells[cell] = total / ((bottom - top) * (right - left));
    }
  }
  return cells;
}
