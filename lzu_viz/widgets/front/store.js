/**
 * The state that several views of one model share, what is derived from it, and its exchange with
 * the kernel.
 *
 * The model holds the state (the values of the controls) and the last result (what only the kernel
 * can compute: predictions of networks, error maps, and numbers). Drawing never waits for it.
 *
 * @import { Level, Model, Picture, SaliencyMap, State, Traits, Warp } from "./types.d.ts"
 * @import { Explorer } from "./explorer.js"
 *
 * @typedef {object} Derived what is derived from a state.
 * @property {State} state
 * @property {?SaliencyMap} imageSaliency
 * @property {SaliencyMap} map
 * @property {Warp} warp
 * @property {Picture} zoomed
 * @property {[number, number][]} folded
 */
import { equal } from "./equality.js";
import { buildMipmap } from "./mipmap.js";
import { clamp, round } from "./numbers.js";
import { copyBytes, decodePhoto, messageOf, reducePhoto } from "./photo.js";
import { zoomPicture } from "./resampling.js";
import { UNIFORM_FIELDS, saliencyOf, warpOf } from "./state_to_warp.js";
import { folds } from "./warp.js";

const RESULT_TIMEOUT_MS = 10_000;
// On two cores, a kernel that computes on one of them slows the drawing down.
const PAUSE_FACTOR = globalThis.navigator?.hardwareConcurrency > 2 ? 1 : 6;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 800;
const UNDO_STEPS = 100;
const TRANSITION_MS = 600;
/** Fields that change steadily in a transition; of the others, the new values hold from its start. */
const STEADY = /** @type {const} */ ({ strength: 0, fwhm: 0, morph: 2 });

/** @type {SaliencyMap} */
const NO_SALIENCY = { rows: 1, columns: 2, cells: Float64Array.of(0.5, 0.5) };

export class ExplorerStore {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.state = model.get("_state");
    /** @type {?State} the state that the kernel was last sent; null if it has to be sent again. */
    this.lastSent = this.state;
    /** @type {State[]} */
    this.undoStack = [];
    /** @type {?State} the state before the gesture in progress. */
    this.gestureStart = null;
    this.sentCount = 0;
    // Another page may show the same model: the prefix distinguishes its messages from ours.
    this.prefix = Math.random().toString(36).slice(2);
    /** @type {?string} serial of the last message, until the kernel's result for it arrives. */
    this.pendingSerial = null;
    /** Whether the kernel has not answered the last message in time. */
    this.isSilent = false;
    this.sentAt = 0;
    /** When the state was changed last, the state that was sent, and the one of the last result. */
    this.changedAt = 0;
    this.sentChangedAt = 0;
    this.answeredChangedAt = 0;
    this.pauseUntil = 0;
    this.isPaused = false;
    /** @type {Set<Explorer>} */
    this.views = new Set();
    /** @type {?Level[]} */
    this.mipmap = null;
    this.size = { width: 0, height: 0 };
    this.photoCount = 0;
    /** @type {Record<string, SaliencyMap>} saliency from the kernel, by kind. */
    this.imageSaliency = {};
    /** @type {?Derived} */
    this.cache = null;
    /** @type {Picture} reused for every zoomed picture of the same size. */
    this.zoomed = { width: 0, height: 0, data: new Uint8ClampedArray(0) };
    model.on("change:_state", () => this.onState());
    model.on("change:_result", () => this.onResult());
    model.on("change:_photo", () => this.loadPhoto());
    model.on("change:_ground_truth", () => this.redraw());
    model.on("change:_goal", () => this.onGoal());
    /** @type {?number} the animation frame of a transition. */
    this.transition = null;
    // JupyterLab closes the connections of all widgets when a kernel is restarted.
    this.isConnected = true;
    model.on("comm_live_update", (widget) => this.onConnection(widget?.comm_live !== false));
    this.storeImageSaliency();
    this.loadPhoto();
  }

  /** Decode the photo once, for all views. */
  async loadPhoto() {
    try {
      const picture = await decodePhoto(this.model.get("_photo"));
      this.mipmap = buildMipmap(picture);
      this.size = { width: picture.width, height: picture.height };
      this.cache = null;
      this.imageSaliency = {};
      this.storeImageSaliency();
      this.photoCount += 1;
    } catch (error) {
      for (const view of this.views) view.notify(`The photo cannot be shown: ${messageOf(error)}`);
      return;
    }
    for (const view of this.views) {
      view.notice = "";
      view.resize();
    }
  }

  /**
   * Reduce a photo of the user, and send it to the kernel.
   *
   * @param {File} file
   */
  async upload(file) {
    this.send("_upload", await reducePhoto(file));
  }

  onGoal() {
    const { state } = this.model.get("_goal");
    if (state) this.goTo(state);
  }

  /**
   * Go to a state gradually, as one step of undo; a gesture ends the transition.
   *
   * @param {State} goal
   */
  goTo(goal) {
    if (this.transition !== null) cancelAnimationFrame(this.transition);
    this.commit();
    const start = this.state;
    const begin = performance.now();
    const isAtOnce = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    /** @type {?State} the state of the previous step. */
    let expected = start;
    const step = (/** @type {number} */ now) => {
      if (this.state !== expected) return;
      const phase = isAtOnce ? 1 : clamp((now - begin) / TRANSITION_MS, 0, 1);
      const eased = 0.5 - 0.5 * Math.cos(Math.PI * phase);
      const { serial: _, ...end } = goal;
      this.change(phase < 1 ? between(start, goal, eased) : end, phase === 1);
      expected = this.state;
      this.transition = phase < 1 ? requestAnimationFrame(step) : null;
    };
    this.transition = requestAnimationFrame(step);
  }

  /** Ask the kernel for the photo that the explorer was made with. */
  goBack() {
    this.send("_upload", { back: true });
  }

  /**
   * Note whether the kernel can be reached; after a restart it cannot, as it has another model.
   *
   * @param {boolean} isConnected
   */
  onConnection(isConnected) {
    this.isConnected = isConnected;
    this.pendingSerial = null;
    this.redraw();
  }

  /**
   * Change fields of the state, from a control or a gesture.
   *
   * @param {Partial<State>} part
   * @param {boolean} [done] whether this ends the gesture, which is one step of undo.
   */
  change(part, done = true) {
    this.gestureStart ??= this.state;
    this.state = { ...this.state, ...part };
    this.changedAt = performance.now();
    for (const view of this.views) view.notice = "";
    if (done) this.commit();
    this.redraw();
    this.sendState();
  }

  /** End the gesture in progress. */
  commit() {
    if (this.gestureStart && !equal(this.gestureStart, this.state)) {
      this.undoStack.push(this.gestureStart);
      if (this.undoStack.length > UNDO_STEPS) this.undoStack.shift();
    }
    this.gestureStart = null;
  }

  undo() {
    this.commit();
    const previous = this.undoStack.pop();
    if (!previous) return;
    this.state = { ...previous };
    this.redraw();
    this.sendState();
  }

  /**
   * Send the state to the kernel, one message at a time: while the kernel computes, only the newest
   * state waits. During a gesture the kernel also pauses between results, longest on a small
   * machine, to leave the processor to the drawing. The end of the gesture ends the pause.
   */
  sendState() {
    if (!this.isConnected) return;
    if (this.pendingSerial !== null || equal(this.lastSent, this.state)) return;
    const pause = this.gestureStart ? this.pauseUntil - performance.now() : 0;
    if (pause > 0) {
      if (!this.isPaused)
        setTimeout(() => {
          this.isPaused = false;
          this.sendState();
        }, pause);
      this.isPaused = true;
      return;
    }
    this.send("_state", this.state);
  }

  /**
   * @template {"_state" | "_upload"} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  send(name, value) {
    this.sentCount += 1;
    const serial = `${this.prefix} ${this.sentCount}`;
    this.pendingSerial = serial;
    this.sentAt = performance.now();
    if (name === "_state") this.lastSent = this.state;
    this.sentChangedAt = this.changedAt;
    this.model.set(name, { ...value, serial });
    this.model.save_changes();
    // A kernel that does not answer may have been restarted; the next change sends the state again.
    setTimeout(() => {
      if (this.pendingSerial === serial) {
        this.pendingSerial = null;
        this.lastSent = null;
        this.isSilent = true;
        this.redraw();
      }
    }, RESULT_TIMEOUT_MS);
  }

  onResult() {
    const { serial, took_ms: tookMs } = this.model.get("_result");
    if (serial === this.pendingSerial) {
      this.pendingSerial = null;
      this.answeredChangedAt = this.sentChangedAt;
    }
    this.isSilent = false;
    // Results without a time come from the page itself, which has no messages to wait for.
    const pause =
      tookMs === undefined ? 0 : clamp(PAUSE_FACTOR * tookMs, MIN_PAUSE_MS, MAX_PAUSE_MS);
    this.pauseUntil = performance.now() + pause;
    this.storeImageSaliency();
    // Also after a result that came too late: the state may have changed in the meantime.
    this.sendState();
    this.redraw();
  }

  /** Keep the saliency of a result until the photo changes. */
  storeImageSaliency() {
    const { saliency, state } = this.model.get("_result");
    if (!saliency || !state) return;
    const cells = Float64Array.from(new Float32Array(copyBytes(saliency.cells)));
    this.imageSaliency = { ...this.imageSaliency, [state.saliency_kind]: { ...saliency, cells } };
  }

  /** Adopt a state that was set in Python or in another page; ignore the echo of our own. */
  onState() {
    const state = this.model.get("_state");
    if (String(state.serial).startsWith(`${this.prefix} `)) return;
    this.commit();
    this.gestureStart = this.state;
    this.state = state;
    this.lastSent = state;
    this.commit();
    this.redraw();
  }

  /** Whether the last result belongs to the current state. */
  isResultCurrent() {
    const { state } = this.model.get("_result");
    return Boolean(state) && equal(state, this.state);
  }

  /** Whether the uniform prediction of the last result belongs to the current state. */
  isUniformCurrent() {
    const { state } = this.model.get("_result");
    return Boolean(state) && UNIFORM_FIELDS.every((field) => state?.[field] === this.state[field]);
  }

  /** Whether the kernel has computed, or rejected, the current state. */
  isSettled() {
    return this.pendingSerial === null && equal(this.lastSent, this.state);
  }

  /**
   * What is derived from the state, computed once for all views and all redraws.
   *
   * @returns {Derived}
   */
  derive() {
    const { state, size } = this;
    const imageSaliency = this.imageSaliency[state.saliency_kind] ?? null;
    const { cache } = this;
    if (cache?.state === state && cache.imageSaliency === imageSaliency) return cache;
    // Until the kernel has computed the saliency, the previous map stays.
    const map = saliencyOf(state, size, imageSaliency) ?? cache?.map ?? NO_SALIENCY;
    const warp = warpOf(state, map);
    const side = state.input_size;
    if (this.zoomed.width !== side) {
      this.zoomed = { width: side, height: side, data: new Uint8ClampedArray(side * side * 4) };
    }
    const { zoomed } = this;
    if (this.mipmap) zoomPicture(this.mipmap, warp, side, side, state.antialias, zoomed.data);
    this.cache = { state, imageSaliency, map, warp, zoomed, folded: folds(warp) };
    return this.cache;
  }

  redraw() {
    for (const view of this.views) view.schedule();
  }
}

/**
 * A state between two others; what cannot be between is that of the second.
 *
 * @param {State} start
 * @param {State} end
 * @param {number} amount in 0..1.
 * @returns {State}
 */
export function between(start, end, amount) {
  const mix = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ digits) =>
    round(a + (b - a) * amount, digits);
  const { serial: _, ...state } = end;
  for (const [name, digits] of Object.entries(STEADY)) {
    const field = /** @type {keyof typeof STEADY} */ (name);
    state[field] = mix(start[field], end[field], digits);
  }
  if (start.foveas.length === end.foveas.length)
    state.foveas = end.foveas.map((fovea, index) => {
      const from = start.foveas[index];
      const width = mix(from.width, fovea.width, 0);
      return { x: mix(from.x, fovea.x, 2), y: mix(from.y, fovea.y, 2), width };
    });
  return state;
}
