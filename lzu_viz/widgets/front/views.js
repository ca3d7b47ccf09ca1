/**
 * What each view draws. A view is one canvas; it draws from the state, from what follows from it
 * (`seen`), and from the kernel's last answer, which is pale while it belongs to an older state.
 *
 * A drawing function gets the panel (its canvas, context, scale and memory) and the explorer.
 */
import { identityWarp, magnification, unzoomPicture, zoomPicture } from "./warp.js";
import {
  drawBox, drawFolds, drawFovea, drawGrid, drawInset, drawLabel, drawMap, drawNodes, drawRectangle, drawTag, nice, square, whole,
} from "./paint.js";
import { copied } from "./shared.js";

const MOST_LINES = 16;
const PALE = 0.6;
const NOTHING = [200, 200, 200];
const NO_NUMBER = 255;
const IDENTITY = identityWarp(1, 1);

/** Where a view's frame lies on its canvas. */
export const frameOf = (view, canvas) => (view.frame === "zoomed" ? square(canvas) : whole(canvas));

/** Draw one panel, and what every view shows: where the warp is folded. */
export function drawPanel(panel, explorer) {
  const { context, canvas, view } = panel;
  panel.values = null;
  (DRAW[view.name] ?? drawKernelMap)(panel, explorer);
  const { warp, folded } = explorer.shared.seen();
  drawFolds(context, frameOf(view, canvas), warp, folded, view.frame === "source", explorer.colours.fold);
  panel.cell.classList.toggle("lzu-folded", folded.length > 0);
}

const DRAW = { source, zoomed, uniform, unzoomed, saliency, magnification: magnified };

/** Keep an image with a panel for as long as `key` and the size stay: a redraw then costs little. */
function remembered(panel, key, make) {
  const { context, canvas } = panel;
  const known = panel.base;
  const fits = known && known.image.width === canvas.width && known.image.height === canvas.height;
  if (!fits || known.key !== key) {
    const image = fits ? known.image : context.createImageData(canvas.width, canvas.height);
    make(image.data);
    panel.base = { key, image };
  }
  context.putImageData(panel.base.image, 0, 0);
}

function source(panel, explorer) {
  const { context, canvas, scale } = panel;
  const { state, pyramid } = explorer.shared;
  const { warp } = explorer.shared.seen();
  const frame = whole(canvas);
  remembered(panel, pyramid, (data) => zoomPicture(pyramid, IDENTITY, canvas.height, canvas.width, true, data));
  const byHand = state.hand === "nodes";
  drawGrid(context, frame, warp, byHand ? Infinity : MOST_LINES, explorer.colours.grid, scale);
  if (byHand) {
    drawNodes(context, frame, warp, state.nodes, explorer.selected.node, explorer.colours, scale);
    return;
  }
  const [list, draw] = state.kind === "foveas" ? ["foveas", drawFovea] : ["boxes", drawBox];
  if (!["foveas", "boxes", "boxes in pixels"].includes(state.kind)) return;
  state[list].forEach((each, index) =>
    draw(context, frame, each, index === explorer.selected[list], explorer.colours, scale),
  );
}

function zoomed(panel, explorer) {
  const { context, canvas } = panel;
  const { left, top, width, height } = square(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(panel.sheet.put(explorer.shared.seen().zoomed), left, top, width, height);
}

function uniform(panel, explorer) {
  const { canvas } = panel;
  const { shared } = explorer;
  const { input_size: side, antialias } = shared.state;
  remembered(panel, `${side} ${antialias} ${shared.photos}`, (data) => {
    const small = { width: side, height: side, data: new Uint8ClampedArray(side * side * 4) };
    zoomPicture(shared.pyramid, IDENTITY, side, side, antialias, small.data);
    unzoomPicture(small, IDENTITY, canvas.height, canvas.width, data);
  });
  drawAnswer(panel, explorer, "uniform");
}

function unzoomed(panel, explorer) {
  const { canvas } = panel;
  const seen = explorer.shared.seen();
  remembered(panel, seen, (data) =>
    unzoomPicture(seen.zoomed, seen.warp, canvas.height, canvas.width, data, NOTHING),
  );
  drawAnswer(panel, explorer, "zoom");
}

/** The network's answer, and the truth. */
function drawAnswer(panel, explorer, which) {
  const { context, canvas, scale } = panel;
  const { model, shared, colours } = explorer;
  if (shared.state.network === "none") return;
  const answer = model.get("_answer")[which];
  const frame = whole(canvas);
  const overlay = answer?.mask && decoded(explorer, which, answer.mask);
  const boxes = answer?.boxes ?? [];
  const pale = shared.fresh() ? 1 : PALE;
  context.globalAlpha = pale;
  context.imageSmoothingEnabled = true;
  if (overlay) context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
  for (const [box] of boxes) drawRectangle(context, frame, box, colours.answer, scale);
  context.globalAlpha = 1;
  drawTruth(panel, explorer, answer);
  context.globalAlpha = pale; // labels lie above: the close-up would only blow them up
  for (const [box, label] of boxes) drawLabel(context, frame, box, label, colours.answer, scale);
  context.globalAlpha = 1;
  const said = answer && (shared.fresh() ? !answer.found && "nothing found" : "earlier answer");
  if (said) drawTag(context, said, 6 * scale, canvas.height - 8 * scale, colours.answer, scale);
}

/** What is true, where that is known, and a close-up of it. */
function drawTruth({ context, canvas, scale }, explorer, answer) {
  const truth = explorer.model.get("_truth");
  if (!truth.box) return;
  const outline = answer?.mask ? decoded(explorer, "truth", truth.outline) : null;
  if (outline) context.drawImage(outline, 0, 0, canvas.width, canvas.height);
  else drawRectangle(context, whole(canvas), truth.box, explorer.colours.truth, scale);
  drawInset(context, whole(canvas), truth.box, scale);
}

/** A mask that came as a PNG, decoded once; until it is there, the last one. */
function decoded(explorer, which, bytes) {
  const known = explorer.decoded[which];
  if (known?.bytes === bytes) return known.image;
  const made = { bytes, image: known?.image ?? null };
  explorer.decoded[which] = made;
  explorer.decoding += 1;
  createImageBitmap(new Blob([bytes], { type: "image/png" }))
    .then((image) => {
      // A newer mask may have come meanwhile; this one is then of no use.
      if (explorer.decoded[which] !== made) image.close();
      else made.image = image;
    })
    .finally(() => {
      explorer.decoding -= 1;
      explorer.schedule();
    });
  return made.image;
}

function saliency(panel, explorer) {
  const { rows, columns, cells } = explorer.shared.seen().map;
  const values = cells.map((cell) => cell * cells.length);
  showMap(panel, explorer, { values, rows, columns }, false);
}

function magnified(panel, explorer) {
  const { canvas } = panel;
  const [rows, columns] = [Math.round(canvas.height / panel.scale / 3), Math.round(canvas.width / panel.scale / 3)];
  const values = magnification(explorer.shared.seen().warp, rows, columns);
  showMap(panel, explorer, { values, rows, columns }, true);
}

/** A map that came with the kernel's answer, or a word that there is none. */
function drawKernelMap(panel, explorer) {
  const { context, canvas, view, scale } = panel;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const sent = explorer.model.get("_answer").maps?.[view.name];
  if (!sent) {
    drawTag(context, "no answer to show", 6 * scale, canvas.height - 8 * scale, explorer.colours.answer, scale);
    return;
  }
  if (panel.sent !== sent) {
    const bytes = new Uint8Array(copied(sent.data));
    const values = Float32Array.from(bytes, (byte) => (byte === NO_NUMBER ? NaN : (byte / (NO_NUMBER - 1)) * sent.most));
    Object.assign(panel, { sent, map: { values, rows: sent.rows, columns: sent.columns, most: sent.most } });
  }
  context.save();
  context.globalAlpha = explorer.shared.fresh() ? 1 : PALE;
  showMap(panel, explorer, panel.map, true);
  context.restore();
}

function showMap(panel, explorer, map, smooth) {
  const most = map.most ?? map.values.reduce((a, b) => (b > a ? b : a), 0);
  const top = nice(most);
  drawMap(panel.context, panel.sheet, frameOf(panel.view, panel.canvas), map, top, explorer.colours, smooth);
  panel.values = map;
  const text = `${Number(top.toPrecision(3))} ${panel.view.unit}`;
  if (panel.top.textContent !== text) panel.top.textContent = text;
}

/** The number of a map at a place of its frame, in words, or nothing. */
export function readOut({ values: map }, x, y) {
  if (!map || Math.abs(x) > 1 || Math.abs(y) > 1) return "";
  const cell = (place, count) => Math.min(Math.floor(((place + 1) / 2) * count), count - 1);
  const value = map.values[cell(y, map.rows) * map.columns + cell(x, map.columns)];
  return Number.isNaN(value) ? "here: none" : `here: ${Number(value.toPrecision(3))}`;
}
