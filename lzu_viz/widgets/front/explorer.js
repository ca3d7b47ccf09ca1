/**
 * The explorer on the page: panels, controls and numbers.
 *
 * The page computes the warp itself and never waits for a kernel; see `store.js`.
 *
 * @import { Colours, Control, ListName, Model, NodeState } from "./types.d.ts"
 * @import { Point, State, View } from "./types.d.ts"
 * @import { ExplorerStore } from "./store.js"
 * @import { Mask, Panel } from "./views.js"
 *
 * @typedef {object} ControlRow a control on the page.
 * @property {Control} control
 * @property {HTMLLabelElement} row
 * @property {HTMLInputElement | HTMLSelectElement} input
 * @property {HTMLOutputElement} output
 */
import { button, element } from "./dom.js";
import { fromCanvas, toCanvas } from "./frames.js";
import { Gestures } from "./gestures.js";
import { toZoomed } from "./inverse.js";
import { ScratchCanvas, context2d, gradient } from "./paint.js";
import { messageOf } from "./photo.js";
import { drawPanel, frameOf, readOut } from "./views.js";
import { toSource } from "./warp.js";

const REFINE_AFTER_MS = 250;
const BUSY_AFTER_MS = 1000;
const PLAY_MS = 2000;
const MAX_PIXEL_RATIO = 2;
const MIN_PANEL_WIDTH = 80;

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
    this.progress = element("progress", "lzu-progress");
    this.message = element("span");
    this.grid = element("div", "lzu-panels");
    for (const view of this.model.get("_views")) this.grid.append(this.buildPanel(view));
    // The buttons need gestures even where no source is shown.
    const canvas = this.panels.get("source")?.canvas ?? element("canvas");
    this.gestures = new Gestures(this, canvas);
    this.buttons = this.buildButtons();
    this.root = this.buildRoot();
    parent.append(this.root);

    this.busyTimer = setInterval(() => this.showBusy(), BUSY_AFTER_MS / 2);
    store.views.add(this);
    this.resizeObserver = new ResizeObserver(() => this.resize());
    this.resizeObserver.observe(this.grid);
    this.resize();
    if (!this.model.get("_result").state) store.lastSent = null;
    store.sendState();
  }

  close() {
    this.resizeObserver.disconnect();
    if (this.playing !== null) cancelAnimationFrame(this.playing);
    clearTimeout(this.refineTimer);
    clearInterval(this.busyTimer);
    this.store.views.delete(this);
  }

  // Elements of the page.

  buildRoot() {
    const root = element("div", "lzu");
    root.dataset.revision = String(this.requestCount);
    // A container query cannot apply to the container itself: the layout is an element inside it.
    const layout = element("div", "lzu-layout");
    layout.append(this.buildPanels(), this.buildControls());
    root.append(layout, this.buildHelp());
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
    return root;
  }

  buildPanels() {
    const shown = element("div", "lzu-show");
    this.numbers.setAttribute("role", "status");
    this.progress.setAttribute("aria-label", "The kernel is busy");
    this.progress.hidden = true;
    // A long message covers the panels: if they moved, a drag would lose its target.
    const line = element("div", "lzu-message");
    line.setAttribute("role", "alert");
    line.append(this.message);
    shown.append(this.numbers, this.progress, line, this.grid, this.buildKey());
    return shown;
  }

  /** The key to the colours. */
  buildKey() {
    const key = element("div", "lzu-key");
    /** @type {[string, string][]} */
    const entries = [
      [this.colours.fovea, "what you drag"],
      [this.colours.fold, "folded pieces"],
    ];
    if (this.panels.has("uniform") || this.panels.has("unzoomed")) {
      entries.push([this.colours.prediction, "the network's prediction"]);
      if (this.model.get("_ground_truth").box)
        entries.push([this.colours.ground_truth, "the ground truth"]);
    }
    for (const [colour, meaning] of entries) {
      const entry = element("span");
      const patch = element("i");
      patch.style.background = colour;
      entry.append(patch, meaning);
      key.append(entry);
    }
    return key;
  }

  /** @param {View} view */
  buildPanel(view) {
    const isSource = view.name === "source";
    const cell = element("figure", "lzu-panel");
    const readOut = element("span", "lzu-read");
    const top = element("span");
    const frame = element("div", "lzu-frame");
    const canvas = element("canvas");
    const marker = element("div", "lzu-mark");
    canvas.dataset.view = view.name;
    canvas.setAttribute("role", isSource ? "application" : "img");
    const keys = "Arrow keys move, plus and minus resize, N selects the next.";
    canvas.setAttribute("aria-label", isSource ? `${view.caption}. ${keys}` : view.caption);
    marker.hidden = true;
    frame.append(canvas, marker);
    cell.append(element("figcaption", "", view.caption), frame);
    if (view.unit) {
      const bar = element("div", "lzu-bar");
      const scale = element("i");
      scale.style.background = gradient(this.colours);
      bar.append(element("span", "", "0"), scale, top, readOut);
      cell.append(bar);
    }
    /** @type {Panel} */
    const panel = {
      view,
      cell,
      canvas,
      marker,
      readOut,
      top,
      scale: 1,
      scratch: new ScratchCanvas(),
      context: context2d(canvas),
      shown: null,
      background: null,
      decoded: null,
    };
    this.panels.set(view.name, panel);
    canvas.addEventListener("pointermove", (event) => this.onHover(panel, event));
    canvas.addEventListener("pointerleave", () => this.onHover(panel, null));
    return cell;
  }

  shownControls() {
    return this.controls.filter(({ shown }) => shown);
  }

  buildControls() {
    const side = element("div", "lzu-side");
    side.append(this.buttons.bar);
    /** @type {Map<string, HTMLFieldSetElement>} */
    const groups = new Map();
    for (const control of this.shownControls()) {
      let group = groups.get(control.group);
      if (!group) {
        group = element("fieldset");
        group.append(element("legend", "", control.group));
        groups.set(control.group, group);
        side.append(group);
      }
      group.append(this.buildControl(control));
    }
    return side;
  }

  buildHelp() {
    const help = element("details", "lzu-help");
    const list = element("dl");
    const controls = this.shownControls().map(({ label, legend }) => [label, legend]);
    for (const [name, effect] of [...GESTURES, ...controls]) {
      const entry = element("div");
      entry.append(element("dt", "", name), element("dd", "", effect));
      list.append(entry);
    }
    help.append(element("summary", "", "What each gesture, key and control does"), list);
    return help;
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
    bar.append(play, undo, ...chooser, add, remove);
    return { bar, play, undo, add, remove };
  }

  /** A button that opens a photo of the user. */
  buildChooser() {
    const input = element("input");
    Object.assign(input, { type: "file", accept: "image/*", hidden: true });
    input.addEventListener("change", async () => {
      const file = input.files?.[0];
      if (!file) return;
      input.value = "";
      try {
        await this.store.upload(file);
      } catch (error) {
        this.notify(
          `${file.name} cannot be shown: ${messageOf(error)}. Nothing was changed. Choose a JPEG, PNG or WebP file.`,
        );
      }
    });
    return [button("Photo …", "Explore a photo of your own", () => input.click()), input];
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
    const output = element("output");
    const onInput = (/** @type {boolean} */ done) =>
      this.onControl(control.name, readInput(input), done);
    input.addEventListener("input", () => onInput(false));
    input.addEventListener("change", () => onInput(true));
    row.append(element("span", "lzu-label", control.label), input, output);
    this.rows.push({ row, input, output, control });
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
      const isSource = view.name === "source";
      const bounds = isSource ? this.gestures.bounds() : canvas.getBoundingClientRect();
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
    const step = (/** @type {number} */ now) => {
      const phase = (Math.max(0, now - start) / PLAY_MS) % 2;
      this.store.change({ morph: Number((phase < 1 ? phase : 2 - phase).toFixed(2)) }, false);
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  // Drawing.

  /** Fit the canvases to their frames; at the full resolution of the screen only while at rest. */
  resize() {
    if (!this.store.mipmap) return;
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
    this.refine();
    if (this.decodingCount) return; // once its masks are decoded, it is drawn again
    for (const { canvas } of this.panels.values())
      canvas.dataset.revision = String(this.requestCount);
  }

  syncText() {
    const result = this.model.get("_result");
    const { folded } = this.store.derive();
    const remedy = this.store.state.nodes.length ? "reset the moved nodes" : "widen the attraction";
    const pieces = `${folded.length} ${folded.length === 1 ? "piece" : "pieces"}`;
    const fold = folded.length
      ? `Folded or flat in ${pieces} (red): no inverse there. Undo, or ${remedy}.`
      : "";
    const text = fold || result.error || this.notice;
    if (this.message.textContent !== text) this.message.textContent = text;
    if (this.lines !== result.lines) {
      this.lines = result.lines;
      const lines = (result.lines ?? []).map((line, i) => element(i ? "div" : "strong", "", line));
      this.numbers.replaceChildren(...lines);
    }
    this.numbers.classList.toggle("lzu-stale", !this.store.isResultCurrent());
    this.numbers.setAttribute("aria-busy", String(!this.store.isSettled()));
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
    const { undo, add, remove } = this.buttons;
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
  const { map, ...named } = model.get("_colours");
  return { ...named, map: new Uint8Array(map.buffer, map.byteOffset, map.byteLength) };
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
