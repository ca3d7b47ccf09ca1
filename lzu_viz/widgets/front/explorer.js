/**
 * The explorer on the page: panels, controls, numbers, and what links them.
 *
 * The page draws the warp itself and never waits for a kernel; see `shared.js`.
 */
import { drawPanel, frameOf, readOut } from "./views.js";
import { Sheet, fromCanvas, gradient, toCanvas } from "./paint.js";
import { Gestures } from "./gestures.js";
import { Shared } from "./shared.js";
import { toSource, toZoomed } from "./warp.js";

const REFINE_AFTER_MS = 250;
const BUSY_AFTER_MS = 1000;
const PLAY_MS = 2000;
const MOST_RATIO = 2;

const GESTURES = [
  ["drag", "moves a fovea, a box or a node of the grid; a box is resized by its edge, and a new one drawn on an empty place"],
  ["double click", "adds a fovea or a box, or takes it away; puts a node back"],
  ["wheel, pinch, + and −", "make a fovea or a box wider or narrower"],
  ["arrow keys", "move the selected one, with Shift ten times as far"],
  ["N, Shift+N", "select the next one, or the one before; of nodes, along the row"],
  ["M, Shift+M", "select the next node down or up"],
  ["Insert, Delete", "add and remove; Delete puts a node back"],
  ["Ctrl+Z", "takes the last change back"],
  ["pointing", "marks the same place in every view; maps say their number there"],
];

class Explorer {
  constructor(shared, element) {
    this.shared = shared;
    this.model = shared.model;
    this.limits = this.model.get("_lists");
    this.colours = { ...this.model.get("_colours") };
    this.colours.map = new Uint8Array(this.colours.map.buffer, this.colours.map.byteOffset, this.colours.map.byteLength);
    this.selected = { foveas: 0, boxes: 0, node: { row: 0, column: 0 } };
    this.panels = new Map();
    this.inputs = {};
    this.decoded = {};
    this.notice = "";
    this.scheduled = false;
    this.requested = 0;
    this.decoding = 0;
    this.ratio = 1;
    this.centreNode();
    element.append(this.build());
    shared.views.add(this);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.grid);
    this.resize();
    if (!this.model.get("_answer").state) shared.told = null;
    shared.tell();
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.playing);
    clearTimeout(this.refining);
    clearInterval(this.busy);
    this.shared.views.delete(this);
  }

  // The page.

  build() {
    const root = node("div", "lzu");
    this.root = root;
    // A container cannot lay itself out by its own width: the grid stands inside it.
    const layout = node("div", "lzu-layout");
    layout.append(this.buildShow(), this.buildControls());
    root.append(layout, this.buildHelp());
    root.addEventListener("keydown", (event) => {
      // JupyterLab takes these keys for itself, even from a slider, if it hears of them.
      if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation();
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && event.target.type !== "text") {
        event.preventDefault();
        event.stopPropagation();
        this.shared.undo();
      }
    });
    return root;
  }

  buildShow() {
    const show = node("div", "lzu-show");
    this.numbers = node("div", "lzu-numbers");
    this.numbers.setAttribute("role", "status");
    this.progress = node("progress", "lzu-progress");
    this.progress.setAttribute("aria-label", "The kernel is at work");
    this.progress.hidden = true;
    this.busy = setInterval(() => this.showBusy(), BUSY_AFTER_MS / 2);
    // A long message lies over the panels: they must not jump under the hand.
    const line = node("div", "lzu-message");
    line.setAttribute("role", "alert");
    this.message = node("span");
    line.append(this.message);
    this.grid = node("div", "lzu-panels");
    for (const view of this.model.get("_views")) this.grid.append(this.buildPanel(view));
    show.append(this.numbers, this.progress, line, this.grid, this.buildKey());
    return show;
  }

  /** What the colours mean. */
  buildKey() {
    const key = node("div", "lzu-key");
    const meanings = { fovea: "what you drag", fold: "folded pieces" };
    if (this.panels.has("uniform") || this.panels.has("unzoomed")) {
      meanings.answer = "the network's answer";
      if (this.model.get("_truth").box) meanings.truth = "the truth";
    }
    for (const [name, meaning] of Object.entries(meanings)) {
      const entry = node("span");
      const patch = node("i");
      patch.style.background = this.colours[name];
      entry.append(patch, meaning);
      key.append(entry);
    }
    return key;
  }

  buildPanel(view) {
    const cell = node("figure", "lzu-panel");
    const read = node("span", "lzu-read");
    const frame = node("div", "lzu-frame");
    const canvas = node("canvas");
    canvas.dataset.view = view.name;
    canvas.setAttribute("aria-label", view.caption);
    canvas.setAttribute("role", view.name === "source" ? "application" : "img");
    const mark = node("div", "lzu-mark");
    mark.hidden = true;
    frame.append(canvas, mark);
    cell.append(node("figcaption", "", view.caption), frame);
    const top = node("span");
    if (view.unit) {
      const bar = node("div", "lzu-bar");
      const colours = node("i");
      colours.style.background = gradient(this.colours);
      bar.append(node("span", "", "0"), colours, top, read);
      cell.append(bar);
    }
    const panel = { view, cell, canvas, mark, read, top, scale: 1, sheet: new Sheet(), context: canvas.getContext("2d") };
    this.panels.set(view.name, panel);
    canvas.addEventListener("pointermove", (event) => this.hover(panel, event));
    canvas.addEventListener("pointerleave", () => this.hover(panel, null));
    if (view.name === "source") {
      canvas.setAttribute("aria-label", `${view.caption}. Arrow keys move, plus and minus resize, N selects the next.`);
      this.gestures = new Gestures(this, canvas);
    }
    return cell;
  }

  buildControls() {
    const side = node("div", "lzu-side");
    this.gestures ??= new Gestures(this, node("canvas")); // for the buttons, where no source is shown
    side.append(this.buildButtons());
    const groups = new Map();
    for (const control of this.model.get("_controls").filter((each) => each.shown)) {
      if (!groups.has(control.group)) {
        const group = node("fieldset");
        group.append(node("legend", "", control.group));
        groups.set(control.group, group);
        side.append(group);
      }
      groups.get(control.group).append(this.buildControl(control));
    }
    return side;
  }

  buildHelp() {
    const help = node("details", "lzu-help");
    const list = node("dl");
    const shown = this.model.get("_controls").filter((each) => each.shown);
    for (const [name, effect] of [...GESTURES, ...shown.map(({ label, legend }) => [label, legend])]) {
      const entry = node("div");
      entry.append(node("dt", "", name), node("dd", "", effect));
      list.append(entry);
    }
    help.append(node("summary", "", "What each gesture, key and control does"), list);
    return help;
  }

  buildButtons() {
    const buttons = node("div", "lzu-buttons");
    const shown = (name) => this.model.get("_controls").some((each) => each.name === name && each.shown);
    this.play = button("▶ Play", "Bend the sheet from uniform to zoomed and back", () => this.togglePlay());
    this.undo = button("↶ Undo", "Take the last change back (Ctrl+Z)", () => this.shared.undo());
    this.add = button("+ Add", "Add a fovea or a box in the middle (Insert, or double click the source)", () => this.gestures.add(0, 0));
    this.remove = button("− Remove", "Remove the selected fovea or box; put the selected node back (Delete)", () => this.gestures.remove());
    this.play.hidden = !shown("morph");
    const chooser = this.model.get("_upload") ? this.buildChooser() : [];
    buttons.append(this.play, this.undo, ...chooser, this.add, this.remove);
    return buttons;
  }

  /** A button that takes a photo from the reader's disk. */
  buildChooser() {
    const input = node("input");
    Object.assign(input, { type: "file", accept: "image/*", hidden: true });
    input.addEventListener("change", async () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      try {
        await this.shared.upload(file);
      } catch (error) {
        this.say(`${file.name} cannot be shown: ${error.message}. Nothing was changed; choose a JPEG, PNG or WebP.`);
      }
    });
    return [button("Photo …", "Explore a photo of your own", () => input.click()), input];
  }

  /** A labelled slider, choice or switch; its place in the state is `control.name`. */
  buildControl(control) {
    const row = node("label", "lzu-control");
    row.title = control.legend;
    row.dataset.name = control.name;
    let input;
    const isChoice = control.options.length > 0;
    if (isChoice) {
      input = node("select");
      for (const option of control.options) input.append(new Option(option, option));
    } else {
      input = node("input");
      input.type = control.step ? "range" : "checkbox";
      if (control.step) Object.assign(input, { min: control.low, max: control.high, step: control.step });
    }
    const out = node("output");
    const read = () => (input.type === "checkbox" ? input.checked : isChoice ? input.value : Number(input.value));
    input.addEventListener("input", () => this.said(control, read(), false));
    input.addEventListener("change", () => this.said(control, read(), true));
    row.append(node("span", "lzu-label", control.label), input, out);
    this.inputs[control.name] = { row, input, out, control };
    return row;
  }

  /** What the controls of one kind allow; also of those that are not shown. */
  controlOf(name) {
    return this.model.get("_controls").find((each) => each.name === name);
  }

  /** A control was moved. */
  said({ name }, value, done) {
    const [list, field] = name.split(".");
    const { state } = this.shared;
    if (list === "nodes" && (field === "row" || field === "column")) {
      this.selected.node = { ...this.selected.node, [field]: Math.min(value, state.pieces) };
      this.schedule();
    } else if (list === "nodes") this.gestures.shiftNode({ [field]: value }, done);
    else if (field) {
      const things = state[list].map((each, i) => (i === this.selected[list] ? { ...each, [field]: value } : each));
      this.shared.change({ [list]: things }, done);
    } else this.shared.change({ [name]: value, ...consequence(name, value) }, done);
  }

  /** The value of a control in the state; x and y are the selected one's. */
  valueOf(name) {
    const [list, field] = name.split(".");
    if (!field) return this.shared.state[list];
    return list === "nodes" ? this.node()[field] : this.shared.state[list][this.selected[list]][field];
  }

  /** The selected node, as the state holds it, or would. */
  node() {
    const { row, column } = this.selected.node;
    const moved = this.shared.state.nodes.find((each) => each.row === row && each.column === column);
    return moved ?? { row, column, dx: 0, dy: 0 };
  }

  centreNode() {
    const middle = this.shared.state.pieces >> 1;
    this.selected.node = { row: middle, column: middle };
  }

  // Pointing: the same place in all views.

  hover(panel, event) {
    if (!this.shared.pyramid) return; // nothing is drawn yet
    let source = null;
    if (event) {
      const box = panel.view.name === "source" ? this.gestures.box() : panel.canvas.getBoundingClientRect();
      const times = panel.canvas.width / box.width;
      const at = [(event.clientX - box.left) * times, (event.clientY - box.top) * times];
      const place = fromCanvas(frameOf(panel.view, panel.canvas), ...at);
      const { warp } = this.shared.seen();
      source = panel.view.frame === "zoomed" ? toSource(warp, ...place) : place;
    }
    for (const other of this.panels.values()) this.markIn(other, source);
  }

  markIn(panel, source) {
    const { warp } = this.shared.seen();
    const at = source && panel.view.frame === "zoomed" ? toZoomed(warp, ...source) : source;
    const inside = at && Math.abs(at[0]) <= 1 && Math.abs(at[1]) <= 1;
    panel.mark.hidden = !inside;
    const text = inside ? readOut(panel, ...at) : "";
    if (panel.read.textContent !== text) panel.read.textContent = text;
    if (!inside) return;
    const [x, y] = toCanvas(frameOf(panel.view, panel.canvas), ...at);
    panel.mark.style.transform = `translate(${x / panel.scale}px, ${y / panel.scale}px)`;
  }

  togglePlay() {
    if (this.playing) {
      cancelAnimationFrame(this.playing);
      this.playing = null;
      this.play.textContent = "▶ Play";
      this.shared.change({ morph: 1 });
      return;
    }
    this.play.textContent = "■ Stop";
    const start = performance.now();
    const step = (now) => {
      const phase = (Math.max(0, now - start) / PLAY_MS) % 2;
      this.shared.change({ morph: Number((phase < 1 ? phase : 2 - phase).toFixed(2)) }, false);
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  // Drawing.

  /** Fit the canvases to their places; sharper than one pixel a pixel only while nothing moves. */
  resize() {
    if (!this.shared.size) return;
    const { width, height } = this.shared.size;
    for (const panel of this.panels.values()) {
      const across = Math.max(80, panel.canvas.parentElement.clientWidth);
      const size = { width: Math.round(across * this.ratio), height: Math.round((across * this.ratio * height) / width) };
      panel.scale = this.ratio;
      if (panel.canvas.width !== size.width || panel.canvas.height !== size.height) Object.assign(panel.canvas, size);
    }
    this.draw();
  }

  /**
   * Draw with the next frame. The root's `data-revision` counts these requests, and that of a canvas
   * is the last request that it shows: where they are equal, the canvas is up to date.
   */
  schedule() {
    this.requested += 1;
    this.root.dataset.revision = String(this.requested);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (!this.shared.pyramid) return;
      if (this.ratio !== 1 && this.drawn !== this.shared.state) {
        this.ratio = 1;
        this.resize();
      } else this.draw();
    });
  }

  /** On a fine screen, draw again, sharper, when nothing moves any more. */
  refine() {
    const fine = Math.min(window.devicePixelRatio, MOST_RATIO);
    if (this.ratio >= fine) return;
    clearTimeout(this.refining);
    this.refining = setTimeout(() => {
      this.ratio = fine;
      this.resize();
    }, REFINE_AFTER_MS);
  }

  draw() {
    const { state } = this.shared;
    this.drawn = state;
    for (const list of ["foveas", "boxes"]) this.selected[list] = Math.min(this.selected[list], state[list].length - 1);
    if (Math.max(this.selected.node.row, this.selected.node.column) > state.pieces) this.centreNode();
    for (const panel of this.panels.values()) drawPanel(panel, this);
    this.syncControls();
    this.syncWords();
    this.refine();
    if (this.decoding) return; // once its masks are decoded, it is drawn again
    for (const { canvas } of this.panels.values()) canvas.dataset.revision = String(this.requested);
  }

  syncWords() {
    const answer = this.model.get("_answer");
    const { folded } = this.shared.seen();
    const remedy = this.shared.state.nodes.length ? "put moved nodes back" : "widen the attraction";
    const fold = folded.length
      ? `Folded or flat in ${folded.length} ${folded.length === 1 ? "piece" : "pieces"} (red): no inverse there. Undo, or ${remedy}.`
      : "";
    const text = fold || answer.error || this.notice;
    if (this.message.textContent !== text) this.message.textContent = text;
    if (this.lines !== answer.lines) {
      this.lines = answer.lines;
      this.numbers.replaceChildren(...(answer.lines ?? []).map((line, i) => node(i ? "div" : "strong", "", line)));
    }
    this.numbers.classList.toggle("lzu-stale", !this.shared.fresh());
    this.numbers.setAttribute("aria-busy", String(!this.shared.answeredAll()));
  }

  showBusy() {
    const { waiting, since } = this.shared;
    this.progress.hidden = waiting === null || performance.now() - since < BUSY_AFTER_MS;
  }

  /** Say something until the next change. */
  say(text) {
    this.notice = text;
    this.message.textContent = text;
  }

  syncControls() {
    const { state, past } = this.shared;
    for (const { row, input, out, control } of Object.values(this.inputs)) {
      const [field, values] = control.when ?? [];
      const hidden = Boolean(field) && !values.includes(state[field]);
      if (row.hidden !== hidden) row.hidden = hidden;
      if (hidden) continue;
      const value = this.valueOf(control.name);
      if (input.type === "checkbox") {
        if (input.checked !== value) input.checked = value;
        continue;
      }
      if (input.value !== String(value) && Number(input.value) !== value) input.value = value;
      if (!control.step) continue;
      const digits = control.step < 0.1 ? 2 : control.step < 1 ? 1 : 0;
      const text = `${value.toFixed(digits)}${control.unit}`;
      if (out.textContent !== text) {
        out.textContent = text;
        input.setAttribute("aria-valuetext", text);
      }
    }
    this.undo.disabled = !past.length && !this.shared.gestureStart;
    this.add.disabled = !this.gestures.mayAdd();
    this.remove.disabled = !this.gestures.mayRemove();
  }
}

/** What else has to change with a control, so that the state stays one that can be. */
function consequence(name, value) {
  if (name === "separable" && value) return { nodes: [], hand: "saliency" };
  if (name === "hand" && value === "nodes") return { separable: false };
  return name === "pieces" ? { nodes: [] } : {};
}

function node(tagName, className = "", text = "") {
  const made = document.createElement(tagName);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function button(text, title, act) {
  const made = node("button", "", text);
  Object.assign(made, { type: "button", title });
  made.addEventListener("click", act);
  return made;
}

/**
 * What the views of a model share. Each view gets another object for the same model, but all get
 * the same values from it; this one never changes.
 */
const sharedOf = new WeakMap();
const keyOf = (model) => model.get("_lists");

function initialize({ model }) {
  // Made here, not with the first view, it outlives that view.
  sharedOf.set(keyOf(model), new Shared(model));
}

function render({ model, el }) {
  const missing = ["OffscreenCanvas", "createImageBitmap", "ResizeObserver"].filter((name) => !(name in globalThis));
  if (missing.length) {
    el.textContent = `The explorer needs a newer browser: this one has no ${missing.join(", ")}.`;
    return undefined;
  }
  const explorer = new Explorer(sharedOf.get(keyOf(model)), el);
  return () => explorer.close();
}

export default { initialize, render };
