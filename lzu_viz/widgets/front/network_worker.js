/**
 * The worker of a page without a kernel: it loads the networks and their runtime, and computes the
 * results of the explorer beside the page, whose drawing does not wait for it.
 *
 * @import { PagePrediction, Prediction, WorkerAnswer, WorkerRequest } from "./types.d.ts"
 *
 * @typedef {any} Runtime the module of onnxruntime-web.
 */
import { PageExplorer } from "./explore.js";
import { buildMipmap } from "./mipmap.js";
import { messageOf } from "./photo.js";

const MODULE = "ort.wasm.bundle.min.mjs";
const PROGRAM = "ort-wasm-simd-threaded.wasm";
const MASK_ALPHA = 153;
const MAX_THREADS = 4;

/** @type {(answer: WorkerAnswer, transfer?: Transferable[]) => void} */
const send = (answer, transfer = []) => postMessage(answer, { transfer });

/** Loads the files of the networks, and runs them. */
class Networks {
  /** @param {Extract<WorkerRequest, {kind: "start"}>} request */
  constructor({ base, files, networks }) {
    this.base = base;
    this.files = files;
    this.entries = networks;
    /** @type {Promise<Runtime> | null} */
    this.runtime = null;
    /** @type {Map<string, Promise<any>>} */
    this.sessions = new Map();
    this.loaded = 0;
    this.total = 0;
  }

  /**
   * Load a file of the site, and compare its hash.
   *
   * @param {string} name
   */
  async load(name) {
    const { bytes, sha256, gzip } = this.files[name];
    this.total += bytes;
    const data = new Uint8Array(bytes);
    let at = 0;
    for await (const part of readParts(gzip ? unpack(gzip) : await this.fetch(name))) {
      if (at + part.length > bytes) throw new Error(`${name} is longer than ${bytes} bytes`);
      data.set(part, at);
      at += part.length;
      this.loaded += part.length;
      send({ kind: "progress", loaded: this.loaded, total: this.total });
    }
    if (at < bytes) throw new Error(`${name} has ${at} bytes in place of ${bytes}`);
    // Without a secure connection a browser computes no hashes.
    if (globalThis.crypto?.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      const text = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (text !== sha256) throw new Error(`${name} is not the file that the page was made with`);
    }
    return data;
  }

  /** @param {string} name */
  async fetch(name) {
    const response = await fetch(new URL(name, this.base));
    if (!response.ok || !response.body)
      throw new Error(`${name} cannot be fetched: ${response.status} ${response.statusText}`);
    return response.body;
  }

  async startRuntime() {
    const [code, program] = await Promise.all([this.load(MODULE), this.load(PROGRAM)]);
    // The address is kept: with several threads, the runtime loads itself from it again.
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const runtime = await import(url);
    // Only some hosts send the headers that let a page use several threads.
    const { crossOriginIsolated, navigator } = globalThis;
    runtime.env.wasm.numThreads = crossOriginIsolated
      ? Math.min(navigator.hardwareConcurrency, MAX_THREADS)
      : 1;
    runtime.env.wasm.wasmBinary = program.buffer;
    return runtime;
  }

  /** @param {string} name */
  session(name) {
    let session = this.sessions.get(name);
    if (!session) {
      this.runtime ??= this.startRuntime();
      session = Promise.all([this.runtime, this.load(`${name}.onnx`)]).then(([runtime, model]) =>
        runtime.InferenceSession.create(model, { executionProviders: ["wasm"] }),
      );
      this.sessions.set(name, session);
    }
    return session;
  }

  /** @type {import("./explore.js").Run} */
  run = async (name, image, side, outputs) => {
    const session = await this.session(name);
    const { Tensor } = await /** @type {Promise<Runtime>} */ (this.runtime);
    const input = new Tensor("float32", image, [1, 3, side, side]);
    const results = await session.run({ image: input }, outputs);
    return Object.fromEntries(
      outputs.map((output) => {
        const { dims, data } = results[output];
        const [, channels, rows, columns] = dims;
        return [output, { channels, rows, columns, data }];
      }),
    );
  };
}

/**
 * A stream of the bytes that a page holds itself.
 *
 * @param {string} packed base64 of the compressed bytes.
 * @returns {ReadableStream<Uint8Array>}
 */
function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  return new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
}

/**
 * The parts of a stream as they arrive.
 *
 * @param {ReadableStream<Uint8Array>} stream
 */
async function* readParts(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

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
    networks = new Networks(request);
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
