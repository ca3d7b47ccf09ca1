/**
 * The film that the views of one player share: where it is, whether it plays, and the frames that
 * the kernel has sent.
 *
 * The page asks for the frames from the shown one on that it lacks; the kernel sends each of them
 * once, when its systems have reached it. Playing shows the next frame when it is due and there.
 *
 * @import { BinaryData, Film, FilmMessage, FoundBox, PlayerModel, ZoomAnswer } from "./types.d.ts"
 *
 * @typedef {object} FilmView what is told that there is something new to be drawn.
 * @property {() => void} schedule
 *
 * @typedef {object} FilmFrame a frame that the kernel has sent.
 * @property {number} index
 * @property {?{boxes: FoundBox[]}} uniform
 * @property {?ZoomAnswer} zoom null if the zooming system has not reached the frame yet.
 * @property {ArrayBuffer[]} jpegs of the source frame, of the uniform picture, and of the zoomed one.
 * @property {?ImageBitmap[]} images the same, decoded; null if they are not.
 * @property {boolean} isDecoding
 */
import { clamp } from "./numbers.js";
import { copyBytes } from "./photo.js";

/** Largest number of frames that are asked for in advance, and that of them which are decoded. */
const MAX_AHEAD = 24;
const DECODED_AHEAD = 6;
const DECODED_BEHIND = 2;
const MAX_BYTES = 150_000_000;
const ASK_AGAIN_MS = 5000;
const SILENT_MS = 12_000;
const RATE_OVER_MS = 2000;

export const SPEEDS = [0.25, 0.5, 1, 2];

export class FilmStore {
  /** @param {PlayerModel} model */
  constructor(model) {
    this.model = model;
    /** @type {Film} */
    this.film = model.get("_film");
    this.index = model.get("frame");
    this.ahead = Math.min(MAX_AHEAD, this.film.ahead);
    /** @type {Map<number, FilmFrame>} */
    this.frames = new Map();
    this.bytes = 0;
    /** Numbers of detections, from the first frame on, as far as they are known. */
    this.counts = { uniform: /** @type {number[]} */ ([]), zoom: /** @type {number[]} */ ([]) };
    /** @type {?{index: number, text: string}} */
    this.error = null;
    this.isPlaying = false;
    this.speed = 1;
    this.dueAt = 0;
    /** @type {number[]} when the last frames were shown while playing. */
    this.shownAt = [];
    /** @type {Set<FilmView>} */
    this.views = new Set();
    /** @type {Set<number>} */
    this.outstanding = new Set();
    this.askedAt = 0;
    this.heardAt = performance.now();
    this.sentCount = 0;
    this.prefix = Math.random().toString(36).slice(2);
    model.on("msg:custom", (message, buffers) => this.onMessage(message, buffers));
    model.on("change:frame", () => this.onFrameOfModel());
  }

  get last() {
    return this.film.count - 1;
  }

  /** The frame that is to be shown; undefined if the kernel has not sent it. */
  get current() {
    return this.frames.get(this.index);
  }

  /**
   * Whether a frame is there with the answers of both systems, ready to be drawn.
   *
   * @param {number} index
   */
  isReady(index) {
    const frame = this.frames.get(index);
    return Boolean(frame?.zoom && frame.images);
  }

  /** The number of frames whose numbers of detections are known. */
  get known() {
    return this.counts.zoom.length;
  }

  /** Whether the film cannot go on for want of the kernel's answers, rather than by an error. */
  isWaiting() {
    const next = this.isPlaying && this.isReady(this.index) ? this.index + 1 : this.index;
    return next <= this.last && !this.isReady(next) && !this.isBeyondError(next);
  }

  /** @param {number} index */
  isBeyondError(index) {
    return this.error !== null && index >= this.error.index;
  }

  /** Whether the kernel has been silent for long, although it was asked. */
  isSilent() {
    return this.isWaiting() && performance.now() - this.heardAt > SILENT_MS;
  }

  // The place in the film.

  /**
   * Show a frame of the film.
   *
   * @param {number} index
   */
  goTo(index) {
    const target = clamp(index, 0, this.last);
    if (target !== this.index) {
      // A silence is measured from when something was first waited for.
      if (!this.isWaiting()) this.heardAt = performance.now();
      this.index = target;
      this.ask(!this.frames.has(target) || !this.isPlaying);
    }
    this.decodeNear();
    this.redraw();
  }

  /**
   * Stop playing, and show a frame.
   *
   * @param {number} index
   */
  scrub(index) {
    this.isPlaying = false;
    this.goTo(index);
  }

  onFrameOfModel() {
    const index = this.model.get("frame");
    if (index !== this.index) this.scrub(index);
  }

  play() {
    if (this.isPlaying) return;
    if (this.index === this.last || this.isBeyondError(this.index + 1)) this.goTo(0);
    this.isPlaying = true;
    this.shownAt = [];
    this.dueAt = performance.now() + this.interval;
    this.heardAt = performance.now();
    this.ask(true);
    this.redraw();
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.ask(true);
    this.redraw();
  }

  /** @param {number} speed relative to that of the film. */
  setSpeed(speed) {
    this.speed = speed;
    this.shownAt = [];
    this.dueAt = performance.now() + this.interval;
    this.redraw();
  }

  /** The time from one frame to the next, in milliseconds. */
  get interval() {
    return 1000 / (this.film.rate * this.speed);
  }

  /**
   * While the film plays, show the next frame if it is due and there. None is left out.
   *
   * @param {number} now
   */
  tick(now) {
    if (!this.isPlaying) return;
    const next = this.index + 1;
    if (now >= this.dueAt && next <= this.last && this.isReady(this.index) && this.isReady(next)) {
      // What has been waited for is not made up for by haste.
      const isLate = now - this.dueAt >= this.interval;
      this.dueAt = (isLate ? now : this.dueAt) + this.interval;
      this.shownAt = [...this.shownAt.filter((time) => now - time < RATE_OVER_MS), now];
      this.goTo(next);
    }
    if (this.index === this.last || this.isBeyondError(this.index + 1)) this.pause();
  }

  /** Frames shown a second while the film plays; NaN at its start, and after a longer stop. */
  get rate() {
    const { shownAt } = this;
    if (shownAt.length < 3 || performance.now() - shownAt[shownAt.length - 1] > RATE_OVER_MS)
      return NaN;
    return (1000 * (shownAt.length - 1)) / (shownAt[shownAt.length - 1] - shownAt[0]);
  }

  // The exchange with the kernel.

  /**
   * Ask for the frames from the shown one on that are not there.
   *
   * @param {boolean} [now] otherwise only if less than half of what was asked for is still to come.
   */
  ask(now = false) {
    if (!this.views.size || (!now && this.outstanding.size > this.ahead / 2)) return;
    const wanted = [];
    for (let index = this.index; index <= Math.min(this.index + this.ahead, this.last); index++) {
      if (!this.frames.get(index)?.zoom && !this.isBeyondError(index)) wanted.push(index);
    }
    this.outstanding = new Set(wanted);
    this.askedAt = performance.now();
    this.send(wanted, false);
  }

  /**
   * @param {number[]} wanted
   * @param {boolean} closed
   */
  send(wanted, closed) {
    this.sentCount += 1;
    this.model.set("frame", this.index);
    this.model.set("_request", {
      serial: `${this.prefix} ${this.sentCount}`,
      frame: this.index,
      wanted,
      seen: this.frames.has(this.index),
      known: this.known,
      closed,
    });
    this.model.save_changes();
  }

  /** Ask again if the kernel has not answered: it was busy, or a message was lost. */
  askAgain() {
    if (this.isWaiting() && performance.now() - Math.max(this.askedAt, this.heardAt) > ASK_AGAIN_MS)
      this.ask(true);
    if (this.isSilent()) this.redraw();
  }

  /**
   * @param {FilmMessage} message
   * @param {BinaryData[]} buffers
   */
  onMessage(message, buffers) {
    this.heardAt = performance.now();
    if (message.kind === "frame") {
      const { index, uniform, zoom } = message;
      const jpegs = buffers.map(copyBytes);
      // A preview that comes late must not replace the answer.
      if (zoom || !this.frames.get(index)?.zoom)
        this.keep({ index, uniform, zoom, jpegs, images: null, isDecoding: false });
      if (zoom) this.outstanding.delete(index);
      // A single frame could not be read, but the film goes on behind it.
      if (zoom && this.isBeyondError(index)) this.error = null;
      this.decodeNear();
      this.ask();
    } else if (message.kind === "progress") {
      const { start } = message;
      // After a gap the kernel is told how much is known.
      if (start <= this.known) {
        this.counts.uniform.splice(start, message.uniform.length, ...message.uniform);
        this.counts.zoom.splice(start, message.zoom.length, ...message.zoom);
      }
    } else {
      this.error = { index: message.index, text: message.text };
      if (this.isPlaying && this.isBeyondError(this.index + 1)) this.pause();
    }
    this.redraw();
  }

  /** @param {FilmFrame} frame */
  keep(frame) {
    this.drop(frame.index);
    this.frames.set(frame.index, frame);
    this.bytes += sizeOf(frame);
    while (this.bytes > MAX_BYTES && this.frames.size > MAX_AHEAD) {
      let farthest = frame.index;
      for (const index of this.frames.keys()) {
        if (Math.abs(index - this.index) > Math.abs(farthest - this.index)) farthest = index;
      }
      this.drop(farthest);
    }
  }

  /** @param {number} index */
  drop(index) {
    const frame = this.frames.get(index);
    if (!frame) return;
    this.frames.delete(index);
    this.bytes -= sizeOf(frame);
    // What is on the screen is drawn already, or drawn from the frame that replaces it.
    for (const image of frame.images ?? []) image.close();
    frame.images = null;
  }

  /** Decode the pictures of the frames that are soon to be shown, and forget those of others. */
  decodeNear() {
    const [first, last] = [this.index - DECODED_BEHIND, this.index + DECODED_AHEAD];
    for (const frame of this.frames.values()) {
      const isNear = frame.index >= first && frame.index <= last;
      if (isNear && !frame.images && !frame.isDecoding) this.decode(frame);
      if (!isNear && frame.images) {
        for (const image of frame.images) image.close();
        frame.images = null;
      }
    }
  }

  /** @param {FilmFrame} frame */
  async decode(frame) {
    frame.isDecoding = true;
    try {
      const images = await Promise.all(
        frame.jpegs.map((jpeg) => createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }))),
      );
      if (this.frames.get(frame.index) === frame) frame.images = images;
      else for (const image of images) image.close();
    } catch {
      this.error ??= {
        index: frame.index,
        text: `The picture of frame ${frame.index + 1} cannot be decoded.`,
      };
    }
    frame.isDecoding = false;
    this.redraw();
  }

  // The views.

  /** @param {FilmView} view */
  add(view) {
    this.views.add(view);
    this.ask(true);
  }

  /** @param {FilmView} view */
  remove(view) {
    this.views.delete(view);
    if (this.views.size) return;
    this.isPlaying = false;
    this.send([], true);
  }

  redraw() {
    for (const view of this.views) view.schedule();
  }
}

/** @param {FilmFrame} frame */
const sizeOf = ({ jpegs }) => jpegs.reduce((total, { byteLength }) => total + byteLength, 0);
