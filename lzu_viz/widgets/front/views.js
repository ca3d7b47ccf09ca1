/**
 * What each view draws. A view is one canvas; it is drawn from the state, from what is derived from
 * it, and from the kernel's last result, which is pale while it belongs to an older state.
 *
 * @import { BinaryData, Bytes, KernelMap, Prediction, NumberMap, Rgb, View } from "./types.d.ts"
 * @import { Explorer } from "./explorer.js"
 * @import { ScratchCanvas } from "./paint.js"
 *
 * @typedef {object} Panel a view on the page, and what is kept for its next drawing.
 * @property {View} view
 * @property {HTMLElement} cell
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} context
 * @property {number} scale canvas pixels per page pixel.
 * @property {HTMLElement} marker of the place under the pointer.
 * @property {HTMLElement} readOut the number under the pointer.
 * @property {HTMLElement} top the upper end of the colour scale.
 * @property {HTMLElement} bottom its lower end.
 * @property {?Score} score of a prediction.
 * @property {ScratchCanvas} scratch
 * @property {?NumberMap} shown the numbers that are drawn, if any.
 * @property {?unknown[]} inputs of the last drawing, of a view that is drawn only if they change.
 * @property {?{key: unknown, image: ImageData}} background see `putCached`.
 * @property {?{sent: KernelMap, map: NumberMap}} decoded the last map from the kernel.
 *
 * @typedef {object} Score the row under a prediction.
 * @property {HTMLElement} row
 * @property {HTMLElement} value
 * @property {HTMLElement} unit
 * @property {HTMLElement} meter
 * @property {HTMLElement} bar
 * @property {HTMLCanvasElement} closeUp
 * @property {CanvasRenderingContext2D} context of the close-up.
 *
 * @typedef {object} Mask a PNG or an image, and the image that is shown for it.
 * @property {BinaryData | ImageBitmap} bytes
 * @property {?ImageBitmap} image
 *
 * @typedef {(panel: Panel, explorer: Explorer) => void} Draw
 */
import { squareFrame, wholeFrame } from "./frames.js";
import { magnification } from "./inverse.js";
import {
  drawBox,
  drawFolds,
  drawCloseUp,
  drawFovea,
  drawGrid,
  drawLabels,
  drawMap,
  drawNodes,
  drawRectangle,
  drawTag,
  roundUp,
  topAboutOne,
} from "./paint.js";
import { copyBytes } from "./photo.js";
import { unzoomPicture, zoomPicture } from "./resampling.js";
import { UNIFORM_FIELDS } from "./state_to_warp.js";
import { identityWarp } from "./warp.js";

const MAX_GRID_LINES = 16;
const OUTDATED_ALPHA = 0.6;
/** @type {Rgb} */
const UNSEEN_COLOUR = [200, 200, 200];
const NO_NUMBER = 255;
const IDENTITY = identityWarp(1, 1);

/** The views that show predictions. */
export const ANSWERS = ["uniform", "unzoomed"];

/**
 * Where the frame of a view is on its canvas.
 *
 * @param {View} view
 * @param {HTMLCanvasElement} canvas
 */
export const frameOf = (view, canvas) =>
  view.frame === "zoomed" ? squareFrame(canvas) : wholeFrame(canvas);

/**
 * Draw one panel, with the folded pieces of the warp marked.
 *
 * @type {Draw}
 */
export function drawPanel(panel, explorer) {
  const { context, canvas, view } = panel;
  if (view.name === "uniform") {
    // It stays the same while only the warp changes; a canvas that is not touched costs nothing.
    const inputs = uniformInputs(panel, explorer);
    const { inputs: previous } = panel;
    panel.inputs = inputs;
    if (previous && inputs.every((value, index) => value === previous[index])) return;
  }
  panel.shown = null;
  (DRAW[view.name] ?? drawKernelMap)(panel, explorer);
  const { warp, folded } = explorer.store.derive();
  const inSource = view.frame === "source";
  drawFolds(context, frameOf(view, canvas), warp, folded, inSource, explorer.colours.fold);
  panel.cell.classList.toggle("lzu-folded", folded.length > 0);
}

/** @type {Record<string, Draw>} */
const DRAW = {
  source: drawSource,
  zoomed: drawZoomed,
  uniform: drawUniform,
  unzoomed: drawUnzoomed,
  saliency: drawSaliency,
  magnification: drawMagnification,
};

/**
 * Put an image that is computed only if `key` or the size of the canvas has changed.
 *
 * @param {Panel} panel
 * @param {unknown} key
 * @param {(data: Bytes) => void} compute writes the pixels.
 */
function putCached(panel, key, compute) {
  const { context, canvas, background } = panel;
  const { width, height } = canvas;
  const reusable = background?.image.width === width && background.image.height === height;
  let image = reusable ? background.image : null;
  if (!image || background?.key !== key) {
    image ??= context.createImageData(width, height);
    compute(image.data);
    panel.background = { key, image };
  }
  context.putImageData(image, 0, 0);
}

/** @type {Draw} */
function drawSource(panel, explorer) {
  const { context, canvas, scale } = panel;
  const { colours, selected, store } = explorer;
  const { state, mipmap } = store;
  const { warp } = store.derive();
  const frame = wholeFrame(canvas);
  putCached(panel, mipmap, (data) => {
    if (mipmap) zoomPicture(mipmap, IDENTITY, canvas.height, canvas.width, true, data);
  });
  const movesNodes = state.drag_target === "nodes";
  drawGrid(context, frame, warp, movesNodes ? Infinity : MAX_GRID_LINES, colours.grid, scale);
  if (movesNodes) {
    drawNodes(context, frame, warp, state.nodes, selected.node, colours, scale);
  } else if (state.saliency_kind === "foveas") {
    state.foveas.forEach((fovea, index) =>
      drawFovea(context, frame, fovea, index === selected.foveas, colours, scale),
    );
  } else if (state.saliency_kind === "boxes" || state.saliency_kind === "boxes in pixels") {
    state.boxes.forEach((box, index) =>
      drawBox(context, frame, box, index === selected.boxes, colours, scale),
    );
  }
}

/** @type {Draw} */
function drawZoomed(panel, explorer) {
  const { context, canvas, scratch } = panel;
  const { left, top, width, height } = squareFrame(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(scratch.put(explorer.store.derive().zoomed), left, top, width, height);
}

/**
 * Everything that the uniform view is drawn from.
 *
 * @param {Panel} panel
 * @param {Explorer} explorer
 */
function uniformInputs({ canvas, scale }, { store, model, masks }) {
  const { state, photoCount } = store;
  const { uniform } = model.get("_result");
  const { warp, folded } = store.derive();
  return [
    [canvas.width, canvas.height, scale, photoCount, store.isUniformCurrent()],
    UNIFORM_FIELDS.map((field) => state[field]),
    [uniform, masks.uniform?.image, masks.truth?.image, model.get("_ground_truth")],
    folded.length ? warp : null,
  ].flat();
}

/** @type {Draw} */
function drawUniform(panel, explorer) {
  const { canvas } = panel;
  const { state, mipmap, photoCount } = explorer.store;
  const { input_size: side, antialias } = state;
  putCached(panel, `${side} ${antialias} ${photoCount}`, (data) => {
    if (!mipmap) return;
    const small = { width: side, height: side, data: new Uint8ClampedArray(side * side * 4) };
    zoomPicture(mipmap, IDENTITY, side, side, antialias, small.data);
    unzoomPicture(small, IDENTITY, canvas.height, canvas.width, data);
  });
  drawPrediction(panel, explorer, "uniform");
}

/** @type {Draw} */
function drawUnzoomed(panel, explorer) {
  const { canvas } = panel;
  const derived = explorer.store.derive();
  putCached(panel, derived, (data) =>
    unzoomPicture(derived.zoomed, derived.warp, canvas.height, canvas.width, data, UNSEEN_COLOUR),
  );
  drawPrediction(panel, explorer, "zoom");
}

/**
 * Draw the network's prediction and the ground truth.
 *
 * @param {Panel} panel
 * @param {Explorer} explorer
 * @param {"uniform" | "zoom"} which
 */
function drawPrediction(panel, explorer, which) {
  const { context, canvas, scale } = panel;
  const { model, store, colours } = explorer;
  if (store.state.network === "none") {
    if (panel.score) panel.score.row.hidden = true;
    return;
  }
  const prediction = /** @type {Prediction | undefined} */ (model.get("_result")[which]);
  const frame = wholeFrame(canvas);
  const overlay = prediction?.mask ? decodeMask(explorer, which, prediction.mask) : null;
  const boxes = prediction?.boxes ?? [];
  const isCurrent = which === "uniform" ? store.isUniformCurrent() : store.isResultCurrent();
  const alpha = isCurrent ? 1 : OUTDATED_ALPHA;
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = true;
  if (overlay) context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
  for (const [box] of boxes) drawRectangle(context, frame, box, colours.prediction, scale);
  context.globalAlpha = 1;
  drawTruth(panel, explorer);
  context.globalAlpha = alpha; // labels are drawn after the close-up, which would enlarge them
  drawLabels(context, frame, boxes, colours.prediction, scale, "white");
  context.globalAlpha = 1;
  showScore(panel, explorer, prediction, isCurrent);
}

/**
 * Show the score of a prediction as a number with a bar: the IoU with the ground truth; without
 * one, the number of boxes, or the part of the image that the mask covers.
 *
 * @param {Panel} panel
 * @param {Explorer} explorer
 * @param {Prediction | undefined} prediction
 * @param {boolean} isCurrent
 */
function showScore({ score }, explorer, prediction, isCurrent) {
  if (!score) return;
  const { row, value, unit, meter, bar } = score;
  const { network } = explorer.store.state;
  row.hidden = network === "none";
  row.classList.toggle("lzu-stale", !isCurrent);
  const iou = prediction?.iou;
  const share = prediction?.share;
  let [number, text] = ["–", "no prediction"];
  if (typeof iou === "number") {
    text = prediction?.found ? "IoU" : "IoU: nothing found";
    number = iou.toFixed(2);
  } else if (typeof share === "number") [number, text] = [`${(100 * share).toFixed(1)} %`, "mask"];
  else if (prediction) [number, text] = [String(prediction.boxes?.length ?? 0), "boxes found"];
  if (prediction && !isCurrent) text += ", outdated";
  if (value.textContent !== number) value.textContent = number;
  if (unit.textContent !== text) unit.textContent = text;
  meter.hidden = typeof iou !== "number";
  bar.style.width = `${100 * (iou ?? 0)}%`;
  bar.style.background = explorer.colours.prediction;
}

/**
 * Draw the ground truth, where it is known, and a close-up of it under the view.
 *
 * @param {Panel} panel
 * @param {Explorer} explorer
 */
function drawTruth({ context, canvas, scale, score }, explorer) {
  const { box, outline: bytes } = explorer.model.get("_ground_truth");
  if (score) score.closeUp.hidden = !box;
  if (!box) return;
  const frame = wholeFrame(canvas);
  const outline = bytes && explorer.predictsMasks() ? decodeMask(explorer, "truth", bytes) : null;
  if (outline) context.drawImage(outline, 0, 0, canvas.width, canvas.height);
  else if (!explorer.predictsMasks())
    drawRectangle(context, frame, box, explorer.colours.ground_truth, scale);
  if (score) drawCloseUp(score.context, canvas, frame, box, scale);
}

/**
 * Draw a short text in the lower left corner.
 *
 * @param {Panel} panel
 * @param {Explorer} explorer
 * @param {string} text
 */
function drawNote({ context, canvas, scale }, explorer, text) {
  drawTag(context, text, 6 * scale, canvas.height - 8 * scale, explorer.colours.prediction, scale);
}

/**
 * Decode a mask, a PNG, once; until it is decoded, return the previous one. A network in the page
 * returns an image, which is closed when the next one arrives.
 *
 * @param {Explorer} explorer
 * @param {string} which
 * @param {BinaryData | ImageBitmap} bytes
 */
function decodeMask(explorer, which, bytes) {
  const previous = explorer.masks[which];
  if (previous?.bytes === bytes) return previous.image;
  if (bytes instanceof ImageBitmap) {
    if (previous?.bytes instanceof ImageBitmap) previous.bytes.close();
    explorer.masks[which] = { bytes, image: bytes };
    return bytes;
  }
  /** @type {Mask} */
  const mask = { bytes, image: previous?.image ?? null };
  explorer.masks[which] = mask;
  explorer.decodingCount += 1;
  createImageBitmap(new Blob([bytes], { type: "image/png" }))
    .then((image) => {
      // A newer mask may have arrived in the meantime.
      if (explorer.masks[which] !== mask) image.close();
      else mask.image = image;
    })
    .finally(() => {
      explorer.decodingCount -= 1;
      explorer.schedule();
    });
  return mask.image;
}

/** @type {Draw} */
function drawSaliency(panel, explorer) {
  const { rows, columns, cells } = explorer.store.derive().map;
  const values = cells.map((cell) => cell * cells.length);
  drawNumberMap(panel, explorer, { values, rows, columns }, false);
}

/** @type {Draw} */
function drawMagnification(panel, explorer) {
  const { canvas, scale } = panel;
  const [rows, columns] = [canvas.height, canvas.width].map((side) => Math.round(side / scale / 3));
  const values = magnification(explorer.store.derive().warp, rows, columns);
  drawNumberMap(panel, explorer, { values, rows, columns }, true);
}

/**
 * Draw a map that came with the kernel's result, or a note that there is none.
 *
 * @type {Draw}
 */
function drawKernelMap(panel, explorer) {
  const { context, canvas, view } = panel;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const sent = explorer.model.get("_result").maps?.[view.name];
  if (!sent) {
    drawNote(panel, explorer, "no result for this state");
    return;
  }
  if (panel.decoded?.sent !== sent) {
    const { rows, columns, maximum } = sent;
    const values = Float32Array.from(new Uint8Array(copyBytes(sent.data)), (byte) =>
      byte === NO_NUMBER ? NaN : (byte / (NO_NUMBER - 1)) * maximum,
    );
    panel.decoded = { sent, map: { values, rows, columns, maximum } };
  }
  context.save();
  context.globalAlpha = explorer.store.isResultCurrent() ? 1 : OUTDATED_ALPHA;
  drawNumberMap(panel, explorer, panel.decoded.map, true);
  context.restore();
}

/**
 * @param {Panel} panel
 * @param {Explorer} explorer
 * @param {NumberMap} map
 * @param {boolean} smooth
 */
function drawNumberMap(panel, explorer, map, smooth) {
  const { context, canvas, scratch, view } = panel;
  const isAboutOne = view.scale === "about 1";
  let maximum = map.maximum ?? 0;
  let minimum = Infinity;
  for (const value of map.values) {
    if (map.maximum === undefined && value > maximum) maximum = value;
    if (value < minimum) minimum = value;
  }
  const top = isAboutOne ? topAboutOne(minimum, maximum) : roundUp(maximum);
  const position = isAboutOne
    ? (/** @type {number} */ value) => 0.5 + Math.log(value) / (2 * Math.log(top))
    : (/** @type {number} */ value) => value / top;
  const colours = explorer.colours[isAboutOne ? "diverging" : "map"];
  drawMap(context, scratch, frameOf(view, canvas), map, position, colours, smooth);
  panel.shown = map;
  const text = `${Number(top.toPrecision(3))} ${view.unit}`;
  if (panel.top.textContent !== text) panel.top.textContent = text;
  const low = isAboutOne ? `1/${top}` : "0";
  if (panel.bottom.textContent !== low) panel.bottom.textContent = low;
}

/**
 * The number of a map at a place of its frame, as text; empty where there is no map.
 *
 * @param {Panel} panel
 * @param {number} x
 * @param {number} y
 */
export function readOut({ shown }, x, y) {
  if (!shown || Math.abs(x) > 1 || Math.abs(y) > 1) return "";
  const cell = (/** @type {number} */ place, /** @type {number} */ count) =>
    Math.min(Math.floor(((place + 1) / 2) * count), count - 1);
  const value = shown.values[cell(y, shown.rows) * shown.columns + cell(x, shown.columns)];
  return Number.isNaN(value) ? "here: no value" : `here: ${Number(value.toPrecision(3))}`;
}
