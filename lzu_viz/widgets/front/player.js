/**
 * The player on the page: three views of a frame, the controls, and the timeline.
 *
 * @import { FoundBox, PlayerModel, Warp } from "./types.d.ts"
 * @import { FilmFrame } from "./film_store.js"
 *
 * @typedef {"source" | "zoomed" | "uniform"} ViewName
 *
 * @typedef {object} FilmPanel a view of the frame on the page.
 * @property {ViewName} name
 * @property {HTMLElement} caption
 * @property {HTMLCanvasElement} canvas
 * @property {CanvasRenderingContext2D} context
 */
import { button, element, fitCanvas, foldedList, setAttribute, setText } from "./dom.js";
import { FilmStore, SPEEDS } from "./film_store.js";
import { wholeFrame } from "./frames.js";
import { toZoomed } from "./inverse.js";
import { clamp } from "./numbers.js";
import { context2d, drawGrid, drawLabels, drawRectangle, drawTag } from "./paint.js";
import { drawTimeline, frameAt } from "./timeline.js";
import { warpFromAxes } from "./warp.js";

const MAX_PIXEL_RATIO = 2;
const MAX_GRID_LINES = 16;
const MIN_PANEL_WIDTH = 60;
const ASK_MS = 1000;
/** Half the width of a slider's thumb: the timeline ends where the thumb's centre does. */
const MARGIN = 8;
const LABEL_SIZE = 0.85;

const KEYS = [
  ["space", "plays and pauses"],
  ["← →", "step one frame back or forward; with Shift, ten"],
  ["Home, End", "go to the first or the last frame"],
  ["− +", "play slower or faster"],
  ["G", "shows or hides the grid of the warp"],
];

/**
 * The store of each model. Each view gets another object for the same model, but all get the same
 * values from it; the value of this trait never changes.
 *
 * @type {WeakMap<object, FilmStore>}
 */
const stores = new WeakMap();
const keyOf = (/** @type {PlayerModel} */ model) => model.get("_film");

class PlayerView {
  /**
   * @param {FilmStore} store
   * @param {HTMLElement} parent
   */
  constructor(store, parent) {
    this.store = store;
    this.colours = store.model.get("_colours");
    this.hasGrid = true;
    this.requestCount = 0;
    this.sizeCount = 0;
    /** What the canvases show. */
    this.drawn = { frame: /** @type {?FilmFrame} */ (null), key: "" };
    this.isScheduled = false;
    this.scale = 1;
    /** @type {?{frame: FilmFrame, warp: Warp}} */
    this.warpOfFrame = null;
    /** @type {?number} */
    this.animation = null;

    this.message = element("span");
    this.grid = element("div", "lzu-panels");
    const { input, system, followed } = store.film;
    this.found = followed || "found";
    const pixels = `${input[0]} × ${input[1]}`;
    /** @type {Record<ViewName, string>} */
    this.titles = {
      source: `${system} on the source frame`,
      zoomed: `Zoomed, what ${system} sees: ${pixels}`,
      uniform: `Uniform, ${pixels}`,
    };
    this.panels = [
      this.buildPanel("source"),
      this.buildPanel("zoomed"),
      this.buildPanel("uniform"),
    ];
    this.scrubber = this.buildScrubber();
    this.timeline = this.buildTimeline();
    this.playButton = button("", "", () => this.togglePlay());
    this.playButton.className = "lzu-play";
    this.counter = element("span", "lzu-counter");
    this.speed = this.buildSpeed();
    this.gridSwitch = element("input");
    this.status = element("div", "lzu-status");
    this.root = this.buildRoot();
    parent.append(this.root);

    this.timer = setInterval(() => store.askAgain(), ASK_MS);
    this.resizeObserver = new ResizeObserver(() => this.resize());
    this.resizeObserver.observe(this.grid);
    store.add(this);
    this.resize();
  }

  close() {
    this.resizeObserver.disconnect();
    clearInterval(this.timer);
    if (this.animation !== null) cancelAnimationFrame(this.animation);
    this.store.remove(this);
  }

  // Elements of the page.

  buildRoot() {
    const root = element("div", "lzu lzu-player");
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    root.setAttribute(
      "aria-label",
      "Player of a film. Space plays and pauses, the arrow keys step, Home and End go to the ends.",
    );
    root.dataset.revision = String(this.requestCount);
    root.addEventListener("keydown", (event) => this.onKey(event));
    const layout = element("div", "lzu-film");
    this.message.setAttribute("role", "alert");
    const message = element("div", "lzu-film-message");
    message.append(this.message);
    this.grid.append(...this.panels.map(({ canvas }) => figureOf(canvas)));
    const track = element("div", "lzu-track");
    track.append(this.scrubber, this.timeline.canvas);
    const controls = element("div", "lzu-film-bar");
    controls.append(track, this.buildControls(), this.status);
    layout.append(message, this.grid, controls, this.buildKey());
    root.append(layout, foldedList("Keys, while the player has the focus", KEYS));
    return root;
  }

  /** @param {ViewName} name */
  buildPanel(name) {
    const cell = element("figure", `lzu-panel lzu-panel-${name}`);
    const caption = element("figcaption", "", this.titles[name]);
    const frame = element("div", "lzu-frame");
    const canvas = element("canvas");
    const { rows, columns } = this.store.film;
    // The place of the picture does not change when it arrives.
    frame.style.aspectRatio = `${columns} / ${rows}`;
    canvas.dataset.view = name;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.titles[name]);
    frame.append(canvas);
    cell.append(caption, frame);
    return { name, caption, canvas, context: context2d(canvas) };
  }

  buildScrubber() {
    const { store } = this;
    const scrubber = element("input", "lzu-scrubber");
    Object.assign(scrubber, { type: "range", min: 0, max: store.last, step: 1 });
    scrubber.setAttribute("aria-label", "Frame");
    scrubber.addEventListener("input", () => store.scrub(Number(scrubber.value)));
    return scrubber;
  }

  buildTimeline() {
    const canvas = element("canvas", "lzu-timeline");
    canvas.dataset.view = "timeline";
    canvas.setAttribute("role", "img");
    canvas.title = "Detections in each frame. Press or drag to go to a frame.";
    const goTo = (/** @type {PointerEvent} */ event) => {
      const { left, width } = canvas.getBoundingClientRect();
      this.store.scrub(frameAt(event.clientX - left, this.store.film.count, width, MARGIN));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      goTo(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) goTo(event);
    });
    return { canvas, context: context2d(canvas) };
  }

  buildSpeed() {
    const select = element("select", "lzu-speed");
    select.setAttribute("aria-label", "Speed");
    for (const speed of SPEEDS) select.append(new Option(`${speed} ×`, String(speed)));
    select.addEventListener("change", () => this.store.setSpeed(Number(select.value)));
    return select;
  }

  buildControls() {
    const { store } = this;
    const back = button("◂ Back", "Step one frame back (left arrow)", () => this.step(-1));
    const next = button("Next ▸", "Step one frame forward (right arrow)", () => this.step(1));
    const steps = element("div", "lzu-buttons");
    steps.append(this.playButton, back, next);
    const speed = element("label", "", "Speed ");
    speed.append(this.speed);
    const grid = element("label");
    Object.assign(this.gridSwitch, { type: "checkbox", checked: true });
    this.gridSwitch.addEventListener("change", () => this.showGrid(this.gridSwitch.checked));
    grid.title = "The grid of the warp on the source frame: narrow where the zoom looks (G)";
    grid.append(this.gridSwitch, " Grid of the warp");
    this.counter.title = `${store.film.rate.toPrecision(3)} frames a second`;
    this.status.setAttribute("role", "status");
    const controls = element("div", "lzu-film-controls");
    controls.append(steps, this.counter, speed, grid);
    return controls;
  }

  /** The key to the colours. */
  buildKey() {
    const { system, followed } = this.store.film;
    const found = followed ? `${followed} found` : "found";
    const key = element("div", "lzu-key");
    /** @type {[string, string, string][]} */
    const entries = [
      [this.colours.zoom, "", `${found} by ${system}, which zooms`],
      [this.colours.zoom, "lzu-dashed", `expected by ${system}, from the frame before`],
      [this.colours.uniform, "", `${found} by uniform downsampling`],
      [this.colours.grid, "", "grid of the warp"],
    ];
    for (const [colour, style, meaning] of entries) {
      const entry = element("span");
      const patch = element("i", style);
      if (style) patch.style.borderColor = colour;
      else patch.style.background = colour;
      entry.append(patch, meaning);
      key.append(entry);
    }
    return key;
  }

  // Actions.

  togglePlay() {
    if (this.store.isPlaying) this.store.pause();
    else this.store.play();
  }

  /** @param {number} frames */
  step(frames) {
    this.store.scrub(this.store.index + frames);
  }

  /** @param {boolean} isShown */
  showGrid(isShown) {
    this.hasGrid = isShown;
    this.gridSwitch.checked = isShown;
    this.schedule();
  }

  /** @param {number} steps to faster speeds. */
  changeSpeed(steps) {
    const place = clamp(SPEEDS.indexOf(this.store.speed) + steps, 0, SPEEDS.length - 1);
    this.store.setSpeed(SPEEDS[place]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { target, key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target instanceof HTMLSelectElement) return;
    // A button, a switch and the help have a use for the space bar themselves.
    const presses =
      target instanceof HTMLButtonElement ||
      (target instanceof HTMLElement && target.localName === "summary") ||
      target === this.gridSwitch;
    /** @type {Record<string, (() => void) | undefined>} */
    const actions = {
      ArrowLeft: () => this.step(shiftKey ? -10 : -1),
      ArrowRight: () => this.step(shiftKey ? 10 : 1),
      Home: () => this.store.scrub(0),
      End: () => this.store.scrub(this.store.last),
      "-": () => this.changeSpeed(-1),
      "+": () => this.changeSpeed(1),
      "=": () => this.changeSpeed(1),
      g: () => this.showGrid(!this.hasGrid),
    };
    if (!presses) actions[" "] = () => this.togglePlay();
    const action = actions[key.length === 1 ? key.toLowerCase() : key];
    // Otherwise JupyterLab handles these keys itself.
    if (action || key === " " || key === "Enter") event.stopPropagation();
    if (!action) return;
    event.preventDefault();
    action();
  }

  // Drawing.

  resize() {
    this.scale = Math.min(window.devicePixelRatio, MAX_PIXEL_RATIO);
    const { rows, columns } = this.store.film;
    for (const { canvas } of this.panels) {
      const across = Math.max(MIN_PANEL_WIDTH, canvas.parentElement?.clientWidth ?? 0);
      fitCanvas(canvas, across * this.scale, (across * this.scale * rows) / columns);
    }
    const { canvas } = this.timeline;
    fitCanvas(canvas, canvas.clientWidth * this.scale, canvas.clientHeight * this.scale);
    this.sizeCount += 1;
    this.schedule();
  }

  /**
   * Draw in the next animation frame. The root's `data-revision` counts these requests, and that of
   * a canvas is the last request that it shows: where they are equal, the canvas is up to date.
   * `data-frame` is the index of the frame, of the root that which is wanted, and of a canvas that
   * which it shows; `data-state` and `data-waiting` tell whether the film plays, and whether it waits
   * for the kernel.
   */
  schedule() {
    this.requestCount += 1;
    this.root.dataset.revision = String(this.requestCount);
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.draw();
      this.animate();
    });
  }

  /** While the film plays, look in each animation frame whether the next frame is due. */
  animate() {
    if (!this.store.isPlaying || this.animation !== null) return;
    this.animation = requestAnimationFrame((now) => {
      this.animation = null;
      const wasWaiting = this.root.dataset.waiting === "true";
      this.store.tick(now);
      if (this.store.isWaiting() !== wasWaiting) this.schedule();
      this.animate();
    });
  }

  draw() {
    const { store } = this;
    const { current, index, isPlaying } = store;
    this.syncControls();
    this.drawTimeline();
    this.root.dataset.state = isPlaying ? "playing" : "paused";
    this.root.dataset.waiting = String(store.isWaiting());
    this.root.dataset.frame = String(index);
    // Until the frame is there, the one before it stays, with its own boxes.
    if (!current?.images) return;
    const notes = this.panels.map(({ name }) => this.noteOf(name, current));
    const key = [index, this.hasGrid, this.sizeCount, isPlaying, ...notes].join("|");
    const isDrawn = this.drawn.frame === current && this.drawn.key === key;
    this.drawn = { frame: current, key };
    for (const panel of this.panels) {
      if (!isDrawn) this.drawPanel(panel, current);
      panel.canvas.dataset.frame = String(index);
      panel.canvas.dataset.revision = String(this.requestCount);
    }
  }

  drawTimeline() {
    const { canvas, context } = this.timeline;
    const { film, index, counts, known } = this.store;
    const ink = getComputedStyle(this.root).color;
    const timeline = { count: film.count, index, ...counts };
    drawTimeline(context, timeline, this.colours, ink, MARGIN, this.scale);
    canvas.dataset.revision = String(this.requestCount);
    canvas.dataset.known = String(known);
    const label = known
      ? `Detections a frame, on average of ${known} of ${film.count} frames: uniform ${mean(counts.uniform)}, ${film.system} ${mean(counts.zoom)}`
      : "Detections a frame: none is computed yet";
    setAttribute(canvas, "aria-label", label);
  }

  /**
   * @param {FilmPanel} panel
   * @param {FilmFrame} frame
   */
  drawPanel(panel, frame) {
    const { name, canvas, context, caption } = panel;
    const { colours, scale } = this;
    const image = frame.images?.[{ source: 0, uniform: 1, zoomed: 2 }[name]];
    const { zoom } = frame;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = name === "source";
    if (image) context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const boxes = (name === "uniform" ? frame.uniform : zoom)?.boxes ?? null;
    const colour = name === "uniform" ? colours.uniform : colours.zoom;
    if (zoom && name === "source") {
      const all = wholeFrame(canvas);
      if (this.hasGrid) this.drawGrid(context, frame);
      for (const edges of zoom.expected) {
        // Dashes on a dark line are seen on any picture, and beside the detections' boxes.
        drawRectangle(context, all, edges, colours.ink, scale);
        context.setLineDash([4 * scale, 4 * scale]);
        drawRectangle(context, all, edges, colours.zoom, scale);
        context.setLineDash([]);
      }
    }
    if (boxes && name === "zoomed") this.drawZoomedBoxes(context, frame, boxes);
    else if (boxes) this.drawBoxes(context, boxes, colour);
    const text = this.noteOf(name, frame);
    if (text) drawTag(context, text, 6 * scale, canvas.height - 8 * scale, colours.ink, scale);
    const count = boxes ? ` · ${this.found}: ${boxes.length}` : "";
    setText(caption, name === "zoomed" ? this.titles[name] : `${this.titles[name]}${count}`);
    if (this.store.isPlaying) return;
    const found = boxes?.length ? boxes.map(([, label]) => label).join(", ") : "no boxes";
    const { index } = frame;
    setAttribute(canvas, "aria-label", `${this.titles[name]}. Frame ${index + 1}: ${found}`);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {FilmFrame} frame
   */
  drawGrid(context, frame) {
    const warp = this.warpOf(frame);
    context.globalAlpha = 0.6;
    const all = wholeFrame(context.canvas);
    if (warp) drawGrid(context, all, warp, MAX_GRID_LINES, this.colours.grid, this.scale);
    context.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {FoundBox[]} boxes
   * @param {string} colour
   */
  drawBoxes(context, boxes, colour) {
    const all = wholeFrame(context.canvas);
    const size = this.scale * LABEL_SIZE;
    for (const [edges] of boxes) drawRectangle(context, all, edges, colour, this.scale);
    const textColour = colour === this.colours.uniform ? "white" : this.textOnZoom();
    drawLabels(context, all, boxes, colour, size, textColour);
  }

  /**
   * Draw the boxes of the source frame where they are in the zoomed frame.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {FilmFrame} frame
   * @param {FoundBox[]} boxes
   */
  drawZoomedBoxes(context, frame, boxes) {
    const warp = this.warpOf(frame);
    if (!warp) return;
    const inside = (/** @type {number} */ place) => clamp(place, -1, 1);
    for (const [[left, top, right, bottom]] of boxes) {
      const start = toZoomed(warp, inside(left), inside(top));
      const end = toZoomed(warp, inside(right), inside(bottom));
      if (start && end) {
        const all = wholeFrame(context.canvas);
        drawRectangle(context, all, [...start, ...end], this.colours.zoom, this.scale);
      }
    }
  }

  /** White or dark, whichever can be read on the colour of the zooming system. */
  textOnZoom() {
    const [red, green, blue] = [1, 3, 5].map((start) =>
      parseInt(this.colours.zoom.slice(start, start + 2), 16),
    );
    return 0.3 * red + 0.6 * green + 0.1 * blue < 140 ? "white" : this.colours.ink;
  }

  /**
   * The warp of a frame, computed once.
   *
   * @param {FilmFrame} frame
   */
  warpOf(frame) {
    if (!frame.zoom) return null;
    if (this.warpOfFrame?.frame !== frame) {
      const [x, y] = [frame.zoom.x, frame.zoom.y].map((axis) => Float64Array.from(axis));
      this.warpOfFrame = { frame, warp: warpFromAxes(x, y) };
    }
    return this.warpOfFrame.warp;
  }

  /**
   * A short text in the lower left corner of a view, if something is missing there.
   *
   * @param {ViewName} name
   * @param {FilmFrame} frame
   */
  noteOf(name, frame) {
    if (name === "uniform" ? frame.uniform : frame.zoom) return "";
    if (this.store.isBeyondError(frame.index)) return "not computed";
    return `computing frame ${Math.min(this.store.known + 1, frame.index + 1)} of ${frame.index + 1}`;
  }

  syncControls() {
    const { store } = this;
    const { index, film, isPlaying, speed } = store;
    setText(this.playButton, isPlaying ? "❚❚ Pause" : "▶ Play");
    this.playButton.title = isPlaying ? "Pause (space)" : "Play (space)";
    if (Number(this.scrubber.value) !== index) this.scrubber.value = String(index);
    const place = `frame ${index + 1} of ${film.count}`;
    setAttribute(this.scrubber, "aria-valuetext", place);
    setText(this.counter, place);
    if (this.speed.value !== String(speed)) this.speed.value = String(speed);
    setText(this.message, this.errorText());
    // While the film plays, a screen reader would not come to rest.
    setAttribute(this.status, "aria-live", isPlaying ? "off" : "polite");
    setText(this.status, this.statusText());
  }

  errorText() {
    const { store } = this;
    if (store.error && (store.isBeyondError(store.index + 1) || !store.isWaiting()))
      return store.error.text;
    return store.isSilent()
      ? "The kernel does not answer: it is busy, or was restarted. If so, run the cell again."
      : "";
  }

  statusText() {
    const { store } = this;
    const { index, film, known, rate, isPlaying, current } = store;
    if (isPlaying && !Number.isNaN(rate)) {
      const why = rate < 0.85 * film.rate * store.speed ? ", as fast as they are computed" : "";
      return `${rate.toFixed(1)} frames a second${why}`;
    }
    if (store.isWaiting() && known <= index)
      return `computing frame ${known + 1} of ${index + 1}: the zoom follows its own detections, from the first frame on`;
    if (store.isWaiting()) return "waiting for the kernel";
    if (!current?.zoom || !current.uniform) return "";
    const [uniform, zoom] = [current.uniform.boxes.length, current.zoom.boxes.length];
    return `${this.found} in this frame: uniform ${uniform}, ${film.system} ${zoom}`;
  }
}

/** @param {HTMLCanvasElement} canvas */
function figureOf(canvas) {
  const figure = canvas.closest("figure");
  if (!figure) throw new Error("the canvas of a view has no figure");
  return figure;
}

/** @param {number[]} numbers */
const mean = (numbers) =>
  (numbers.reduce((total, number) => total + number, 0) / numbers.length).toFixed(1);

/** @param {{model: PlayerModel}} context */
function initialize({ model }) {
  // Created here, not with the first view, the store outlives that view.
  stores.set(keyOf(model), new FilmStore(model));
}

/**
 * @param {{model: PlayerModel, el: HTMLElement}} context
 * @returns {(() => void) | undefined}
 */
function render({ model, el }) {
  const missing = ["createImageBitmap", "ResizeObserver"].filter((name) => !(name in globalThis));
  if (missing.length) {
    el.textContent = `The player needs a newer browser: this one does not support ${missing.join(", ")}.`;
    return undefined;
  }
  const store = stores.get(keyOf(model));
  if (!store) throw new Error("render() was called for a model before initialize()");
  const view = new PlayerView(store, el);
  return () => view.close();
}

export default { initialize, render };
