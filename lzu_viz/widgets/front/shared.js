/**
 * The state that several views of one model share, what follows from it, and its way to the kernel.
 *
 * The model holds the state (what the controls say) and the last answer (what only the kernel can
 * know: the networks' outputs, maps of errors, and the numbers). The picture never waits for it.
 */
import { buildPyramid, folds, fromBoxes, fromBoxesInPixels, fromFoveas, makeWarp, mix, morph, moveNodes, zoomPicture } from "./warp.js";
import { sidesOf } from "./paint.js";

const ANSWER_WITHIN_MS = 10_000;
// On two cores, a kernel that computes on one of them takes it from the picture.
const REST_TIMES = globalThis.navigator?.hardwareConcurrency > 2 ? 1 : 6;
const LEAST_REST_MS = 100;
const MOST_REST_MS = 800;
const UNDO_STEPS = 100;
const MOST_SENT = 2_000_000;
const MOST_OPENED = 100_000_000;
const MOST_BYTES = 200_000_000;

/** Whether two values say the same; the serial number of a message is no part of it. */
export function same(first, second) {
  if (Object(first) !== first || Object(second) !== second) return first === second;
  const keys = (each) => Object.keys(each).filter((key) => key !== "serial");
  return keys(first).length === keys(second).length && keys(first).every((key) => same(first[key], second[key]));
}

/**
 * The saliency of a state, as `looks.py` makes it.
 *
 * @param {?{rows: number, columns: number, cells: Float64Array}} found what the kernel found in the
 *     image, for the kinds that need it.
 * @returns {?{rows: number, columns: number, cells: Float64Array}} null while that is not known.
 */
export function saliencyOf(state, size, found) {
  const map = { rows: state.columns / 2, columns: state.columns };
  const share = state.strength / 100;
  const boxes = state.boxes.map(sidesOf);
  const amplitude = share / (1 - share) / boxes.length;
  if (state.kind === "foveas") {
    const foveas = state.foveas.map(({ x, y, width }) => ({ x, y, width: width / 100 }));
    return { ...map, cells: fromFoveas(map, foveas, share) };
  }
  if (state.kind === "boxes") return { ...map, cells: fromBoxes(map, boxes, amplitude, state.spread / 100) };
  if (state.kind === "boxes in pixels") {
    const frame = [size.height, size.width];
    return { ...map, cells: fromBoxesInPixels(map, boxes, amplitude, state.bandwidth, frame) };
  }
  if (!found) return null;
  const { rows, columns } = found;
  const even = fromFoveas({ rows, columns }, [], 0);
  return { rows, columns, cells: mix([even, found.cells], [1 - share, share]) };
}

/** The warp of a state, its moved nodes included, as `looks.py` makes it. */
export function warpOf(state, map) {
  const warp = makeWarp(map, {
    rows: state.pieces,
    columns: state.pieces,
    fwhm: [state.fwhm / 100, state.fwhm / 100],
    separable: state.separable,
    antiCrop: state.anti_crop,
  });
  return morph(moveNodes(warp, state.nodes), state.morph);
}

export class Shared {
  constructor(model) {
    this.model = model;
    this.state = model.get("_state");
    this.told = this.state;
    this.past = [];
    this.sent = 0;
    // Another page may show the same model: its messages are told from ours by this name.
    this.name = Math.random().toString(36).slice(2);
    this.waiting = null;
    this.restUntil = 0;
    this.resting = false;
    this.views = new Set();
    this.pyramid = null;
    this.found = {};
    this.known = null;
    model.on("change:_state", () => this.receive());
    model.on("change:_answer", () => this.answered());
    model.on("change:_photo", () => this.load());
    this.keep();
    this.load();
  }

  /** Decode the photo once, for all views. */
  async load() {
    try {
      const picture = await pixels(this.model.get("_photo"));
      this.pyramid = buildPyramid(picture);
      this.size = { width: picture.width, height: picture.height };
      this.known = null;
      this.found = {};
      this.keep();
      this.photos = (this.photos ?? 0) + 1;
    } catch (error) {
      for (const view of this.views) view.say(`The photo cannot be shown: ${error.message}`);
      return;
    }
    for (const view of this.views) view.resize();
  }

  /** Send a photo of the reader's own, made small enough for the way to the kernel. */
  async upload(file) {
    if (file.size > MOST_BYTES) throw new Error(`it has ${Math.round(file.size / 1e6)} MB, at most ${MOST_BYTES / 1e6} are read`);
    // The size comes from the head of the file: a small file may claim to be a huge picture.
    const { width, height } = await measure(file);
    if (Math.min(width, height) < 2) throw new Error("one pixel has nothing to zoom into");
    if (width * height > MOST_OPENED) {
      throw new Error(`it has ${Math.round((width * height) / 1e6)} megapixels, at most ${MOST_OPENED / 1e6} are read`);
    }
    const scale = Math.min(1, Math.sqrt(MOST_SENT / (width * height)));
    const [across, down] = [width, height].map((side) => Math.max(2, Math.floor(side * scale)));
    const smaller = scale < 1 ? { resizeWidth: across, resizeHeight: down, resizeQuality: "high" } : {};
    const picture = await createImageBitmap(file, smaller);
    const canvas = new OffscreenCanvas(across, down);
    const context = canvas.getContext("2d");
    context.fillStyle = "white"; // under what is transparent
    context.fillRect(0, 0, across, down);
    context.drawImage(picture, 0, 0, across, down);
    picture.close();
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    this.send("_upload", { width, height, file: new DataView(await blob.arrayBuffer()) });
  }

  /** Take a new state from a control or a gesture. `done` ends a gesture: one step of undo. */
  change(part, done = true) {
    this.gestureStart ??= this.state;
    this.state = { ...this.state, ...part };
    for (const view of this.views) view.notice = "";
    if (done) this.commit();
    this.redraw();
    this.tell();
  }

  commit() {
    if (this.gestureStart && !same(this.gestureStart, this.state)) {
      this.past.push(this.gestureStart);
      if (this.past.length > UNDO_STEPS) this.past.shift();
    }
    this.gestureStart = null;
  }

  undo() {
    this.commit();
    const last = this.past.pop();
    if (!last) return;
    this.state = { ...last };
    this.redraw();
    this.tell();
  }

  /**
   * Tell the kernel, one message at a time: while it works, only the newest state waits. While the
   * hand moves, the kernel also rests between answers, longest on a small machine, for the sake of
   * the picture. As soon as the hand lets go, it is told.
   */
  tell() {
    if (this.waiting !== null || same(this.told, this.state)) return;
    const rest = this.gestureStart ? this.restUntil - performance.now() : 0;
    if (rest > 0) {
      if (!this.resting) setTimeout(() => { this.resting = false; this.tell(); }, rest);
      this.resting = true;
      return;
    }
    this.send("_state", this.state);
  }

  send(name, value) {
    this.sent += 1;
    const serial = `${this.name} ${this.sent}`;
    this.waiting = serial;
    this.since = performance.now();
    if (name === "_state") this.told = this.state;
    this.model.set(name, { ...value, serial });
    this.model.save_changes();
    // A kernel that was restarted never answers; the next change asks again.
    setTimeout(() => { if (this.waiting === serial) { this.waiting = null; this.told = null; this.redraw(); } }, ANSWER_WITHIN_MS);
  }

  answered() {
    const { serial, took_ms: took = 0 } = this.model.get("_answer");
    if (serial === this.waiting) this.waiting = null;
    this.restUntil = performance.now() + Math.min(Math.max(REST_TIMES * took, LEAST_REST_MS), MOST_REST_MS);
    this.keep();
    // Also after an answer that came too late: what changed meanwhile still has to be told.
    this.tell();
    this.redraw();
  }

  /** Keep the saliency that came with an answer, for as long as it belongs to the photo. */
  keep() {
    const { look, state } = this.model.get("_answer");
    if (!look || !state) return;
    const cells = Float64Array.from(new Float32Array(copied(look.cells)));
    this.found = { ...this.found, [state.kind]: { ...look, cells } };
  }

  /** A state set in Python or in another page, not one that this page has sent. */
  receive() {
    const given = this.model.get("_state");
    if (String(given.serial).startsWith(`${this.name} `)) return;
    this.commit();
    this.gestureStart = this.state;
    this.state = given;
    this.told = given;
    this.commit();
    this.redraw();
  }

  fresh() {
    const { state } = this.model.get("_answer");
    return Boolean(state) && same(state, this.state);
  }

  /** Whether the kernel has answered, or refused, all that there is to tell. */
  answeredAll() {
    return this.waiting === null && same(this.told, this.state);
  }

  /** What follows from the state, worked out once for all views and all redraws. */
  seen() {
    const { state, size } = this;
    const found = this.found[state.kind] ?? null;
    if (this.known?.state === state && this.known.found === found) return this.known;
    // While the kernel has still to find the saliency, the last one stays.
    const map = saliencyOf(state, size, found) ?? this.known?.map ?? { rows: 1, columns: 2, cells: Float64Array.of(0.5, 0.5) };
    const warp = warpOf(state, map);
    const side = state.input_size;
    if (this.buffer?.length !== side * side * 4) this.buffer = new Uint8ClampedArray(side * side * 4);
    const zoomed = { width: side, height: side, data: this.buffer };
    zoomPicture(this.pyramid, warp, side, side, state.antialias, this.buffer);
    this.known = { state, found, map, warp, zoomed, folded: folds(warp) };
    return this.known;
  }

  redraw() {
    for (const view of this.views) view.schedule();
  }
}

/** Bytes in a buffer of their own: what comes from the kernel may start anywhere in its message. */
export function copied(bytes) {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).slice().buffer;
}

async function pixels(bytes) {
  const image = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  image.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The size of a picture in a file, without decoding it. */
function measure(file) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    const address = URL.createObjectURL(file);
    image.onload = () => {
      URL.revokeObjectURL(address);
      resolve({ width: image.naturalWidth, height: image.naturalHeight });
    };
    image.onerror = () => {
      URL.revokeObjectURL(address);
      reject(new Error("it is no picture that this browser can read"));
    };
    image.src = address;
  });
}
