/**
 * The explorer on the page: panels, controls and numbers.
 *
 * The page computes the warp itself and never waits for a kernel; see `store.js`.
 *
 * @import { BinaryData, Colours, Control, ListName, Model, NodeState } from "./types.d.ts"
 * @import { Point, State, View } from "./types.d.ts"
 * @import { ExplorerStore } from "./store.js"
 * @import { Mask, Panel, Score } from "./views.js"
 *
 * @typedef {object} ControlRow a control on the page.
 * @property {Control} control
 * @property {HTMLLabelElement} row
 * @property {HTMLInputElement | HTMLSelectElement} input
 * @property {HTMLElement} output
 * @property {?HTMLCanvasElement} curve
 */
import { CURVES, SliderCurves, describe, drawCurve } from "./curves.js";
import { button, element, foldedList, setText } from "./dom.js";
import { equal } from "./equality.js";
import { FollowPanel } from "./follow_panel.js";
import { fromCanvas, toCanvas } from "./frames.js";
import { Gestures, targetKind } from "./gestures.js";
import { arrange, scrollerOf, visibleHeight } from "./layout.js";
import { toZoomed } from "./inverse.js";
import { round } from "./numbers.js";
import { ScratchCanvas, context2d, gradient } from "./paint.js";
import { messageOf } from "./photo.js";
import { SwitchableModel } from "./switchable_model.js";
import { ANSWERS, drawPanel, frameOf, readOut } from "./views.js";
import { toSource } from "./warp.js";

const REFINE_AFTER_MS = 250;
const BUSY_AFTER_MS = 1000;
const PLAY_MS = 2000;
const MAX_PIXEL_RATIO = 2;
const MIN_PANEL_WIDTH = 80;
/** Up to this number, all controls are shown as main controls. */
const FEW_CONTROLS = 6;
/** The height of the visible page from which close-ups are shown at their full size. */
const HIGH_WINDOW = 640;
const HEAD_HEIGHT = 44;
/** In narrower views, captions are shortened. */
const NARROW_PANEL = 300;
/** Of a line of buttons or of the key to the colours, and the gap between two of its items. */
const LINE_HEIGHT = 32;
const ITEM_GAP = 16;

/** What the colour of handles means in the key, by what is dragged. */
const DRAGGED = {
  foveas: "fovea: drag it",
  boxes: "box: drag it",
  nodes: "node: drag it",
};
const CURVE_KEY = "IoU along a slider (dashed: uniform)";

const SWITCH_HINT =
  "The kernel sends the network once, 4 or 11 MB; predictions then follow your hand without it.";

const GESTURES = [
  [
    "drag",
    "moves a fovea, a box or a node of the grid; on the edge of a box, resizes it; elsewhere, draws a new box",
  ],
  ["double click", "adds a fovea or a box, or removes the one under the pointer; resets a node"],
  ["wheel, pinch, + and −", "make a fovea or a box wider or narrower"],
  ["arrow keys", "move the selected fovea, box or node; with Shift ten times as far"],
  ["N, Shift+N", "select the next or the previous fovea or box; of nodes, along the row"],
  ["M, Shift+M", "select the node below or above"],
  ["Insert, Delete", "add or remove a fovea or a box; Delete resets a node"],
  ["Ctrl+Z", "undoes the last change"],
  ["pointing", "marks the same place in every view; maps show their value there"],
];

export class Explorer {
  /**
   * @param {ExplorerStore} store
   * @param {HTMLElement} parent
   */
  constructor(store, parent) {
    this.store = store;
    this.model = store.model;
    this.limits = this.model.get("_lists");
    this.controls = this.model.get("_controls");
    this.colours = readColours(this.model);
    /** @type {Record<ListName, number> & {node: {row: number, column: number}}} */
    this.selected = { foveas: 0, boxes: 0, node: { row: 0, column: 0 } };
    /** @type {Map<string, Panel>} */
    this.panels = new Map();
    /** @type {ControlRow[]} */
    this.rows = [];
    /** @type {Record<string, Mask>} */
    this.masks = {};
    this.notice = "";
    this.isScheduled = false;
    this.ratio = 1;
    /** @type {?State} */
    this.drawnState = null;
    /** @type {?number} the animation frame of the playback. */
    this.playing = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.refineTimer = undefined;
    this.requestCount = 0;
    this.decodingCount = 0;
    /** @type {string[] | undefined} */
    this.lines = undefined;
    this.selectMiddleNode();

    this.numbers = element("div", "lzu-numbers");
    this.summary = element("p", "lzu-summary");
    this.progress = element("progress", "lzu-progress");
    this.message = element("p", "lzu-message");
    this.key = element("div", "lzu-key");
    this.grid = element("div", "lzu-panels");
    const views = this.model.get("_views");
    const home = views.find(({ name }) => name === "source") ?? views[0];
    for (const view of views) this.grid.append(this.buildPanel(view, view === home));
    this.gestures = new Gestures(this);
    this.follow = new FollowPanel(this);
    for (const panel of this.panels.values()) {
      this.gestures.attach(panel, panel.view === home);
      this.follow.attach(panel);
    }
    this.buttons = this.buildButtons();
    this.root = this.buildRoot();
    parent.append(this.root);

    this.curves = new SliderCurves(this, this.root.querySelector(".lzu-main") ?? this.root);
    this.busyTimer = setInterval(() => this.showBusy(), BUSY_AFTER_MS / 2);
    store.views.add(this);
    this.resizeObserver = new ResizeObserver(() => this.resize());
    this.resizeObserver.observe(this.root);
    this.onWindowResize = () => this.resize();
    window.addEventListener("resize", this.onWindowResize);
    /** @type {?Element} */
    this.scroller = null;
    this.resize();
    if (!this.model.get("_result").state) store.lastSent = null;
    store.sendState();
  }

  close() {
    this.resizeObserver.disconnect();
    window.removeEventListener("resize", this.onWindowResize);
    if (this.playing !== null) cancelAnimationFrame(this.playing);
    clearTimeout(this.refineTimer);
    clearInterval(this.busyTimer);
    this.curves.close();
    this.store.views.delete(this);
  }

  // Elements of the page.

  buildRoot() {
    const root = element("div", "lzu");
    root.dataset.revision = String(this.requestCount);
    const { main, more } = this.buildControls();
    const layout = element("div", "lzu-layout");
    layout.append(this.buildPanels(), main, more);
    root.append(layout, this.buildDetails(), this.buildHelp(), this.follow.root);
    const { model } = this;
    if (model instanceof SwitchableModel) root.append(this.buildSwitch(model));
    root.addEventListener("keydown", (event) => {
      // Otherwise JupyterLab handles these keys itself, even on a slider.
      if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation();
      const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
      const isText = event.target instanceof HTMLInputElement && event.target.type === "text";
      if (isUndo && !isText) {
        event.preventDefault();
        event.stopPropagation();
        this.store.undo();
      }
    });
    if (this.model.get("_upload")) this.acceptPhotos(root);
    return root;
  }

  /**
   * Take photos that are dropped on the explorer, or pasted while it has the focus.
   *
   * @param {HTMLElement} root
   */
  acceptPhotos(root) {
    const holdsFiles = (/** @type {?DataTransfer} */ data) =>
      Boolean(data?.types.includes("Files"));
    for (const kind of ["dragenter", "dragover"])
      root.addEventListener(kind, (event) => {
        if (!(event instanceof DragEvent) || !holdsFiles(event.dataTransfer)) return;
        event.preventDefault();
        event.stopPropagation();
        root.classList.add("lzu-drop");
      });
    root.addEventListener("dragleave", (event) => {
      const { relatedTarget } = event;
      if (!(relatedTarget instanceof Node && root.contains(relatedTarget)))
        root.classList.remove("lzu-drop");
    });
    root.addEventListener("drop", (event) => {
      root.classList.remove("lzu-drop");
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      event.stopPropagation();
      this.upload(file);
    });
    root.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (!file) return;
      event.preventDefault();
      event.stopPropagation();
      this.upload(file);
    });
  }

  buildPanels() {
    const shown = element("div", "lzu-show");
    this.summary.setAttribute("role", "status");
    this.progress.setAttribute("aria-label", "The prediction is being computed");
    this.progress.hidden = true;
    // Both are in the same place, so that the views do not move when a message comes or goes:
    // a drag would lose its target.
    this.head = element("div", "lzu-head");
    this.message.setAttribute("role", "alert");
    this.head.append(this.summary, this.message);
    shown.append(this.head, this.progress, this.grid, this.key);
    return shown;
  }

  /** The key to the colours. */
  syncKey() {
    const isKnown = Boolean(this.model.get("_ground_truth").box);
    const { fovea, fold, prediction, ground_truth: truth } = this.colours;
    const target = targetKind(this.store.state);
    /** @type {[string, string][]} */
    const entries = target ? [[fovea, DRAGGED[target]]] : [];
    entries.push([fold, "folded pieces"]);
    if (ANSWERS.some((name) => this.panels.has(name))) {
      entries.push([prediction, "the network's prediction"]);
      if (isKnown) entries.push([truth, "the ground truth"], ["white", "what is enlarged below"]);
      if (isKnown && this.rows.some(({ curve }) => curve)) entries.push([prediction, CURVE_KEY]);
    }
    const text = entries.map(([, meaning]) => meaning).join();
    if (this.key.dataset.entries === text) return;
    this.key.dataset.entries = text;
    this.key.replaceChildren();
    for (const [colour, meaning] of entries) {
      const entry = element("span");
      const patch = element("i", meaning === CURVE_KEY ? "lzu-line" : "");
      patch.style.background = colour;
      entry.append(patch, meaning);
      this.key.append(entry);
    }
  }

  /**
   * @param {View} view
   * @param {boolean} isHome whether the view takes the keyboard's focus.
   */
  buildPanel(view, isHome) {
    const isAnswer = ANSWERS.includes(view.name);
    const cell = element("figure", "lzu-panel");
    const readOut = element("span", "lzu-read");
    const top = element("span");
    const frame = element("div", "lzu-frame");
    const canvas = element("canvas");
    const marker = element("div", "lzu-mark");
    canvas.dataset.view = view.name;
    canvas.setAttribute("role", isHome ? "application" : "img");
    canvas.setAttribute("aria-label", view.caption);
    marker.hidden = true;
    frame.append(canvas, marker);
    const [start, ...rest] = view.caption.split(",");
    const caption = element("figcaption", "", start);
    if (rest.length) caption.append(element("span", "lzu-rest", `,${rest.join(",")}`));
    cell.append(caption, frame);
    const bottom = element("span", "", "0");
    if (view.unit) {
      const bar = element("div", "lzu-bar");
      const scale = element("i");
      const isAboutOne = view.scale === "about 1";
      scale.style.background = gradient(this.colours[isAboutOne ? "diverging" : "map"]);
      bar.append(bottom, scale, top, readOut);
      cell.append(bar);
    }
    const score = isAnswer ? buildScore() : null;
    if (score) cell.append(score.row);
    /** @type {Panel} */
    const panel = {
      view,
      cell,
      canvas,
      marker,
      readOut,
      top,
      bottom,
      score,
      scale: 1,
      scratch: new ScratchCanvas(),
      context: context2d(canvas),
      shown: null,
      inputs: null,
      background: null,
      decoded: null,
    };
    this.panels.set(view.name, panel);
    canvas.addEventListener("pointermove", (event) => this.onHover(panel, event));
    canvas.addEventListener("pointerleave", () => this.onHover(panel, null));
    return cell;
  }

  /** Whether the network predicts masks; others predict boxes. */
  predictsMasks() {
    const { when } = this.controlOf("probability");
    return Boolean(when?.[1].includes(this.store.state.network));
  }

  shownControls() {
    return this.controls.filter(({ shown }) => shown);
  }

  buildControls() {
    const shown = this.shownControls();
    const isMain = (/** @type {Control} */ control) => control.main || shown.length <= FEW_CONTROLS;
    const main = element("div", "lzu-side lzu-main");
    const more = element("div", "lzu-side lzu-more");
    const rows = element("div", "lzu-rows");
    rows.append(...shown.filter(isMain).map((control) => this.buildControl(control)));
    main.append(this.buttons.bar, this.buildPresets(), rows);
    /** @type {Map<string, HTMLFieldSetElement>} */
    const groups = new Map();
    for (const control of shown.filter((each) => !isMain(each))) {
      let group = groups.get(control.group);
      if (!group) {
        group = element("fieldset");
        group.append(element("legend", "", control.group));
        groups.set(control.group, group);
        more.append(group);
      }
      group.append(this.buildControl(control));
    }
    return { main, more };
  }

  /** Buttons that lead to prepared states. */
  buildPresets() {
    const bar = element("div", "lzu-buttons lzu-presets");
    this.presets = this.model.get("_presets").map(({ title, state }) => {
      const choice = button(title, `Go to: ${title}`, () => this.store.goTo(state));
      bar.append(choice);
      return { choice, state };
    });
    bar.hidden = !this.presets.length;
    return bar;
  }

  /** All figures of the result. */
  buildDetails() {
    const details = element("details", "lzu-details");
    details.append(element("summary", "", "All numbers"), this.numbers);
    return details;
  }

  /**
   * A switch that lets the networks run in the page.
   *
   * @param {SwitchableModel} model
   */
  buildSwitch(model) {
    const details = element("details", "lzu-details");
    const label = element("label");
    const input = element("input");
    input.type = "checkbox";
    input.checked = model.isOn;
    label.append(input, " Run the networks in this page");
    const status = element("p", "", model.status || SWITCH_HINT);
    model.onStatus = () => {
      setText(status, model.status || SWITCH_HINT);
      input.checked = model.isOn;
    };
    input.addEventListener("change", async () => {
      await model.switch(input.checked);
      // The result of the state then comes from where it is computed now.
      this.store.lastSent = null;
      this.store.sendState();
    });
    details.append(element("summary", "", "Slow connection?"), label, status);
    return details;
  }

  buildHelp() {
    const controls = this.shownControls().map(({ label, legend }) => [label, legend]);
    return foldedList("What each gesture, key and control does", [...GESTURES, ...controls]);
  }

  buildButtons() {
    const bar = element("div", "lzu-buttons");
    const play = button("▶ Play", "Morph the grid from uniform to zoomed and back", () =>
      this.togglePlay(),
    );
    const undo = button("↶ Undo", "Undo the last change (Ctrl+Z)", () => this.store.undo());
    const add = button(
      "+ Add",
      "Add a fovea or a box in the middle (Insert, or double click the source)",
      () => this.gestures.add(0, 0),
    );
    const remove = button(
      "− Remove",
      "Remove the selected fovea or box; reset the selected node (Delete)",
      () => this.gestures.remove(),
    );
    play.hidden = !this.shownControls().some(({ name }) => name === "morph");
    const chooser = this.model.get("_upload") ? this.buildChooser() : [];
    const back = button("Back", "Back to the first picture, in place of your photo", () =>
      this.store.goBack(),
    );
    const pair = element("span", "lzu-pair");
    pair.append(add, remove);
    bar.append(play, undo, ...chooser, back, pair);
    return { bar, play, undo, back, add, remove };
  }

  /** A button that opens a photo of the user. */
  buildChooser() {
    const input = element("input");
    Object.assign(input, { type: "file", accept: "image/*", hidden: true });
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      input.value = "";
      if (file) this.upload(file);
    });
    const title = "Explore a photo of your own; or drop it here, or paste it";
    return [button("Photo …", title, () => input.click()), input];
  }

  /**
   * Send a photo to the kernel, or say why it cannot be shown.
   *
   * @param {File} file
   */
  async upload(file) {
    this.notify("");
    try {
      await this.store.upload(file);
    } catch (error) {
      this.notify(
        `${file.name} cannot be shown: ${messageOf(error)}. Nothing was changed. Choose a JPEG, PNG or WebP file.`,
      );
    }
  }

  /**
   * A labelled slider, choice or switch for the field of the state that `control.name` names.
   *
   * @param {Control} control
   */
  buildControl(control) {
    const row = element("label", "lzu-control");
    row.title = control.legend;
    row.dataset.name = control.name;
    const input = control.options.length ? buildSelect(control.options) : buildInput(control);
    // An <output> would be read out at each change, beside the slider's own value.
    const output = element("span", "lzu-value");
    const onInput = (/** @type {boolean} */ done) =>
      this.onControl(control.name, readInput(input), done);
    input.addEventListener("input", () => onInput(false));
    input.addEventListener("change", () => onInput(true));
    const hasCurve = CURVES.includes(control.name) && this.model.get("_score") !== undefined;
    const curve = hasCurve ? element("canvas", "lzu-curve") : null;
    const slider = element("span", "lzu-slider");
    if (curve) {
      curve.setAttribute("aria-hidden", "true");
      slider.append(curve);
    }
    slider.append(input);
    row.append(element("span", "lzu-label", control.label), slider, output);
    this.rows.push({ row, input, output, control, curve });
    return row;
  }

  /**
   * The control of a field, whether or not it is shown.
   *
   * @param {string} name
   * @returns {Control}
   */
  controlOf(name) {
    const control = this.controls.find((candidate) => candidate.name === name);
    if (!control) throw new Error(`unknown control: ${name}`);
    return control;
  }

  /**
   * Apply the value of a control that was moved.
   *
   * @param {string} name
   * @param {boolean | number | string} value
   * @param {boolean} done
   */
  onControl(name, value, done) {
    const [list, field] = name.split(".");
    if (list === "nodes" && (field === "row" || field === "column")) {
      const place = Math.min(Number(value), this.store.state.pieces);
      this.selected.node = { ...this.selected.node, [field]: place };
      this.schedule();
    } else if (list === "nodes") this.gestures.shiftNode({ [field]: value }, done);
    else if (list === "foveas" || list === "boxes") {
      const entries = this.store.state[list].map((entry, index) =>
        index === this.selected[list] ? { ...entry, [field]: value } : entry,
      );
      this.store.change({ [list]: entries }, done);
    } else this.store.change({ [name]: value, ...impliedChange(name, value) }, done);
  }

  /**
   * The state with another value of a control.
   *
   * @param {string} name
   * @param {any} value
   * @returns {State}
   */
  stateWith(name, value) {
    const { state } = this.store;
    const { serial: _, ...fields } = state;
    const [list, field] = name.split(".");
    if (list !== "foveas" || !field) return { ...fields, [name]: value };
    const foveas = state.foveas.map((fovea, index) =>
      index === this.selected.foveas ? { ...fovea, [field]: value } : fovea,
    );
    return { ...fields, foveas };
  }

  /**
   * The value of a control in the state; of the fields of a list, that of the selected entry.
   *
   * @param {string} name
   * @returns {unknown}
   */
  valueOf(name) {
    const [list, field] = name.split(".");
    const { state } = this.store;
    if (list === "nodes") return fieldOf(this.selectedNode(), field);
    if (list === "foveas" || list === "boxes")
      return fieldOf(state[list][this.selected[list]], field);
    return fieldOf(state, name);
  }

  /**
   * The selected node, as the state holds it, or with no shift.
   *
   * @returns {NodeState}
   */
  selectedNode() {
    const { row, column } = this.selected.node;
    const moved = this.store.state.nodes.find((node) => node.row === row && node.column === column);
    return moved ?? { row, column, dx: 0, dy: 0 };
  }

  selectMiddleNode() {
    const middle = this.store.state.pieces >> 1;
    this.selected.node = { row: middle, column: middle };
  }

  // Hovering marks the same place in all views.

  /**
   * @param {Panel} panel
   * @param {?PointerEvent} event
   */
  onHover(panel, event) {
    if (!this.store.mipmap) return; // nothing is drawn yet
    /** @type {?Point} */
    let source = null;
    if (event) {
      const { canvas, view } = panel;
      const bounds = this.gestures.bounds(panel);
      const scale = canvas.width / bounds.width;
      const position = [
        (event.clientX - bounds.left) * scale,
        (event.clientY - bounds.top) * scale,
      ];
      const place = fromCanvas(frameOf(view, canvas), position[0], position[1]);
      source = view.frame === "zoomed" ? toSource(this.store.derive().warp, ...place) : place;
    }
    for (const other of this.panels.values()) this.markPlace(other, source);
  }

  /**
   * @param {Panel} panel
   * @param {?Point} source
   */
  markPlace(panel, source) {
    const { marker, readOut: output, scale, view, canvas } = panel;
    const isZoomed = view.frame === "zoomed";
    const place = source && isZoomed ? toZoomed(this.store.derive().warp, ...source) : source;
    const inside = place !== null && Math.abs(place[0]) <= 1 && Math.abs(place[1]) <= 1;
    marker.hidden = !inside;
    const text = inside ? readOut(panel, ...place) : "";
    if (output.textContent !== text) output.textContent = text;
    if (!inside) return;
    const [x, y] = toCanvas(frameOf(view, canvas), ...place);
    marker.style.transform = `translate(${x / scale}px, ${y / scale}px)`;
  }

  togglePlay() {
    const { play } = this.buttons;
    if (this.playing !== null) {
      cancelAnimationFrame(this.playing);
      this.playing = null;
      play.textContent = "▶ Play";
      this.store.change({ morph: 1 });
      return;
    }
    play.textContent = "■ Stop";
    const start = performance.now();
    const isStepwise = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (/** @type {number} */ now) => {
      const phase = (Math.max(0, now - start) / PLAY_MS) % 2;
      this.store.change({ morph: morphAt(phase, isStepwise) }, false);
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  // Drawing.

  /** Fit the canvases to their frames; at the full resolution of the screen only while at rest. */
  resize() {
    if (!this.store.mipmap) return;
    this.arrange();
    const { width, height } = this.store.size;
    for (const panel of this.panels.values()) {
      const { canvas } = panel;
      const across = Math.max(MIN_PANEL_WIDTH, canvas.parentElement?.clientWidth ?? 0);
      const size = {
        width: Math.round(across * this.ratio),
        height: Math.round((across * this.ratio * height) / width),
      };
      panel.scale = this.ratio;
      if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    }
    this.draw();
  }

  /**
   * The height that rows of elements take up in a width. It must not depend on the arrangement,
   * which is computed from it: otherwise two arrangements could follow one another for ever.
   *
   * @param {Element[]} rows
   * @param {number} width
   */
  static wrappedHeight(rows, width) {
    return rows.reduce((total, row) => {
      const items = [...row.children].filter((item) => item.clientWidth > 0);
      const across = items.reduce((sum, { clientWidth }) => sum + clientWidth + ITEM_GAP, 0);
      return total + Math.ceil(across / width) * LINE_HEIGHT;
    }, 0);
  }

  /** Arrange views and controls so that they fit the visible part of the page. */
  arrange() {
    const { root } = this;
    const width = root.clientWidth;
    if (!width) return; // not on the page yet
    const scroller = scrollerOf(root);
    if (scroller && scroller !== this.scroller) {
      this.scroller = scroller;
      this.resizeObserver.observe(scroller);
    }
    const height = visibleHeight(root);
    const strip = height >= HIGH_WINDOW ? 84 : 48;
    const caption = 21;
    const panels = [...this.panels.values()];
    const { controls, columns, panel } = arrange({
      width,
      height,
      count: panels.length,
      aspect: this.store.size.height / this.store.size.width,
      head: HEAD_HEIGHT + Explorer.wrappedHeight([this.key], width),
      buttons: Explorer.wrappedHeight(
        [...root.querySelectorAll(".lzu-main > .lzu-buttons")],
        width,
      ),
      controls: this.rows.filter(({ row }) => row.closest(".lzu-main")).length,
      extras: panels.map(({ view, score }) => caption + (view.unit ? 22 : 0) + (score ? strip : 0)),
    });
    root.dataset.controls = controls;
    root.dataset.narrow = String(panel < NARROW_PANEL);
    const values = { columns: String(columns), panel: `${panel}px`, strip: `${strip}px` };
    for (const [name, value] of Object.entries(values)) {
      const property = `--lzu-${name}`;
      if (root.style.getPropertyValue(property) !== value) root.style.setProperty(property, value);
    }
  }

  /**
   * Draw in the next animation frame. The root's `data-revision` counts these requests, and that of
   * a canvas is the last request that it shows: where they are equal, the canvas is up to date.
   */
  schedule() {
    this.requestCount += 1;
    this.root.dataset.revision = String(this.requestCount);
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      if (!this.store.mipmap) return;
      if (this.ratio !== 1 && this.drawnState !== this.store.state) {
        this.ratio = 1;
        this.resize();
      } else this.draw();
    });
  }

  /** On a high-resolution screen, draw again at full resolution after a pause. */
  refine() {
    const full = Math.min(window.devicePixelRatio, MAX_PIXEL_RATIO);
    if (this.ratio >= full) return;
    clearTimeout(this.refineTimer);
    this.refineTimer = setTimeout(() => {
      this.ratio = full;
      this.resize();
    }, REFINE_AFTER_MS);
  }

  draw() {
    const { state } = this.store;
    const { selected } = this;
    this.drawnState = state;
    selected.foveas = Math.min(selected.foveas, state.foveas.length - 1);
    selected.boxes = Math.min(selected.boxes, state.boxes.length - 1);
    if (Math.max(selected.node.row, selected.node.column) > state.pieces) this.selectMiddleNode();
    for (const panel of this.panels.values()) drawPanel(panel, this);
    this.syncControls();
    this.syncText();
    for (const { choice, state: preset } of this.presets ?? [])
      choice.setAttribute("aria-pressed", String(equal(preset, state)));
    this.syncKey();
    this.syncCurves();
    this.syncDescriptions();
    this.follow.update();
    this.refine();
    if (this.decodingCount) return; // once its masks are decoded, it is drawn again
    for (const { canvas, score } of this.panels.values())
      for (const drawn of [canvas, score?.closeUp])
        if (drawn) drawn.dataset.revision = String(this.requestCount);
    // When the state was changed to that of the shown prediction, for measurements.
    this.root.dataset.answered = String(this.store.answeredChangedAt);
  }

  syncText() {
    const result = this.model.get("_result");
    const { folded } = this.store.derive();
    const remedy = this.store.state.nodes.length ? "reset the moved nodes" : "widen the attraction";
    const pieces = `${folded.length} ${folded.length === 1 ? "piece" : "pieces"}`;
    const fold = folded.length
      ? `Folded or flat in ${pieces} (red): no inverse there. Undo, or ${remedy}.`
      : "";
    const { isConnected, isSilent } = this.store;
    const silent =
      this.model instanceof SwitchableModel
        ? "The kernel does not answer. If it was restarted, run this cell again."
        : "The prediction takes longer than usual.";
    const lost = isConnected
      ? isSilent && silent
      : "The kernel was restarted: run this cell again for predictions. The pictures still move.";
    const text = fold || lost || result.error || this.notice;
    if (this.message.textContent !== text) this.message.textContent = text;
    const isCurrent = this.store.isResultCurrent();
    // In the course of a drag the sentence would be read out again and again.
    if (this.store.isSettled() && isCurrent) setText(this.summary, result.summary ?? "");
    this.summary.hidden = Boolean(text);
    if (this.lines !== result.lines) {
      this.lines = result.lines;
      const lines = (result.lines ?? []).map((line) => element("div", "", line));
      this.numbers.replaceChildren(...lines);
    }
    this.summary.classList.toggle("lzu-stale", !isCurrent);
    this.numbers.classList.toggle("lzu-stale", !this.store.isResultCurrent());
    this.numbers.setAttribute("aria-busy", String(!this.store.isSettled()));
  }

  /** Describe the views to screen readers, with the places of the foveas and the scores. */
  syncDescriptions() {
    const { state } = this.store;
    const target = targetKind(state);
    const list = target === "foveas" || target === "boxes" ? state[target] : [];
    const places = list.map(({ x, y }) => `${x.toFixed(2)}, ${y.toFixed(2)}`).join("; ");
    const name = target === "foveas" ? "Foveas" : "Boxes";
    for (const { view, canvas, score } of this.panels.values()) {
      const parts = [view.caption];
      if (canvas.tabIndex === 0)
        parts.push("Arrow keys move, plus and minus resize, N selects the next");
      if (places && !score) parts.push(`${name} at ${places}`);
      if (score && !score.row.hidden)
        parts.push(`${score.value.textContent} ${score.unit.textContent}`);
      const label = `${parts.join(". ")}.`;
      if (canvas.ariaLabel !== label) canvas.ariaLabel = label;
    }
  }

  showBusy() {
    const { pendingSerial, sentAt } = this.store;
    this.progress.hidden = pendingSerial === null || performance.now() - sentAt < BUSY_AFTER_MS;
  }

  /**
   * Show a message until the next change.
   *
   * @param {string} text
   */
  notify(text) {
    this.notice = text;
    this.message.textContent = text;
  }

  /** Draw the curves of the score along the sliders, as far as they are known. */
  syncCurves() {
    for (const { row, control, curve: canvas } of this.rows) {
      if (!canvas) continue;
      const curve = row.hidden ? null : this.curves.curveOf(control.name);
      const isKnown = Boolean(curve?.scores.some(Boolean));
      if (canvas.hidden === isKnown) canvas.hidden = !isKnown;
      if (!curve || !isKnown) continue;
      const colours = { zoom: this.colours.prediction, uniform: "#767676" };
      drawCurve(canvas, curve, colours);
      const title = `${control.legend}. ${describe(curve, control.unit)}`;
      if (row.title !== title) row.title = title;
    }
  }

  syncControls() {
    const { state, undoStack, gestureStart } = this.store;
    for (const { row, input, output, control } of this.rows) {
      const hidden = control.when !== null && !control.when[1].includes(state[control.when[0]]);
      if (row.hidden !== hidden) row.hidden = hidden;
      if (hidden) continue;
      const value = this.valueOf(control.name);
      if (input instanceof HTMLInputElement && input.type === "checkbox") {
        if (input.checked !== value) input.checked = Boolean(value);
        continue;
      }
      // The grid has as many rows and columns of nodes as it has pieces, and one more.
      if (/^nodes\.(row|column)$/.test(control.name))
        input.setAttribute("max", String(state.pieces));
      const text = String(value);
      if (input.value !== text && Number(input.value) !== value) input.value = text;
      if (!control.step) continue;
      const digits = control.step < 0.1 ? 2 : control.step < 1 ? 1 : 0;
      const shown = `${Number(value).toFixed(digits)}${control.unit}`;
      if (output.textContent !== shown) {
        output.textContent = shown;
        input.setAttribute("aria-valuetext", shown);
      }
    }
    const { undo, back, add, remove } = this.buttons;
    back.hidden = !this.model.get("_is_uploaded");
    undo.disabled = !undoStack.length && !gestureStart;
    add.disabled = !this.gestures.canAdd();
    remove.disabled = !this.gestures.canRemove();
  }
}

/**
 * @param {Model} model
 * @returns {Colours}
 */
function readColours(model) {
  const { map, diverging, ...named } = model.get("_colours");
  const bytes = (/** @type {BinaryData} */ { buffer, byteOffset, byteLength }) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  return { ...named, map: bytes(map), diverging: bytes(diverging) };
}

/**
 * The morph of the grid at a phase of its playback: from uniform to zoomed and back, with easing;
 * where motion is to be reduced, only the two ends.
 *
 * @param {number} phase in 0..2.
 * @param {boolean} isStepwise
 */
function morphAt(phase, isStepwise) {
  if (isStepwise) return phase < 1 ? 0 : 1;
  return round(0.5 - 0.5 * Math.cos(Math.PI * phase), 2);
}

/**
 * The row under an answer: its score as a large number with a bar, and a close-up of the object.
 *
 * @returns {Score}
 */
function buildScore() {
  const row = element("div", "lzu-score");
  const value = element("strong");
  const unit = element("span");
  const meter = element("div", "lzu-meter");
  const bar = element("i");
  const closeUp = element("canvas", "lzu-close-up");
  closeUp.setAttribute("role", "img");
  closeUp.setAttribute("aria-label", "Close-up of the object");
  meter.append(bar);
  const text = element("div");
  text.append(value, unit, meter);
  row.append(text, closeUp);
  return { row, value, unit, meter, bar, closeUp, context: context2d(closeUp) };
}

/**
 * @param {object} record
 * @param {string} field
 */
const fieldOf = (record, field) => /** @type {Record<string, unknown>} */ (record)[field];

/** @param {string[]} options */
function buildSelect(options) {
  const select = element("select");
  for (const option of options) select.append(new Option(option, option));
  return select;
}

/** @param {Control} control */
function buildInput({ low, high, step }) {
  const input = element("input");
  input.type = step ? "range" : "checkbox";
  if (step) Object.assign(input, { min: low, max: high, step });
  return input;
}

/** @param {HTMLInputElement | HTMLSelectElement} input */
function readInput(input) {
  if (input instanceof HTMLSelectElement) return input.value;
  return input.type === "checkbox" ? input.checked : Number(input.value);
}

/**
 * Changes that a change of a field implies, so that the state stays valid.
 *
 * @param {string} name
 * @param {unknown} value
 * @returns {Partial<State>}
 */
function impliedChange(name, value) {
  if (name === "separable" && value) return { nodes: [], drag_target: "saliency" };
  if (name === "drag_target" && value === "nodes") return { separable: false };
  return name === "pieces" ? { nodes: [] } : {};
}
