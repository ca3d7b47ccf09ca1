/**
 * Curves of the score along sliders: the IoU that the network reaches at other values of one
 * control, with all others as they are. The kernel computes them point by point while nothing else
 * is to be done and the sliders are in view, and rests for half of the time.
 *
 * @import { ScorePair, State } from "./types.d.ts"
 * @import { Explorer } from "./explorer.js"
 *
 * @typedef {{low: number, high: number, step: number}} Range
 * @typedef {{key: string, values: number[], scores: (?ScorePair | undefined)[]}} Curve with the score
 *     at each value: undefined if it is not known yet, null if the state is invalid.
 */
import { clamp } from "./numbers.js";

/** Controls that have a curve. */
export const CURVES = ["strength", "fwhm", "pieces", "input_size", "foveas.x", "foveas.y"];

const MAX_POINTS = 17;
const IDLE_MS = 1500;
const ASK_MS = 100;

/**
 * The values of a control at which its curve is computed: at most `MAX_POINTS`, evenly spaced.
 *
 * @param {Range} range
 */
export function valuesOf({ low, high, step }) {
  const steps = Math.round((high - low) / step);
  const count = Math.min(MAX_POINTS, steps + 1);
  return Array.from({ length: count }, (_, k) => {
    const position = Math.round((k * steps) / (count - 1));
    return Number((low + position * step).toFixed(6));
  });
}

/**
 * The order in which a curve is computed: first coarse, then fine.
 *
 * @param {number} count
 */
export function coarseToFine(count) {
  const order = new Set([0, count - 1]);
  for (let stride = 2 ** Math.floor(Math.log2(count)); stride >= 1; stride /= 2)
    for (let k = 0; k < count; k += stride) order.add(k);
  return [...order];
}

export class SliderCurves {
  /**
   * @param {Explorer} explorer
   * @param {Element} controls curves are computed only while these are in view.
   */
  constructor(explorer, controls) {
    this.explorer = explorer;
    /** @type {Map<string, Curve>} */
    this.curves = new Map();
    this.changedAt = performance.now();
    /** @type {?State} */
    this.state = null;
    /** @type {?{serial: string, name: string, key: string, index: number, at: number}} the point in question, and when it was asked for. */
    this.asked = null;
    this.restsUntil = 0;
    this.count = 0;
    this.isInView = false;
    const { model } = explorer;
    if (model.get("_score") === undefined) return; // no kernel
    model.on("change:_score", () => this.onScore());
    this.observer = new IntersectionObserver((entries) => {
      this.isInView = entries.some((entry) => entry.isIntersecting);
    });
    this.observer.observe(controls);
    this.timer = setInterval(() => this.ask(), ASK_MS);
  }

  close() {
    clearInterval(this.timer);
    this.observer?.disconnect();
  }

  /** Whether there is something to compare with. */
  isUseful() {
    const { model, store } = this.explorer;
    return Boolean(model.get("_ground_truth").box) && store.state.network !== "none";
  }

  /**
   * The curve of a control, if it has one and belongs to the current state of all others.
   *
   * @param {string} name
   * @returns {?Curve}
   */
  curveOf(name) {
    if (!CURVES.includes(name) || !this.isUseful()) return null;
    const key = JSON.stringify(this.explorer.stateWith(name, null));
    const known = this.curves.get(name);
    if (known?.key === key) return known;
    const values = valuesOf(this.explorer.controlOf(name));
    /** @type {Curve} */
    const curve = { key, values, scores: values.map(() => undefined) };
    this.curves.set(name, curve);
    return curve;
  }

  /** Ask for the next point, if nothing has happened for a while and the page is in view. */
  ask() {
    const { explorer } = this;
    const { store } = explorer;
    if (this.state !== store.state) {
      this.state = store.state;
      this.changedAt = performance.now();
    }
    const isIdle = store.isSettled() && !store.gestureStart && store.isConnected;
    const now = performance.now();
    if (this.asked || !isIdle || now - this.changedAt < IDLE_MS || now < this.restsUntil) return;
    if (document.hidden || !this.isInView || !this.isUseful() || explorer.playing !== null) return;
    for (const { row, control } of explorer.rows) {
      if (row.hidden) continue;
      const curve = this.curveOf(control.name);
      if (!curve) continue;
      const index = coarseToFine(curve.values.length).find(
        (each) => curve.scores[each] === undefined,
      );
      if (index === undefined) continue;
      this.count += 1;
      const serial = `${store.prefix} ${this.count}`;
      this.asked = { serial, name: control.name, key: curve.key, index, at: now };
      const state = explorer.stateWith(control.name, curve.values[index]);
      explorer.model.set("_question", { serial, state });
      explorer.model.save_changes();
      return;
    }
  }

  onScore() {
    const { serial, score } = this.explorer.model.get("_score") ?? {};
    const { asked } = this;
    if (!asked || asked.serial !== serial) return;
    this.asked = null;
    const now = performance.now();
    this.restsUntil = now + (now - asked.at);
    const curve = this.curves.get(asked.name);
    if (curve?.key === asked.key) {
      curve.scores[asked.index] = score ?? null;
      this.explorer.syncCurves();
    }
  }
}

/**
 * Draw a curve on the canvas of its slider: zoomed as a line, uniform as a dashed one.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Curve} curve
 * @param {{zoom: string, uniform: string}} colours
 */
export function drawCurve(canvas, curve, colours) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) =>
    Math.max(1, Math.round(side * ratio)),
  );
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, width, height);
  const { values, scores } = curve;
  const [low, high] = [values[0], values[values.length - 1]];
  // The middle of a slider's thumb does not reach the ends of the slider.
  const inset = 8 * ratio;
  const line = 1.5 * ratio;
  const across = (/** @type {number} */ value) =>
    inset + ((value - low) / (high - low)) * (width - 2 * inset);
  const down = (/** @type {number} */ score) =>
    height - line - clamp(score, 0, 1) * (height - 2 * line);
  for (const system of /** @type {const} */ (["uniform", "zoom"])) {
    context.strokeStyle = colours[system];
    context.lineWidth = line;
    context.setLineDash(system === "uniform" ? [3 * ratio, 3 * ratio] : []);
    context.beginPath();
    let isGap = true;
    scores.forEach((score, index) => {
      if (score === undefined) return;
      if (score === null) {
        isGap = true;
        return;
      }
      const place = /** @type {const} */ ([across(values[index]), down(score[system])]);
      if (isGap) context.moveTo(...place);
      else context.lineTo(...place);
      isGap = false;
    });
    context.stroke();
  }
}

/**
 * A curve as a sentence.
 *
 * @param {Curve} curve
 * @param {string} unit of the values.
 */
export function describe({ values, scores }, unit) {
  let [best, lowest] = [-1, -1];
  scores.forEach((score, index) => {
    if (!score) return;
    if (best < 0 || score.zoom > (scores[best]?.zoom ?? 0)) best = index;
    if (lowest < 0 || score.zoom < (scores[lowest]?.zoom ?? 0)) lowest = index;
  });
  if (best < 0) return "";
  const part = (/** @type {number} */ index) =>
    `${scores[index]?.zoom.toFixed(2)} at ${values[index]}${unit}`;
  return `IoU along this slider: highest ${part(best)}, lowest ${part(lowest)}`;
}
