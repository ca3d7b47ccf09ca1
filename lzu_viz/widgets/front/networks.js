/**
 * The networks of a page: loads their files and their runtime, and runs them. It is used in workers,
 * as a network takes longer than a page may stand still.
 *
 * @import { BinaryData, FeatureMap, NetworkEntry, NetworkFile, Size } from "./types.d.ts"
 *
 * @typedef {any} Runtime the module of onnxruntime-web.
 *
 * @typedef {object} NetworkFiles
 * @property {string} base address of the folder with the files.
 * @property {Record<string, NetworkFile>} files by name.
 * @property {Record<string, NetworkEntry>} networks by name.
 */
const MODULE = "ort.wasm.bundle.min.mjs";
const PROGRAM = "ort-wasm-simd-threaded.wasm";
const MAX_THREADS = 4;

/** Loads the files of the networks, and runs them. */
export class Networks {
  /**
   * @param {NetworkFiles} source
   * @param {(loaded: number, total: number) => void} onProgress called with bytes while files load.
   * @param {number} [maxThreads] that a network may use, where the page may use several at all.
   */
  constructor({ base, files, networks }, onProgress, maxThreads = MAX_THREADS) {
    this.base = base;
    this.files = files;
    this.entries = networks;
    this.onProgress = onProgress;
    this.maxThreads = maxThreads;
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
      this.onProgress(this.loaded, this.total);
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
      ? Math.min(navigator.hardwareConcurrency, this.maxThreads)
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

  /**
   * Run a network on an image.
   *
   * @param {string} name
   * @param {Float32Array} image `3 rows columns` in 0..1.
   * @param {Size} size of the image.
   * @param {string[]} outputs names: "outputs_0" for the first stride, ..., and "features_0", ...
   * @returns {Promise<Record<string, FeatureMap>>} by name.
   */
  run = async (name, image, { rows, columns }, outputs) => {
    const session = await this.session(name);
    const { Tensor } = await /** @type {Promise<Runtime>} */ (this.runtime);
    const input = new Tensor("float32", image, [1, 3, rows, columns]);
    const results = await session.run({ image: input }, outputs);
    return Object.fromEntries(
      outputs.map((output) => {
        const { dims, data } = results[output];
        return [output, { channels: dims[1], rows: dims[2], columns: dims[3], data }];
      }),
    );
  };
}

/**
 * A stream of the bytes that a page holds itself.
 *
 * @param {string | BinaryData} packed the compressed bytes, or base64 of them.
 * @returns {ReadableStream<Uint8Array>}
 */
function unpack(packed) {
  const bytes =
    typeof packed === "string"
      ? Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0))
      : packed;
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

/** The names of a network's outputs, the smallest stride first. */
export const outputNames = (/** @type {NetworkEntry} */ { strides }) =>
  strides.map((_, level) => `outputs_${level}`);

/**
 * The planes `3 rows columns` in 0..1 of a picture.
 *
 * @param {Float32Array} picture RGBA in 0..255.
 */
export function planes(picture) {
  const count = picture.length / 4;
  const image = new Float32Array(3 * count);
  for (let pixel = 0, from = 0; pixel < count; pixel++, from += 4)
    for (let channel = 0; channel < 3; channel++)
      image[channel * count + pixel] = picture[from + channel] / 255;
  return image;
}
