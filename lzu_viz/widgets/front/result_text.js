/**
 * What is said of a result, as in the Python module `protocol`.
 *
 * @import { PagePrediction, State } from "./types.d.ts"
 *
 * @typedef {object} Numbers
 * @property {number} peakMagnification per side.
 * @property {number} errorRms in source pixels.
 * @property {number} errorWorst
 * @property {number} roundTripError in source pixels.
 * @property {?number} colourChange mean change by zoom and unzoom, in grey levels.
 */

/** An object counts as found from this IoU with the ground truth on. */
const FOUND_IOU = 0.5;
/** Values of the IoU that differ by less are called neither better nor worse. */
const SAME_IOU = 0.02;
/** Least error of positions in pixels that is shown as a number. */
const MIN_SHOWN_ERROR = 0.001;
const NO_NETWORK = "none";

/**
 * What zooming changed in the network's prediction, as a sentence.
 *
 * @param {State} state
 * @param {PagePrediction} uniform
 * @param {PagePrediction} zoom
 */
export function summaryOf({ network, input_size: side }, uniform, zoom) {
  const same = `with the same ${side} × ${side} pixels`;
  if (network === NO_NETWORK) return `Zoomed to ${side} × ${side} pixels.`;
  if (uniform.iou !== null && zoom.iou !== null) {
    const [before, after] = [uniform.iou, zoom.iou];
    const found = `${before >= FOUND_IOU} ${after >= FOUND_IOU}`;
    let outcome = {
      "false true": "Found by zooming",
      "true false": "Lost by zooming",
      "true true": "Found by both",
    }[found];
    outcome ??= "Found by neither";
    if (found === "true true" && Math.abs(after - before) >= SAME_IOU)
      outcome += `, ${after > before ? "better" : "worse"} by zooming`;
    return `${outcome}: IoU ${before.toFixed(2)} → ${after.toFixed(2)}, ${same}.`;
  }
  if (uniform.share !== null && zoom.share !== null) {
    const [before, after] = [uniform.share, zoom.share].map((share) => (100 * share).toFixed(1));
    return `Mask of the image: uniform ${before}%, zoom and unzoom ${after}%, ${same}.`;
  }
  const counts = `uniform ${uniform.boxes.length}, zoom and unzoom ${zoom.boxes.length}`;
  return `Boxes found: ${counts}, ${same}.`;
}

/**
 * The figures of a result as lines of text, the most important first.
 *
 * @param {State} state
 * @param {PagePrediction} uniform
 * @param {PagePrediction} zoom
 * @param {Numbers} numbers
 */
export function linesOf({ network, input_size: side }, uniform, zoom, numbers) {
  const lines = [];
  if (uniform.iou !== null && zoom.iou !== null)
    lines.push(
      `IoU with the ground truth: uniform ${uniform.iou.toFixed(2)}, zoom and unzoom ${zoom.iou.toFixed(2)}`,
    );
  const image = network === NO_NETWORK ? "Zoomed image" : "Input of the network, uniform or zoomed";
  const pixels = (side * side).toLocaleString("en-US");
  const { peakMagnification, errorRms, errorWorst, roundTripError, colourChange } = numbers;
  const error =
    roundTripError >= MIN_SHOWN_ERROR
      ? `at most ${roundTripError.toFixed(3)} px`
      : `below ${MIN_SHOWN_ERROR} px`;
  lines.push(
    `${image}: ${side} x ${side} = ${pixels} pixels`,
    `Peak magnification: ${peakMagnification.toFixed(1)} times per side`,
    `Round trip error of positions: ${error}`,
    `Approximation error of the pieces: ${errorRms.toFixed(2)} px (root mean square), at most ${errorWorst.toFixed(1)} px`,
  );
  if (colourChange !== null)
    lines.push(
      `Round trip error of colours: ${colourChange.toFixed(1)} of 255 grey levels on average`,
    );
  return lines;
}
