/**
 * The worker of a page without a kernel: it loads the networks and their runtime, and computes the
 * results of the explorer beside the page, whose drawing does not wait for it.
 *
 * @import { PagePrediction, Prediction, WorkerAnswer, WorkerRequest } from "./types.d.ts"
 */
import { PageExplorer } from "./explore.js";
import { buildMipmap } from "./mipmap.js";
import { Networks } from "./networks.js";
import { messageOf } from "./photo.js";

const MASK_ALPHA = 153;

/** @type {(answer: WorkerAnswer, transfer?: Transferable[]) => void} */
const send = (answer, transfer = []) => postMessage(answer, { transfer });

/**
 * A prediction as the page draws it: the mask as an image.
 *
 * @param {PagePrediction} prediction
 * @param {number[]} colour
 * @param {Transferable[]} transfer where the image is added.
 * @returns {Prediction}
 */
function drawable({ mask, ...prediction }, colour, transfer) {
  if (!mask) return prediction;
  const { rows, columns, cells } = mask;
  const canvas = new OffscreenCanvas(columns, rows);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const [red, green, blue] = colour;
  new Uint8Array(pixels.buffer, 0, 4).set([red, green, blue, MASK_ALPHA]);
  const [inside] = pixels;
  for (let cell = 0; cell < cells.length; cell++) pixels[cell] = cells[cell] ? inside : 0;
  context.putImageData(image, 0, 0);
  const bitmap = canvas.transferToImageBitmap();
  transfer.push(bitmap);
  return { ...prediction, mask: bitmap };
}

/** @type {?Networks} */
let networks = null;
/** @type {?PageExplorer} */
let explorer = null;
/** @type {?PagePrediction} the uniform prediction that the page was last sent. */
let sentUniform = null;

/** @type {{[Kind in WorkerRequest["kind"]]: (request: Extract<WorkerRequest, {kind: Kind}>) => Promise<void>}} */
const HANDLE = {
  async start(request) {
    networks = new Networks(request, (loaded, total) => send({ kind: "progress", loaded, total }));
  },

  async files({ files }) {
    if (networks) Object.assign(networks.files, files);
  },

  async load({ serial, network }) {
    try {
      await networks?.session(network);
      send({ kind: "loaded", serial });
    } catch (error) {
      send({ kind: "failed", serial, text: messageOf(error) });
    }
  },

  async photo({ picture, truth }) {
    if (!networks) return;
    const mipmap = buildMipmap(picture);
    explorer = new PageExplorer({ mipmap, truth }, networks.entries, networks.run);
  },

  async explore({ serial, state, views, colour }) {
    try {
      if (!explorer) throw new Error("there is no photo yet");
      const result = await explorer.explore(state, views);
      /** @type {Transferable[]} */
      const transfer = [];
      // While only the warp changes, the page has the uniform prediction already.
      const uniform =
        result.uniform === sentUniform ? null : drawable(result.uniform, colour, transfer);
      sentUniform = result.uniform;
      const zoom = drawable(result.zoom, colour, transfer);
      send({ kind: "result", serial, result: { ...result, uniform, zoom } }, transfer);
    } catch (error) {
      send({ kind: "error", serial, text: messageOf(error) });
    }
  },

  async score({ serial, state }) {
    const score = await explorer?.scores(state).catch(() => null);
    send({ kind: "score", serial, score: score ?? null });
  },

  async cells({ serial, state, cells, weights }) {
    const values = await explorer?.cellValues(state, cells, weights).catch(() => null);
    send({ kind: "cells", serial, cells: values ?? null });
  },
};

/** @type {WorkerRequest[]} requests that wait: a session runs one image at a time. */
const queue = [];
let isBusy = false;

async function work() {
  if (isBusy) return;
  isBusy = true;
  for (let request = next(); request; request = next())
    await /** @type {(request: WorkerRequest) => Promise<void>} */ (HANDLE[request.kind])(request);
  isBusy = false;
}

/** Take the next request: points of curves wait until nothing else does. */
function next() {
  const index = queue.findIndex(({ kind }) => kind !== "score");
  return queue.splice(Math.max(index, 0), 1)[0];
}

addEventListener("message", ({ data }) => {
  const request = /** @type {WorkerRequest} */ (data);
  queue.push(request);
  work();
});
