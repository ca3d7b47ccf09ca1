/**
 * The story of the front page: the same picture is downsampled, weighted, zoomed, segmented and
 * unzoomed, a step at a time, as the reader scrolls.
 *
 * @import { Bytes, Level, StoryData, StoryStep, Warp } from "./types.d.ts"
 */
import { wholeFrame } from "./frames.js";
import { toZoomed } from "./inverse.js";
import { toLevel } from "./mipmap.js";
import { ScratchCanvas, context2d, drawGrid } from "./paint.js";
import { decodePhoto } from "./photo.js";
import { zoomPicture } from "./resampling.js";
import { morph, warpFromAxes } from "./warp.js";

const DURATION_MS = 900;
const MAX_GRID_LINES = 32;
/** Where in the window, from its top, a step begins. */
const READING_LINE = 0.65;

/** @typedef {Record<string, Level>} Pictures */

class Story {
  /**
   * @param {StoryData} data
   * @param {Pictures} pictures of the same size, by name.
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement[]} sections one for each step.
   */
  constructor(data, pictures, canvas, sections) {
    this.data = data;
    this.pictures = pictures;
    this.context = context2d(canvas);
    this.sections = sections;
    this.scratch = new ScratchCanvas();
    this.warp = warpFromAxes(Float64Array.from(data.axes.x), Float64Array.from(data.axes.y));
    const { width, height } = Object.values(pictures)[0];
    Object.assign(canvas, { width, height });
    this.index = -1;
    /** @type {StoryStep} */
    this.from = data.steps[0];
    this.start = 0;
    /** @type {Map<string, Bytes>} drawn pixels, used again for the next picture of their size. */
    this.buffers = new Map();
  }

  /** Show the step that is being read. */
  follow() {
    const line = READING_LINE * innerHeight;
    const passed = this.sections.filter((section) => section.getBoundingClientRect().top < line);
    this.show(Math.max(0, passed.length - 1));
  }

  /** @param {number} index */
  show(index) {
    if (index === this.index) return;
    const { steps } = this.data;
    const isFirst = this.index < 0;
    this.from = steps[isFirst ? index : this.index];
    this.index = index;
    this.sections.forEach((section, number) =>
      section.classList.toggle("lzu-current", number === index),
    );
    const { canvas } = this.context;
    canvas.setAttribute("aria-label", steps[index].text);
    canvas.dataset.step = String(index);
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.start = isFirst || isStill ? -Infinity : performance.now();
    requestAnimationFrame(() => this.animate(index));
  }

  /** @param {number} index of the step that is animated; another one ends it. */
  animate(index) {
    if (index !== this.index) return;
    const along = Math.min(1, (performance.now() - this.start) / DURATION_MS);
    this.draw(ease(along));
    if (along < 1) requestAnimationFrame(() => this.animate(index));
    else this.context.canvas.dataset.shown = String(index);
  }

  /** @param {number} along from the last step (0) to the current one (1). */
  draw(along) {
    const { context, from, data } = this;
    const to = data.steps[this.index];
    const between = (/** @type {number} */ a, /** @type {number} */ b) => a + along * (b - a);
    const warp = morph(this.warp, between(from.morph, to.morph));
    this.drawPicture(from, warp, 1);
    if (along > 0) this.drawPicture(to, warp, along);
    context.globalAlpha = between(from.grid, to.grid);
    if (context.globalAlpha > 0) this.drawPieces(warp);
    context.globalAlpha = 1;
  }

  /**
   * @param {StoryStep} step
   * @param {Warp} warp
   * @param {number} alpha
   */
  drawPicture(step, warp, alpha) {
    const { context, data } = this;
    const { width, height } = context.canvas;
    const { rows, columns } = step.isInput ? data.size : { rows: height, columns: width };
    const key = `${rows} ${columns}`;
    const buffer = this.buffers.get(key) ?? new Uint8ClampedArray(4 * rows * columns);
    this.buffers.set(key, buffer);
    zoomPicture([this.pictures[step.picture]], warp, rows, columns, true, buffer);
    context.globalAlpha = alpha;
    // Each pixel that the network sees is shown as one.
    context.imageSmoothingEnabled = !step.isInput;
    const drawn = this.scratch.put({ width: columns, height: rows, data: buffer });
    context.drawImage(drawn, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  /**
   * The grid of the pieces: bent in the source frame, regular in the zoomed frame.
   *
   * @param {Warp} shown from the frame that is drawn to the source frame.
   */
  drawPieces(shown) {
    const { context, data } = this;
    const place = (/** @type {number} */ x, /** @type {number} */ y) =>
      toZoomed(shown, x, y) ?? [x, y];
    const bent = warpFromAxes(
      Float64Array.from(data.axes.x, (x) => place(x, 0)[0]),
      Float64Array.from(data.axes.y, (y) => place(0, y)[1]),
    );
    drawGrid(context, wholeFrame(context.canvas), bent, MAX_GRID_LINES, data.gridColour, 1);
  }
}

/** @param {number} t */
const ease = (t) => t * t * (3 - 2 * t);

/**
 * Start the story of a page.
 *
 * @param {HTMLElement} root
 */
async function start(root) {
  const source = root.querySelector("script[type='application/json']");
  const canvas = root.querySelector("canvas");
  if (!source || !canvas) throw new Error("the story has no data, or no canvas");
  /** @type {StoryData} */
  const data = JSON.parse(source.textContent ?? "");
  /** @type {Pictures} */
  const pictures = {};
  for (const [name, text] of Object.entries(data.pictures)) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    pictures[name] = toLevel(await decodePhoto(bytes));
  }
  const sections = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-step-text]")]);
  const story = new Story(data, pictures, canvas, sections);
  addEventListener("scroll", () => story.follow(), { passive: true });
  addEventListener("resize", () => story.follow());
  story.follow();
}

const root = document.getElementById("lzu-story");
if (root) start(root);
