/**
 * Adaptive saliency on film: the detections of one frame are the saliency of the next, as in the
 * Python function `systems.video.follow` with `experiments.films.Loop`.
 *
 * @import { Edges, LoopSettings, Warp } from "./types.d.ts"
 * @import { Detection } from "./detections.js"
 */
import { makeWarp } from "./attraction.js";
import { fromBoxes } from "./saliency.js";
import { toSource } from "./warp.js";

/** Defaults of the Python functions: the size of the map, and the shape of the warp. */
const MAP = { rows: 32, columns: 64 };
const SHAPE = { rows: 32, columns: 64, separable: true, antiCrop: true };
/** @type {[number, number]} */
const FWHM = [0.25, 0.25];

/** The boxes at which the next frame is zoomed. */
export class VideoLoop {
  constructor() {
    /** @type {Edges[]} */
    this.expected = [];
    this.missed = 0;
  }

  /**
   * @param {Edges[]} boxes that were detected, of the class that is followed.
   * @param {number} patience number of frames without boxes for which the last ones are kept.
   */
  update(boxes, patience) {
    this.missed = boxes.length ? 0 : this.missed + 1;
    if (boxes.length) this.expected = boxes;
    else if (this.missed > patience) this.expected = [];
  }
}

/**
 * The warp that zooms at boxes; the identity without boxes.
 *
 * @param {Edges[]} boxes
 * @param {LoopSettings} loop
 */
export function warpForBoxes(boxes, { amplitude, relativeSigma }) {
  const cells = fromBoxes(MAP, boxes, amplitude, relativeSigma);
  return makeWarp({ ...MAP, cells }, { ...SHAPE, fwhm: FWHM });
}

/**
 * Map detections of the zoomed frame to the source frame, by a separable warp.
 *
 * @param {Detection[]} detections
 * @param {Warp} warp
 * @returns {Detection[]}
 */
export function detectionsToSource(detections, warp) {
  return detections.map(({ box, ...rest }) => {
    const corners = [toSource(warp, box[0], box[1]), toSource(warp, box[2], box[3])];
    return { ...rest, box: /** @type {Edges} */ (corners.flat()) };
  });
}
