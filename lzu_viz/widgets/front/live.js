/**
 * The page on film: a detector in the page looks at a film or at what the camera sees, uniformly
 * downsampled and zoomed at its own last detections.
 *
 * @import { Edges, LiveData, LiveDetection, LiveResult, LiveSettings, Point } from "./types.d.ts"
 *
 * @typedef {"uniform" | "zoom"} SystemName
 *
 * @typedef {object} LivePanel
 * @property {CanvasRenderingContext2D} frame with the boxes.
 * @property {CanvasRenderingContext2D} input of the network.
 * @property {HTMLElement} count
 * @property {HTMLElement} mean
 * @property {HTMLElement} seen says how many pixels the input has.
 */
import { button, element, fitCanvas, foldedList, setAttribute, setText } from "./dom.js";
import { fromCanvas, wholeFrame } from "./frames.js";
import { LiveStore, WINDOW, mean } from "./live_store.js";
import { context2d, drawGrid, drawLabels, drawRectangle } from "./paint.js";
import { followTheme } from "./theme.js";
import { drawTimeline } from "./timeline.js";
import { warpFromAxes } from "./warp.js";

const MAX_GRID_LINES = 16;
const LABEL_SIZE = 0.85;
/** Distance of the dashes from the box that they show, in page pixels. */
const AROUND = 4;
const KEY_STEP = 0.05;
const TIMELINE_HEIGHT = 44;
const TIMELINE_MARGIN = 8;
const TITLES = { uniform: "Uniform", zoom: "Zoomed at its own last detections" };
const HAND_TITLE = "Zoomed at the place that you chose";
const SYSTEMS = /** @type {const} */ (["uniform", "zoom"]);
const STAGES = /** @type {const} */ (["zoom", "network", "decode"]);
const STAGE_NAMES = ["capture", "resample", "network", "decode"];

/** @typedef {{name: "amplitude" | "relativeSigma" | "patience", label: string, hint: string, values: number[]}} Slider */

/** @type {Slider[]} */
const SLIDERS = [
  {
    name: "amplitude",
    label: "Amplitude",
    hint: "How strongly each box attracts: 1 is as much as the whole frame does by itself.",
    values: [0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3],
  },
  {
    name: "relativeSigma",
    label: "Relative sigma",
    hint: "How far the attraction of a box spreads, in sides of the box.",
    values: [0.25, 0.5, 0.75, 1, 1.5, 2],
  },
  {
    name: "patience",
    label: "Patience",
    hint: "For how many frames without a detection it keeps looking where the last one was.",
    values: [0, 1, 2, 3, 5, 10, 20],
  },
];

const GESTURES = [
  ["click or drag on the right", "chooses by hand where it zooms; pause first to keep the place"],
  ["arrow keys there", "move that place; Escape leaves it to the loop again"],
];

class LiveView {
  /**
   * @param {LiveData} data
   * @param {HTMLElement} parent
   */
  constructor(data, parent) {
    this.data = data;
    this.isScheduled = false;
    this.scale = Math.min(2, devicePixelRatio || 1);
    this.root = element("div", "lzu lzu-live");
    this.message = element("p", "lzu-message");
    this.message.setAttribute("role", "alert");
    this.sentence = element("p", "lzu-summary");
    this.bar = element("progress");
    this.bar.setAttribute("aria-label", "Loading the network");
    this.panels = { uniform: this.buildPanel("uniform"), zoom: this.buildPanel("zoom") };
    this.store = new LiveStore(data, () => this.schedule());
    const panels = element("div", "lzu-panels");
    panels.append(...Object.values(this.panels).map(({ frame }) => figureOf(frame.canvas)));
    this.times = this.buildTimes();
    this.credit = element("p", "lzu-credit", data.credit);
    this.timelineTitle = element("p", "lzu-timeline-title");
    this.timeline = this.buildTimeline();
    this.root.append(
      this.buildSources(),
      this.bar,
      this.message,
      this.sentence,
      panels,
      this.timelineTitle,
      this.timeline.canvas,
      this.buildKey(),
      this.buildControls(),
      this.times.table,
      this.credit,
    );
    parent.append(this.root);
    this.listen();
    this.store.start();
    this.schedule();
  }

  buildSources() {
    const { data } = this;
    const buttons = element("div", "lzu-buttons");
    this.playButton = button("", "", () => {
      if (this.store.state === "playing") this.store.pause();
      else this.store.play();
    });
    const file = element("input");
    file.type = "file";
    file.accept = "video/*";
    file.hidden = true;
    file.addEventListener("change", () => {
      const [film] = file.files ?? [];
      if (film) this.openFile(film);
      file.value = "";
    });
    this.cameraButton = button("", "", () => {
      if (this.store.source.isCamera) this.store.closeCamera();
      else this.store.openCamera();
    });
    buttons.append(
      this.playButton,
      button("Courtyard", "Show the film that comes with this page", () =>
        this.store.openFilm(data.film),
      ),
      button("Your film…", "Choose a video file; it stays on your device", () => file.click()),
      this.cameraButton,
      file,
    );
    return buttons;
  }

  /** @param {File} film */
  async openFile(film) {
    const address = URL.createObjectURL(film);
    await this.store.openFilm(address);
    if (this.store.message)
      this.store.message = `${film.name} cannot be played: ${this.store.message}`;
    this.schedule();
  }

  /**
   * @param {SystemName} name
   * @returns {LivePanel}
   */
  buildPanel(name) {
    const figure = element("figure", "lzu-panel");
    const frame = element("canvas");
    // The one that takes keys is no mere picture.
    frame.setAttribute("role", name === "zoom" ? "application" : "img");
    frame.setAttribute("aria-label", TITLES[name]);
    frame.dataset.view = name;
    if (name === "zoom") frame.tabIndex = 0;
    const holder = element("div", "lzu-frame");
    holder.append(frame);
    const row = element("div", "lzu-found");
    const numbers = element("div");
    const [count, mean] = [element("strong"), element("span")];
    numbers.append(count, mean);
    const seen = element("span", "lzu-seen");
    const input = element("canvas", "lzu-input");
    input.setAttribute("role", "img");
    input.setAttribute("aria-label", "What the network sees");
    row.append(numbers, seen, input);
    figure.append(element("figcaption", "", TITLES[name]), holder, row);
    return { frame: context2d(frame), input: context2d(input), count, mean, seen };
  }

  buildTimeline() {
    const canvas = element("canvas", "lzu-timeline");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Boxes in each of the last frames");
    return context2d(canvas);
  }

  buildKey() {
    const { uniform, zoom } = this.data.colours;
    const key = element("div", "lzu-key");
    for (const [className, colour, text] of [
      ["lzu-line", uniform, "uniform"],
      ["lzu-line", zoom, "zoomed"],
      ["lzu-dashed", zoom, "where it looked: the boxes of the frame before, or your place"],
      ["lzu-line", this.data.colours.grid, "grid of the warp: closer lines, more pixels"],
    ]) {
      const entry = element("span");
      const mark = element("i", className);
      mark.style[className === "lzu-line" ? "backgroundColor" : "borderColor"] = colour;
      entry.append(mark, text);
      key.append(entry);
    }
    return key;
  }

  buildControls() {
    const { data } = this;
    const side = element("div", "lzu-side lzu-live-controls");
    const presets = element("div", "lzu-buttons lzu-presets");
    this.presetButtons = data.presets.map(({ title, text, settings }) =>
      button(title, text, () => {
        this.store.restart();
        this.store.change(settings);
      }),
    );
    presets.append("Try: ", ...this.presetButtons);
    this.presetText = element("p");
    const rows = element("div", "lzu-rows");
    this.size = select(
      data.sizes.map(({ rows: height, columns }) => `${height} × ${columns}`),
      (index) => this.store.change({ size: data.sizes[index] }),
    );
    this.followed = select(["people", "all classes"], (index) =>
      this.store.change({ followed: index ? "" : "person" }),
    );
    rows.append(
      labelled("Input size", "Pixels that the network sees, of both systems.", this.size),
      labelled("Follow", "What is counted, and zoomed at.", this.followed),
    );
    this.sliders = SLIDERS.map((slider) => {
      const input = element("input");
      Object.assign(input, { type: "range", min: "0", max: String(slider.values.length - 1) });
      const value = element("span", "lzu-value");
      input.addEventListener("input", () =>
        this.store.change({ [slider.name]: slider.values[input.valueAsNumber] }),
      );
      const row = labelled(slider.label, slider.hint, input);
      row.append(value);
      rows.append(row);
      return { slider, input, value };
    });
    const hints = SLIDERS.map(({ label, hint }) => [label, hint]);
    const help = foldedList("What each control does", [...hints, ...GESTURES]);
    side.append(presets, this.presetText, rows, help);
    return side;
  }

  listen() {
    const { canvas } = this.panels.zoom.frame;
    let isDown = false;
    const point = (/** @type {PointerEvent} */ event) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      this.store.point(fromCanvas({ left, top, width, height }, event.clientX, event.clientY));
    };
    canvas.addEventListener("pointerdown", (event) => {
      isDown = true;
      canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    canvas.addEventListener("pointermove", (event) => isDown && point(event));
    for (const type of ["pointerup", "pointercancel"])
      canvas.addEventListener(type, () => {
        isDown = false;
        if (this.store.state === "playing") this.store.point(null);
      });
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.store.source.pause();
      else if (this.store.state === "playing") this.store.source.play();
      this.store.work();
    });
    addEventListener("resize", () => this.schedule());
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = /** @type {Record<string, Point>} */ ({
      ArrowLeft: [-KEY_STEP, 0],
      ArrowRight: [KEY_STEP, 0],
      ArrowUp: [0, -KEY_STEP],
      ArrowDown: [0, KEY_STEP],
    })[event.key];
    if (step) {
      const [x, y] = this.store.hand ?? [0, 0];
      this.store.pause();
      this.store.point([x + step[0], y + step[1]]);
    } else if (event.key === "Escape") this.store.point(null);
    else return;
    event.preventDefault();
  }

  /** Draw in the next animation frame. */
  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.draw();
    });
  }

  draw() {
    const { store, root } = this;
    this.syncControls();
    const { uniform, zoom } = store;
    if (uniform && zoom) {
      this.drawPanel("uniform", uniform);
      this.drawPanel("zoom", zoom);
      this.drawCounts();
      this.showTimes();
    }
    // Read by tests: they wait for the change that they expect.
    Object.assign(root.dataset, { state: store.state, frames: String(store.frameCount) });
  }

  /**
   * @param {SystemName} name
   * @param {LiveResult} result
   */
  drawPanel(name, { detections, axes, input }) {
    const panel = this.panels[name];
    const { store, scale } = this;
    if (!store.shownFrame) return;
    const source = store.shownFrame.canvas;
    const colour = this.data.colours[name];
    const { frame } = panel;
    const width = frame.canvas.clientWidth * scale;
    fitCanvas(frame.canvas, width, (width * source.height) / source.width);
    const all = wholeFrame(frame.canvas);
    frame.drawImage(source, 0, 0, all.width, all.height);
    if (axes) {
      frame.globalAlpha = 0.5;
      const warp = warpFromAxes(axes.x, axes.y);
      drawGrid(frame, all, warp, MAX_GRID_LINES, this.data.colours.grid, scale);
      frame.globalAlpha = 1;
    }
    for (const { box } of detections) drawRectangle(frame, all, box, colour, scale);
    if (axes) this.drawExpected(frame, store.lookedAt);
    const labels = detections.map(labelOf);
    drawLabels(
      frame,
      all,
      labels,
      colour,
      scale * LABEL_SIZE,
      name === "uniform" ? "white" : this.data.colours.ink,
    );
    const size = `${input.height} × ${input.width} pixels`;
    if (panel.input.canvas.width !== input.width || panel.input.canvas.height !== input.height)
      Object.assign(panel.input.canvas, { width: input.width, height: input.height });
    panel.input.drawImage(input, 0, 0);
    const title = name === "zoom" && store.hand ? HAND_TITLE : TITLES[name];
    if (name === "zoom") setText(this.zoomTitle(), title);
    setText(panel.seen, `The network sees ${size}:`);
    setAttribute(panel.input.canvas, "aria-label", `What the network sees: ${size}`);
    const average = store.meanCount(name);
    setText(panel.count, String(detections.length));
    setText(
      panel.mean,
      average === null
        ? ""
        : `boxes of ${this.noun()}; on average of the last ${store.counts[name].length} frames ${average.toFixed(1)}`,
    );
    if (store.state === "playing") return;
    const found = labels.map(([, text]) => text).join(", ") || "nothing";
    const keys = name === "zoom" ? " Arrow keys choose the place at which it zooms." : "";
    setAttribute(frame.canvas, "aria-label", `${title}, found: ${found}.${keys}`);
  }

  zoomTitle() {
    return /** @type {HTMLElement} */ (figureOf(this.panels.zoom.frame.canvas).firstElementChild);
  }

  noun() {
    return this.store.settings.followed === "person" ? "people" : "objects";
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Edges[]} boxes
   */
  drawExpected(context, boxes) {
    const { scale } = this;
    const all = wholeFrame(context.canvas);
    const [x, y] = [(2 * AROUND * scale) / all.width, (2 * AROUND * scale) / all.height];
    for (const [left, top, right, bottom] of boxes) {
      /** @type {Edges} */
      const edges = [left - x, top - y, right + x, bottom + y];
      // Dashes on a dark line are seen on any picture; around a box, also if it is found again.
      drawRectangle(context, all, edges, this.data.colours.ink, scale);
      context.setLineDash([4 * scale, 4 * scale]);
      drawRectangle(context, all, edges, this.data.colours.zoom, scale);
      context.setLineDash([]);
    }
  }

  drawCounts() {
    const { timeline, store, scale } = this;
    const { uniform, zoom } = store.counts;
    fitCanvas(timeline.canvas, timeline.canvas.clientWidth * scale, TIMELINE_HEIGHT * scale);
    const ink = getComputedStyle(this.root).color;
    const window = { count: WINDOW, index: zoom.length - 1, uniform, zoom };
    drawTimeline(timeline, window, this.data.colours, ink, TIMELINE_MARGIN, scale);
    setText(
      this.timelineTitle,
      `Boxes of ${this.noun()} in each of the last ${WINDOW} frames, false alarms included`,
    );
    const [before, after] = [store.meanCount("uniform"), store.meanCount("zoom")];
    if (before === null || after === null) return;
    setAttribute(
      timeline.canvas,
      "aria-label",
      `Boxes of ${this.noun()} in each of the last ${zoom.length} frames; on average uniform ${before.toFixed(1)}, zoomed ${after.toFixed(1)}`,
    );
  }

  /** The table of the milliseconds of each stage, and its cells. */
  buildTimes() {
    const table = element("table", "lzu-times");
    const caption = element("caption");
    table.append(caption);
    const addRow = (/** @type {string[]} */ texts, /** @type {"th" | "td"} */ tagName) => {
      const row = element("tr");
      const cells = texts.map((text, index) => element(index ? tagName : "th", "", text));
      row.append(...cells);
      table.append(row);
      return cells;
    };
    addRow(["Milliseconds", ...STAGE_NAMES], "th");
    const [uniform, zoom] = ["uniform", "zoomed"].map((name) =>
      addRow([name, "", ...STAGES.map(() => "")], "td"),
    );
    return { table, caption, cells: { uniform, zoom } };
  }

  showTimes() {
    const { caption, cells } = this.times;
    const { times } = this.store;
    const rate = this.store.rate();
    const both = "both systems run at the same time";
    setText(caption, rate === null ? "Paused" : `${rate.toFixed(1)} frames a second; ${both}`);
    if (!times.length) return;
    for (const name of SYSTEMS) {
      const stages = STAGES.map((stage) => times.map((each) => each[name][stage]));
      [times.map(({ capture }) => capture), ...stages].forEach((values, index) =>
        setText(cells[name][index + 1], mean(values).toFixed(0)),
      );
    }
  }

  syncControls() {
    const { store, data } = this;
    const { settings, state } = store;
    const isPlaying = state === "playing";
    const isReady = isPlaying || state === "paused";
    const [loaded, total] = store.progress;
    this.bar.hidden = state !== "loading";
    if (total) Object.assign(this.bar, { max: total, value: loaded });
    this.credit.hidden = !store.isOwnFilm;
    setText(this.message, store.message);
    setText(this.sentence, store.sentence());
    // While the film plays, a screen reader would not come to rest.
    setAttribute(this.sentence, "aria-live", isPlaying ? "off" : "polite");
    const isCamera = store.source.isCamera;
    if (this.playButton) {
      setText(this.playButton, isPlaying ? "❚❚ Pause" : "▶ Play");
      this.playButton.disabled = !isReady || !store.source.hasFrames;
    }
    if (this.cameraButton) {
      setText(this.cameraButton, isCamera ? "Camera off" : "Camera");
      this.cameraButton.title = isCamera
        ? "Switch the camera off"
        : "Ask for the camera; its pictures stay on your device, and are not recorded";
      this.cameraButton.disabled = !isReady;
    }
    const preset = data.presets.findIndex((each) => isSame(each.settings, settings));
    this.presetButtons?.forEach((choice, index) =>
      setAttribute(choice, "aria-pressed", String(index === preset)),
    );
    if (this.presetText) setText(this.presetText, data.presets[preset]?.text ?? "");
    const { rows, columns } = settings.size;
    if (this.size)
      this.size.selectedIndex = data.sizes.findIndex(
        (size) => size.rows === rows && size.columns === columns,
      );
    if (this.followed) this.followed.selectedIndex = settings.followed ? 0 : 1;
    for (const { slider, input, value } of this.sliders ?? []) {
      const chosen = settings[slider.name];
      input.value = String(slider.values.indexOf(chosen));
      setAttribute(input, "aria-valuetext", String(chosen));
      setText(value, String(chosen));
    }
  }
}

/**
 * @param {LiveSettings} a
 * @param {LiveSettings} b
 */
const isSame = (a, b) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());

/** @returns {[Edges, string]} */
const labelOf = (/** @type {LiveDetection} */ { box, name, score }) => [
  box,
  `${name} ${score.toFixed(2)}`,
];

/**
 * @param {string} text
 * @param {string} hint
 * @param {HTMLElement} control
 */
function labelled(text, hint, control) {
  const row = element("label", "lzu-control");
  row.title = hint;
  row.append(element("span", "lzu-label", text), control);
  return row;
}

/**
 * @param {string[]} options
 * @param {(index: number) => void} onChange
 */
function select(options, onChange) {
  const choice = element("select");
  choice.append(...options.map((text) => element("option", "", text)));
  choice.addEventListener("change", () => onChange(choice.selectedIndex));
  return choice;
}

/** @param {HTMLCanvasElement} canvas */
function figureOf(canvas) {
  const figure = canvas.closest("figure");
  if (!figure) throw new Error("the canvas of a view has no figure");
  return figure;
}

const data = document.getElementById("lzu-data");
const place = document.getElementById("lzu-live");
if (!data || !place) throw new Error("the page has no data, or no place for the film");
followTheme();
new LiveView(JSON.parse(data.textContent ?? ""), place);
