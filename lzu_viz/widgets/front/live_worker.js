/**
 * The worker of the page on film: it detects objects in a frame, uniformly downsampled or zoomed.
 * The page has one for each system, so that both run at once.
 *
 * @import { LiveAnswer, LiveRequest } from "./types.d.ts"
 */
import { decodeOutputs } from "./detections.js";
import { buildMipmap } from "./mipmap.js";
import { Networks, outputNames, planes } from "./networks.js";
import { messageOf } from "./photo.js";
import { zoomToFloats } from "./resampling.js";
import { detectionsToSource, warpForBoxes } from "./video_loop.js";
import { identityWarp } from "./warp.js";

const NETWORK = "detector";
const IDENTITY = identityWarp(1, 1);

/** @type {(answer: LiveAnswer, transfer?: Transferable[]) => void} */
const send = (answer, transfer = []) => postMessage(answer, { transfer });

/** @type {?Networks} */
let networks = null;

/** @param {Extract<LiveRequest, {kind: "start"}>} request */
async function start(request) {
  // Two workers on one thread each: more threads would only compete.
  const report = (/** @type {number} */ loaded, /** @type {number} */ total) =>
    send({ kind: "progress", loaded, total });
  networks = new Networks(request, report, 1);
  await networks.session(NETWORK);
  send({ kind: "loaded" });
}

/** @param {Extract<LiveRequest, {kind: "detect"}>} request */
async function detect({ frame, boxes, loop, size, score }) {
  if (!networks) throw new Error("the networks have not been loaded");
  const times = [performance.now()];
  const warp = boxes ? warpForBoxes(boxes, loop) : IDENTITY;
  // Of a separable warp only the finest level is read.
  const input = zoomToFloats(buildMipmap(frame, 0), warp, size, true);
  const image = planes(input);
  times.push(performance.now());
  const entry = networks.entries[NETWORK];
  const names = outputNames(entry);
  const outputs = await networks.run(NETWORK, image, size, names);
  times.push(performance.now());
  const options = { upsampleFactor: 1, strides: entry.strides, threshold: score };
  const found = detectionsToSource(
    decodeOutputs(
      names.map((name) => outputs[name]),
      IDENTITY,
      { ...options, size: [size.rows, size.columns] },
    ),
    warp,
  );
  times.push(performance.now());
  const [zoom, network, decode] = [1, 2, 3].map((stage) => times[stage] - times[stage - 1]);
  const pixels = new ImageData(Uint8ClampedArray.from(input), size.columns, size.rows);
  const bitmap = await createImageBitmap(pixels);
  const detections = found.map(({ label, ...rest }) => ({ ...rest, name: entry.classes[label] }));
  const took = { zoom, network, decode };
  const axes = boxes ? warp.axes : null;
  send({ kind: "detected", detections, axes, input: bitmap, took }, [bitmap]);
}

addEventListener("message", async ({ data }) => {
  const request = /** @type {LiveRequest} */ (data);
  try {
    await (request.kind === "start" ? start(request) : detect(request));
  } catch (error) {
    send({ kind: request.kind === "start" ? "failed" : "error", text: messageOf(error) });
  }
});
