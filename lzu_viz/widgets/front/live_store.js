/**
 * What the page on film knows: its settings, the last frame, and what both systems found.
 *
 * @import { Edges, LiveAnswer, LiveData, LiveRequest, LiveResult } from "./types.d.ts"
 * @import { LiveFrame } from "./live_source.js"
 * @import { LiveSettings, Picture, Point} from "./types.d.ts"
 *
 * @typedef {"loading" | "playing" | "paused" | "failed"} LiveState
 */
import { clamp } from "./numbers.js";
import { LiveSource } from "./live_source.js";
import { messageOf } from "./photo.js";
import { VideoLoop } from "./video_loop.js";

/** Number of frames that the averages and the curves are about. */
export const WINDOW = 120;
/** Number of frames of which rates and times are averages. */
const RECENT = 20;
/** Half the sides of the box that stands for a place chosen by hand, in [-1, 1]. */
const HAND = [0.08, 0.2];

/** @typedef {{capture: number, uniform: LiveResult["took"], zoom: LiveResult["took"]}} FrameTimes */

export class LiveStore {
  /**
   * @param {LiveData} data
   * @param {() => void} onChange called when anything that is shown has changed.
   */
  constructor(data, onChange) {
    this.data = data;
    this.onChange = onChange;
    /** @type {LiveSettings} */
    this.settings = { ...data.presets[0].settings };
    this.source = new LiveSource({
      onFrame: () => this.onFrame(),
      onLost: (text) => this.lose(text),
    });
    this.loop = new VideoLoop();
    /** @type {LiveState} */
    this.state = "loading";
    /** Whether the film that comes with the page is shown. */
    this.isOwnFilm = true;
    this.message = "";
    /** Bytes of the networks' files: loaded, and in all. */
    this.progress = [0, 0];
    /** @type {?LiveFrame} */
    this.frame = null;
    /** The frame of the last results. @type {?LiveFrame} */
    this.shownFrame = null;
    /** The boxes of the frame before the last. @type {Edges[]} */
    this.expected = [];
    /** Those at which the last frame was zoomed. @type {Edges[]} */
    this.lookedAt = [];
    /** @type {?LiveResult} */
    this.uniform = null;
    /** @type {?LiveResult} */
    this.zoom = null;
    /** The place chosen by hand, in the source frame. @type {?Point} */
    this.hand = null;
    this.isBusy = false;
    this.hasNewFrame = false;
    this.isStale = false;
    this.frameCount = 0;
    this.counts = noCounts();
    /** @type {FrameTimes[]} */
    this.times = [];
    /** @type {number[]} when the last frames were shown. */
    this.shown = [];
    this.workers = { uniform: this.startWorker(), zoom: this.startWorker() };
  }

  /** Begin the averages and the curves again. */
  clear() {
    Object.assign(this, { counts: noCounts(), times: [], shown: [] });
  }

  startWorker() {
    const url = URL.createObjectURL(new Blob([this.data.worker], { type: "text/javascript" }));
    return new LiveWorker(new Worker(url), (loaded, total) => {
      this.progress = [loaded, total];
      this.onChange();
    });
  }

  /** Load the networks, and show the film. */
  async start() {
    const { files, networks } = this.data;
    const base = new URL(this.data.base, document.baseURI).href;
    try {
      // The second worker reads the files from the browser's cache.
      for (const worker of [this.workers.uniform, this.workers.zoom])
        await worker.ask({ kind: "start", base, files, networks });
      this.state = "paused";
      await this.openFilm(this.data.film);
    } catch (error) {
      this.state = "failed";
      this.message = `The networks cannot run here: ${messageOf(error)}`;
    }
    this.onChange();
  }

  /** @param {string} address */
  openFilm(address) {
    return this.open(() => this.source.openFilm(address), address === this.data.film);
  }

  openCamera() {
    return this.open(() => this.source.openCamera());
  }

  /**
   * @param {() => Promise<void>} open
   * @param {boolean} [isOwnFilm]
   */
  async open(open, isOwnFilm = false) {
    try {
      await open();
    } catch (error) {
      this.message = messageOf(error);
      this.onChange();
      return;
    }
    this.message = "";
    this.isOwnFilm = isOwnFilm;
    this.restart();
    this.state = "paused";
    this.hasNewFrame = true;
    await this.work();
    // Who has asked for less motion starts the film alone.
    if (this.source.isCamera || !matchMedia("(prefers-reduced-motion: reduce)").matches)
      this.play();
  }

  /** @param {string} text */
  lose(text) {
    this.message = text;
    this.state = "paused";
    this.onChange();
  }

  closeCamera() {
    this.source.closeCamera();
    this.lose("The camera is off. Its last frame stays.");
  }

  play() {
    if (this.state !== "paused" || !this.source.hasFrames) return;
    this.state = "playing";
    this.hand = null;
    this.source.play();
    this.onChange();
    this.work();
  }

  pause() {
    if (this.state !== "playing") return;
    this.state = "paused";
    this.source.pause();
    this.onChange();
  }

  /** Forget what was found before, so that the next frame is not zoomed. */
  restart() {
    this.loop = new VideoLoop();
    this.hand = null;
    this.clear();
  }

  /** @param {Partial<LiveSettings>} settings */
  change(settings) {
    Object.assign(this.settings, settings);
    this.clear();
    this.isStale = true;
    this.onChange();
    this.work();
  }

  /** @param {?Point} place in the source frame, or null to let the loop choose again. */
  point(place) {
    this.hand = place && [clamp(place[0], -1, 1), clamp(place[1], -1, 1)];
    this.isStale = true;
    this.onChange();
    this.work();
  }

  onFrame() {
    this.hasNewFrame = true;
    this.work();
  }

  /** Work on new frames while the film plays, and again on the last one after a change. */
  async work() {
    if (this.isBusy || this.state === "loading" || this.state === "failed") return;
    this.isBusy = true;
    try {
      while (this.hasWork()) await this.step();
    } catch (error) {
      this.message = `The network failed: ${messageOf(error)}`;
      this.pause();
    }
    this.isBusy = false;
  }

  hasWork() {
    if (document.hidden) return false; // which rests
    if (this.state === "playing" || !this.frame) return this.hasNewFrame;
    return this.isStale || this.hasNewFrame;
  }

  async step() {
    const isNew = this.hasNewFrame;
    const begin = performance.now();
    if (isNew) {
      this.frame = this.source.grab() ?? this.frame;
      this.hasNewFrame = false;
    }
    const { frame, hand } = this;
    this.isStale = false;
    if (!frame) return;
    if (isNew) this.expected = this.loop.expected;
    const capture = performance.now() - begin;
    const boxes = hand ? [boxAt(hand)] : this.expected;
    const [uniform, zoom] = await Promise.all([
      this.detect("uniform", frame.picture, null),
      this.detect("zoom", frame.picture, boxes),
    ]);
    this.uniform?.input.close();
    this.zoom?.input.close();
    Object.assign(this, { uniform, zoom, shownFrame: frame, lookedAt: boxes });
    if (isNew) {
      const found = zoom.detections.map(({ box }) => box);
      this.loop.update(found, this.settings.patience);
      keep(this.times, { capture, uniform: uniform.took, zoom: zoom.took }, RECENT);
      keep(this.shown, performance.now(), RECENT + 1);
    }
    // After a change of the settings, the same frame is the first that counts.
    if (isNew || !this.counts.zoom.length) {
      keep(this.counts.uniform, uniform.detections.length, WINDOW);
      keep(this.counts.zoom, zoom.detections.length, WINDOW);
    }
    this.frameCount += 1;
    this.onChange();
  }

  /**
   * @param {"uniform" | "zoom"} system
   * @param {Picture} frame
   * @param {?Edges[]} boxes
   * @returns {Promise<LiveResult>}
   */
  async detect(system, frame, boxes) {
    const { amplitude, relativeSigma, size, score, followed } = this.settings;
    const answer = await this.workers[system].ask({
      kind: "detect",
      frame: { width: frame.width, height: frame.height, data: frame.data },
      boxes,
      loop: { amplitude, relativeSigma },
      size,
      score,
    });
    if (answer.kind !== "detected") throw new Error(`the worker answered ${answer.kind}`);
    const detections = answer.detections.filter(({ name }) => !followed || name === followed);
    return { ...answer, detections };
  }

  /** Frames a second, of the last ones; null while the film does not play. */
  rate() {
    const { shown } = this;
    if (this.state !== "playing" || shown.length < 2) return null;
    return (1000 * (shown.length - 1)) / (shown[shown.length - 1] - shown[0]);
  }

  /**
   * The mean number of detections in a frame, of the last ones; null before the first.
   *
   * @param {"uniform" | "zoom"} system
   */
  meanCount(system) {
    const counts = this.counts[system];
    return counts.length ? mean(counts) : null;
  }

  /** What happens, in a sentence. */
  sentence() {
    const { state, counts, hand } = this;
    const found = this.settings.followed === "person" ? "people" : "objects";
    if (state === "loading") return "The network is being loaded.";
    if (state === "failed" || !this.zoom) return "";
    if (hand)
      return "You chose the place at which it zooms; pressing Play leaves it to the last detections again.";
    const [uniform, zoom] = [this.meanCount("uniform") ?? 0, this.meanCount("zoom") ?? 0];
    if (!counts.zoom.length) return "";
    if (!this.loop.expected.length)
      return `Zooming found no ${found} in the last frame: the next one is not zoomed.`;
    return `Boxes of ${found} a frame, on average: uniform ${uniform.toFixed(1)}, zoomed ${zoom.toFixed(1)}.`;
  }
}

/** A worker, which answers one request after another. */
class LiveWorker {
  /**
   * @param {Worker} worker
   * @param {(loaded: number, total: number) => void} onProgress
   */
  constructor(worker, onProgress) {
    this.worker = worker;
    this.onProgress = onProgress;
  }

  /**
   * @param {LiveRequest} request
   * @returns {Promise<LiveAnswer>}
   */
  ask(request) {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message || "the worker cannot start"));
      worker.onmessage = (event) => {
        /** @type {LiveAnswer} */
        const answer = event.data;
        if (answer.kind === "progress") this.onProgress(answer.loaded, answer.total);
        else if (answer.kind === "error" || answer.kind === "failed")
          reject(new Error(answer.text));
        else resolve(answer);
      };
      worker.postMessage(request);
    });
  }
}

/**
 * A box about a place.
 *
 * @param {Point} place
 * @returns {Edges}
 */
const boxAt = ([x, y]) => [x - HAND[0], y - HAND[1], x + HAND[0], y + HAND[1]];

/**
 * Append a value, and drop the first if there are too many.
 *
 * @template Value
 * @param {Value[]} values
 * @param {Value} value
 * @param {number} most
 */
function keep(values, value, most) {
  values.push(value);
  if (values.length > most) values.shift();
}

/** @returns {Record<"uniform" | "zoom", number[]>} */
const noCounts = () => ({ uniform: [], zoom: [] });

/** @param {number[]} values */
export const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
