/**
 * The explorer's view: the page draws the warp itself and never waits for a kernel.
 *
 * The model holds the state (what the controls say) and the last answer (what only the kernel can
 * know: the networks' outputs and the numbers). Each view draws from these two.
 */
import {
  buildPyramid, folds, fromFoveas, identityWarp, magnification, makeWarp, morph, toSource, toZoomed,
  unzoomPicture, zoomPicture,
} from "./warp.js";

const COLOURS = { fovea: "#E69F00", grid: "#56B4E9", answer: "#0072B2", truth: "#F0E442", fold: "#D55E00" };
const MAP = { rows: 32, columns: 64 };
const MOST_LINES = 16;
const ANSWER_WITHIN_MS = 10_000;
const UNDO_STEPS = 100;
const MOST_PIXELS = 2_000_000;
const MOST_BYTES = 80_000_000;

const CAPTIONS = {
  source: "Source: drag the fovea",
  zoomed: "Zoomed: what the network sees",
  uniform: "Uniform downsampling: what is left, and the answer",
  unzoomed: "Zoom, then unzoom: what is left, and the answer",
  saliency: "Saliency: where to look",
  magnification: "Magnification: how much larger per side",
};

/** The state that several views of one model share, and its way to the kernel. */
export class Shared {
  static of(model) {
    model.lzuShared ??= new Shared(model);
    return model.lzuShared;
  }

  constructor(model) {
    this.model = model;
    this.state = model.get("_state");
    this.told = this.state;
    this.past = [];
    this.serial = 0;
    this.waiting = null;
    this.views = new Set();
    this.pyramid = null;
    model.on("change:_state", () => this.receive());
    model.on("change:_answer", () => this.answered());
    model.on("change:_photo", () => this.load());
    this.load();
  }

  /** Decode the photo once, for all views. */
  async load() {
    try {
      const picture = await pixels(this.model.get("_photo"));
      this.pyramid = buildPyramid(picture);
      this.size = { width: picture.width, height: picture.height };
    } catch (error) {
      for (const view of this.views) view.say(`The photo cannot be shown: ${error.message}`);
      return;
    }
    for (const view of this.views) view.resize();
  }

  /** Send a photo of the reader's own, made small enough for the way to the kernel. */
  async upload(file) {
    const picture = await createImageBitmap(file);
    const { width, height } = picture;
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
    const canvas = new OffscreenCanvas(Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale)));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    picture.close();
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    const buffer = await blob.arrayBuffer();
    this.send("_upload", { width, height, file: new DataView(buffer) });
  }

  /** Take a new state from a control or a gesture. `done` ends a gesture: one step of undo. */
  change(part, done = true) {
    this.gestureStart ??= this.state;
    this.state = { ...this.state, ...part };
    for (const view of this.views) view.notice = "";
    if (done) this.commit();
    this.redraw();
    this.tell();
  }

  commit() {
    if (this.gestureStart && !same(this.gestureStart, this.state)) {
      this.past.push(this.gestureStart);
      if (this.past.length > UNDO_STEPS) this.past.shift();
    }
    this.gestureStart = null;
  }

  undo() {
    this.commit();
    const last = this.past.pop();
    if (!last) return;
    this.state = { ...last };
    this.redraw();
    this.tell();
  }

  /** Tell the kernel, one message at a time: while it works, only the newest state waits. */
  tell() {
    if (this.waiting !== null) return;
    this.send("_state", this.state);
  }

  send(name, value) {
    this.serial += 1;
    const serial = this.serial;
    this.waiting = serial;
    this.told = this.state;
    this.model.set(name, { ...value, serial });
    this.model.save_changes();
    // A kernel that was restarted never answers; the next change asks again.
    setTimeout(() => { if (this.waiting === serial) { this.waiting = null; this.redraw(); } }, ANSWER_WITHIN_MS);
  }

  answered() {
    if (this.model.get("_answer").serial === this.waiting) this.waiting = null;
    // Also after an answer that came too late: what changed meanwhile still has to be told.
    if (this.waiting === null && !same(this.told, this.state)) this.tell();
    this.redraw();
  }

  /** A state set in Python, not one that this page has just sent. */
  receive() {
    const given = this.model.get("_state");
    if (given.serial === this.serial || given.serial === this.waiting) return;
    this.commit();
    this.gestureStart = this.state;
    this.state = given;
    this.told = given;
    this.commit();
    this.redraw();
  }

  fresh() {
    const answer = this.model.get("_answer");
    return Boolean(answer && answer.state && same(answer.state, this.state));
  }

  redraw() {
    for (const view of this.views) view.schedule();
  }
}

/** What follows from a state, computed once for all canvases of a picture. */
function look(state, size) {
  const map = {
    ...MAP,
    cells: fromFoveas(
      MAP,
      state.foveas.map((each) => ({ ...each, width: each.width / 100, weight: 1 })),
      state.strength / 100,
    ),
  };
  const whole = makeWarp(map, {
    rows: state.pieces,
    columns: state.pieces,
    fwhm: [state.fwhm / 100, state.fwhm / 100],
    separable: state.separable,
    antiCrop: state.anti_crop,
  });
  const warp = state.morph < 1 ? morph(whole, state.morph) : whole;
  return { map, warp, folded: folds(warp), size };
}

/** One explorer on the page. */
class Explorer {
  constructor(shared, element) {
    this.shared = shared;
    this.model = shared.model;
    this.element = element;
    this.selected = 0;
    this.canvases = new Map();
    this.scheduled = false;
    this.notice = "";
    this.build();
    shared.views.add(this);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.panels);
    this.resize();
    shared.redraw();
    if (!this.model.get("_answer").serial && !this.model.get("_answer").state) shared.tell();
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.playing);
    this.shared.views.delete(this);
  }

  build() {
    const root = node("div", "lzu");
    this.controls = node("div", "lzu-controls");
    this.inputs = {};
    for (const control of this.model.get("_controls")) this.controls.append(this.control(control));
    const buttons = node("div", "lzu-buttons");
    this.play = button("▶ Play", "Bend the sheet from uniform to zoomed and back", () => this.togglePlay());
    this.undo = button("↶ Undo", "Take the last change back (Ctrl+Z)", () => this.shared.undo());
    this.add = button("+ Fovea", "Add a fovea in the middle (or double click the source)", () => this.addFovea(0, 0));
    this.remove = button("− Fovea", "Remove the selected fovea (Delete)", () => this.removeFovea());
    buttons.append(this.play, this.undo, this.add, this.remove);
    if (this.model.get("_upload")) buttons.append(this.chooser());
    this.controls.append(buttons);
    this.numbers = node("div", "lzu-numbers");
    this.numbers.setAttribute("role", "status");
    this.message = node("div", "lzu-message");
    this.message.setAttribute("role", "alert");
    this.panels = node("div", "lzu-panels");
    for (const name of this.model.get("_views")) this.panels.append(this.panel(name));
    root.append(this.controls, this.numbers, this.message, this.panels);
    root.addEventListener("keydown", (event) => {
      // JupyterLab takes these keys for itself, even from a slider, if it hears of them.
      if (/^(Arrow|Home|End|Page)/.test(event.key)) event.stopPropagation();
      if ((event.ctrlKey || event.metaKey) && event.key === "z") {
        event.preventDefault();
        event.stopPropagation();
        this.shared.undo();
      }
    });
    this.element.append(root);
  }

  /** A button that takes a photo from the reader's disk. */
  chooser() {
    const input = node("input");
    Object.assign(input, { type: "file", accept: "image/*", hidden: true });
    input.addEventListener("change", async () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      try {
        if (file.size > MOST_BYTES) throw new Error("too large");
        await this.shared.upload(file);
      } catch {
        this.say(`${file.name} cannot be read as a picture. Nothing was changed; choose a JPEG, PNG or WebP.`);
      }
    });
    const choose = button("Photo …", "Explore a photo of your own", () => input.click());
    const both = node("span");
    both.append(choose, input);
    return both;
  }

  /** A labelled slider, choice or switch; its place in the state is `control.name`. */
  control(control) {
    const row = node("label", "lzu-control");
    row.title = control.legend;
    const name = node("span", "lzu-label", control.label);
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
    input.addEventListener("input", () => this.shared.change(this.part(control.name, read()), false));
    input.addEventListener("change", () => this.shared.change(this.part(control.name, read())));
    row.append(name, input, out);
    this.inputs[control.name] = { input, out, control };
    return row;
  }

  /** The part of the state that a control stands for; x, y and width are the selected fovea's. */
  part(name, value) {
    if (!["x", "y", "width"].includes(name)) return { [name]: value };
    const foveas = this.shared.state.foveas.map((each, i) => (i === this.selected ? { ...each, [name]: value } : each));
    return { foveas };
  }

  panel(name) {
    const cell = node("figure", "lzu-panel");
    const canvas = node("canvas");
    const frame = node("div", "lzu-frame");
    const mark = node("div", "lzu-mark");
    mark.hidden = true;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", CAPTIONS[name]);
    canvas.dataset.view = name;
    frame.append(canvas, mark);
    cell.append(node("figcaption", "", CAPTIONS[name]), frame);
    this.canvases.set(name, { canvas, mark, context: canvas.getContext("2d", { willReadFrequently: false }) });
    canvas.addEventListener("pointermove", (event) => this.hover(name, event));
    canvas.addEventListener("pointerleave", () => this.hover(name, null));
    if (name === "source") this.listen(canvas);
    return cell;
  }

  // Gestures on the source.

  listen(canvas) {
    canvas.tabIndex = 0;
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const [x, y] = this.place(canvas, event);
      const hit = this.hit(x, y);
      if (hit === null && event.pointerType !== "mouse") return;
      this.selected = hit ?? this.nearest(x, y);
      const fovea = this.shared.state.foveas[this.selected];
      drag = { dx: hit === null ? 0 : fovea.x - x, dy: hit === null ? 0 : fovea.y - y, moved: false, from: [event.clientX, event.clientY] };
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      this.schedule();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      // A click that trembles is no drag.
      if (!drag.moved && Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < 3) return;
      drag.moved = true;
      const [x, y] = this.place(canvas, event);
      this.moveFovea(x + drag.dx, y + drag.dy, false);
    });
    const release = () => {
      if (drag?.moved) this.shared.change({});
      drag = null;
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    // A finger on a fovea drags it; a finger elsewhere scrolls the page.
    canvas.addEventListener("touchstart", (event) => {
      const touch = event.touches[0];
      if (event.touches.length === 1 && this.hit(...this.place(canvas, touch)) !== null) event.preventDefault();
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => {
      const [x, y] = this.place(canvas, event);
      const hit = this.hit(x, y);
      if (hit !== null && this.shared.state.foveas.length > 1) this.removeFovea(hit);
      else this.addFovea(x, y);
    });
    canvas.addEventListener("wheel", (event) => {
      // The wheel scrolls the page, unless it stands on a fovea.
      const hit = this.hit(...this.place(canvas, event));
      if (hit === null) return;
      event.preventDefault();
      this.selected = hit;
      this.widen(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const fovea = this.shared.state.foveas[this.selected];
    if (moves[event.key]) this.moveFovea(fovea.x + moves[event.key][0], fovea.y + moves[event.key][1], true);
    else if (event.key === "+" || event.key === "=") this.widen(1);
    else if (event.key === "-") this.widen(-1);
    else if (event.key === "Delete" || event.key === "Backspace") this.removeFovea();
    else if (event.key === "Insert") this.addFovea(0, 0);
    else if (event.key === "n") this.select((this.selected + 1) % this.shared.state.foveas.length);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  select(index) {
    this.selected = index;
    this.schedule();
  }

  moveFovea(x, y, done) {
    const place = { x: round(clamp(x, -1, 1), 2), y: round(clamp(y, -1, 1), 2) };
    const foveas = this.shared.state.foveas.map((each, i) => (i === this.selected ? { ...each, ...place } : each));
    this.shared.change({ foveas }, done);
  }

  widen(by) {
    const { low, high } = this.inputs.width.control;
    const width = clamp(this.shared.state.foveas[this.selected].width + by, low, high);
    this.shared.change(this.part("width", width));
  }

  addFovea(x, y) {
    const { foveas } = this.shared.state;
    if (foveas.length >= this.model.get("_most_foveas")) return;
    this.selected = foveas.length;
    this.shared.change({ foveas: [...foveas, { x: round(x, 2), y: round(y, 2), width: foveas[0].width }] });
  }

  removeFovea(index = this.selected) {
    const { foveas } = this.shared.state;
    if (foveas.length < 2) return;
    this.selected = 0;
    this.shared.change({ foveas: foveas.filter((_, i) => i !== index) });
  }

  /** The fovea under a place, or null: within its ring, and at least within a finger's breadth. */
  hit(x, y) {
    const { canvas } = this.canvases.get("source");
    const least = [48 / canvas.clientWidth, 48 / canvas.clientHeight];
    const index = this.nearest(x, y);
    const fovea = this.shared.state.foveas[index];
    const reach = least.map((side) => Math.max(side, fovea.width / 50));
    return Math.hypot((x - fovea.x) / reach[0], (y - fovea.y) / reach[1]) <= 1 ? index : null;
  }

  nearest(x, y) {
    const far = this.shared.state.foveas.map((each) => Math.hypot(each.x - x, each.y - y));
    return far.indexOf(Math.min(...far));
  }

  /** Where an event is in the frame of a canvas, in [-1, 1]. */
  place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * 2 - 1, ((event.clientY - box.top) / box.height) * 2 - 1];
  }

  /** Mark the same point in all views, through the warp and its inverse. */
  hover(name, event) {
    let source = null;
    if (event && this.seen) {
      const at = this.place(this.canvases.get(name).canvas, event);
      source = name === "zoomed" ? this.inZoomed(at, (x, y) => toSource(this.seen.warp, x, y)) : at;
    }
    for (const [other, { canvas, mark }] of this.canvases) {
      let at = source;
      if (at && other === "zoomed") {
        at = this.seen.folded.length ? null : toZoomed(this.seen.warp, ...at);
        if (at) at = [at[0] * this.square(), at[1]];
      }
      mark.hidden = !at || Math.abs(at[0]) > 1 || Math.abs(at[1]) > 1;
      if (at) Object.assign(mark.style, { left: `${((at[0] + 1) / 2) * canvas.clientWidth}px`, top: `${((at[1] + 1) / 2) * canvas.clientHeight}px` });
    }
  }

  inZoomed([x, y], map) {
    const inner = x / this.square();
    return Math.abs(inner) <= 1 ? map(inner, y) : null;
  }

  /** The part of the zoomed panel's width that its square picture takes. */
  square() {
    const { width, height } = this.shared.size;
    return Math.min(1, height / width);
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
      const phase = ((now - start) / 2000) % 2;
      this.shared.change({ morph: round(phase < 1 ? phase : 2 - phase, 2) }, false);
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  // Drawing.

  resize() {
    if (!this.shared.size) return;
    const { width, height } = this.shared.size;
    for (const { canvas } of this.canvases.values()) {
      const across = Math.max(80, Math.round(canvas.parentElement.clientWidth));
      const down = Math.round((across * height) / width);
      if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
    }
    this.uniform = null;
    this.backdrop = null;
    this.draw();
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      if (this.shared.pyramid) this.draw();
    });
  }

  draw() {
    const { state, size, pyramid } = this.shared;
    this.selected = Math.min(this.selected, state.foveas.length - 1);
    this.syncControls();
    this.seen = look(state, size);
    const { warp, folded } = this.seen;
    const side = state.input_size;
    const zoomed = { width: side, height: side, data: new Uint8ClampedArray(side * side * 4) };
    zoomPicture(pyramid, warp, side, side, true, zoomed.data);
    for (const name of this.canvases.keys()) this[`draw_${name}`](this.canvases.get(name), zoomed);
    const answer = this.model.get("_answer");
    const fold = folded.length ? `The warp is folded in ${folded.length} pieces: it has no inverse there.` : "";
    this.message.textContent = fold || answer.error || this.notice;
    const lines = answer.lines ?? [];
    this.numbers.replaceChildren(...lines.map((line, i) => node(i ? "div" : "strong", "", line)));
    this.numbers.classList.toggle("lzu-stale", !this.shared.fresh());
  }

  /** Say something until the next change. */
  say(text) {
    this.notice = text;
    this.message.textContent = text;
  }

  syncControls() {
    const { state } = this.shared;
    for (const [name, { input, out, control }] of Object.entries(this.inputs)) {
      const value = name in state ? state[name] : state.foveas[this.selected][name];
      if (input.type === "checkbox") input.checked = value;
      else if (document.activeElement !== input || Number(input.value) !== value) input.value = value;
      if (control.step) {
        out.textContent = `${control.step < 1 ? value.toFixed(2) : value}${control.unit}`;
        input.setAttribute("aria-valuetext", out.textContent);
      }
    }
    this.undo.disabled = !this.shared.past.length;
    this.remove.disabled = state.foveas.length < 2;
  }

  draw_source({ canvas, context }) {
    if (!this.backdrop || this.backdrop.width !== canvas.width) this.backdrop = shrunk(this.shared, canvas);
    context.drawImage(this.backdrop, 0, 0);
    const { warp, folded } = this.seen;
    lines(context, canvas, warp, COLOURS.grid);
    for (const [row, column] of folded) fillPiece(context, canvas, warp, row, column);
    this.shared.state.foveas.forEach((fovea, index) => ring(context, canvas, fovea, index === this.selected));
  }

  draw_zoomed({ canvas, context }, zoomed) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    const side = Math.min(canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(asCanvas(zoomed), (canvas.width - side) / 2, (canvas.height - side) / 2, side, side);
  }

  draw_unzoomed(view, zoomed) {
    const { canvas, context } = view;
    if (!this.seen.folded.length) {
      const out = context.createImageData(canvas.width, canvas.height);
      unzoomPicture(zoomed, this.seen.warp, canvas.height, canvas.width, out.data);
      context.putImageData(out, 0, 0);
    }
    this.drawAnswer(view, "zoom");
  }

  draw_uniform(view) {
    const { canvas, context } = view;
    const side = this.shared.state.input_size;
    if (this.uniform?.side !== side) {
      const small = { width: side, height: side, data: new Uint8ClampedArray(side * side * 4) };
      const identity = identityWarp(1, 1);
      zoomPicture(this.shared.pyramid, identity, side, side, true, small.data);
      const image = context.createImageData(canvas.width, canvas.height);
      unzoomPicture(small, identity, canvas.height, canvas.width, image.data);
      this.uniform = { side, image };
    }
    context.putImageData(this.uniform.image, 0, 0);
    this.drawAnswer(view, "uniform");
  }

  /** The network's answer, pale while it belongs to an older state, and the truth. */
  drawAnswer({ canvas, context }, which) {
    const answer = this.model.get("_answer")[which];
    const overlay = answer && this.overlay(which, answer);
    context.save();
    context.globalAlpha = this.shared.fresh() ? 1 : 0.45;
    context.imageSmoothingEnabled = true;
    if (overlay) context.drawImage(overlay, 0, 0, canvas.width, canvas.height);
    for (const [box, label] of answer?.boxes ?? []) rectangle(context, canvas, box, COLOURS.answer, label);
    context.restore();
    if (answer && !answer.found) tag(context, "nothing found", 6, canvas.height - 8, COLOURS.answer);
    const truth = this.model.get("_truth");
    if (!truth.box) return;
    const outline = answer?.mask ? this.overlay("truth", { mask: truth.outline }) : null;
    if (outline) context.drawImage(outline, 0, 0, canvas.width, canvas.height);
    else rectangle(context, canvas, truth.box, COLOURS.truth, "");
    inset(context, canvas, truth.box);
  }

  /** The mask that came as a PNG, decoded once. */
  overlay(which, answer) {
    if (!answer.mask) return null;
    this.decoded ??= {};
    const known = this.decoded[which];
    if (known?.bytes === answer.mask) return known.image;
    this.decoded[which] = { bytes: answer.mask, image: known?.image ?? null };
    createImageBitmap(new Blob([answer.mask], { type: "image/png" })).then((image) => {
      if (this.decoded[which].bytes === answer.mask) this.decoded[which].image = image;
      this.schedule();
    });
    return known?.image ?? null;
  }

  draw_saliency({ canvas, context }) {
    const { map } = this.seen;
    paint(context, canvas, map.cells, map.rows, map.columns, Math.max(...map.cells));
  }

  draw_magnification({ canvas, context }) {
    const [rows, columns] = [Math.round(canvas.height / 4), Math.round(canvas.width / 4)];
    if (this.seen.folded.length) return;
    const values = magnification(this.seen.warp, rows, columns);
    const most = values.reduce((a, b) => (b > a ? b : a), 0);
    paint(context, canvas, values, rows, columns, Math.max(2, most));
    tag(context, `0 to ${Math.max(2, most).toFixed(1)} times`, 6, canvas.height - 8, COLOURS.answer);
  }
}

// Small tools of drawing.

function shrunk(shared, canvas) {
  const out = document.createElement("canvas");
  Object.assign(out, { width: canvas.width, height: canvas.height });
  const context = out.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  zoomPicture(shared.pyramid, identityWarp(1, 1), canvas.height, canvas.width, true, image.data);
  context.putImageData(image, 0, 0);
  return out;
}

function asCanvas({ width, height, data }) {
  const out = new OffscreenCanvas(width, height);
  out.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return out;
}

function at(canvas, x, y) {
  return [((x + 1) / 2) * canvas.width, ((y + 1) / 2) * canvas.height];
}

function corner(canvas, warp, row, column) {
  const k = 2 * (row * (warp.columns + 1) + column);
  return at(canvas, warp.grid[k], warp.grid[k + 1]);
}

function lines(context, canvas, warp, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (const row of every(warp.rows)) {
    for (let column = 0; column <= warp.columns; column++) context[column ? "lineTo" : "moveTo"](...corner(canvas, warp, row, column));
  }
  for (const column of every(warp.columns)) {
    for (let row = 0; row <= warp.rows; row++) context[row ? "lineTo" : "moveTo"](...corner(canvas, warp, row, column));
  }
  context.stroke();
}

function every(pieces) {
  const step = Math.ceil(pieces / MOST_LINES);
  const nodes = [];
  for (let k = 0; k < pieces; k += step) nodes.push(k);
  return [...nodes, pieces];
}

function fillPiece(context, canvas, warp, row, column) {
  context.fillStyle = COLOURS.fold;
  context.beginPath();
  for (const [r, c] of [[0, 0], [0, 1], [1, 1], [1, 0]]) context.lineTo(...corner(canvas, warp, row + r, column + c));
  context.fill();
}

function ring(context, canvas, fovea, selected) {
  const [x, y] = at(canvas, fovea.x, fovea.y);
  const [across, down] = [(fovea.width / 100) * canvas.width, (fovea.width / 100) * canvas.height];
  for (const [colour, width] of [["#1A1A1A", selected ? 5 : 3], [COLOURS.fovea, selected ? 3 : 1.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
    context.moveTo(x - 6, y);
    context.lineTo(x + 6, y);
    context.moveTo(x, y - 6);
    context.lineTo(x, y + 6);
    context.stroke();
  }
}

function rectangle(context, canvas, [left, top, right, bottom], colour, label) {
  const [x, y] = at(canvas, left, top);
  const [end, low] = at(canvas, right, bottom);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(x, y, end - x, low - y);
  if (label) tag(context, label, x, Math.max(14, y - 3), colour);
}

function tag(context, text, x, y, colour) {
  context.font = "13px sans-serif";
  context.fillStyle = colour;
  context.fillRect(x - 2, y - 13, context.measureText(text).width + 6, 17);
  context.fillStyle = "white";
  context.fillText(text, x + 1, y);
}

/** Enlarge the surroundings of a box into the corner that is farthest from it. */
function inset(context, canvas, [left, top, right, bottom]) {
  const [x, y] = at(canvas, (left + right) / 2, (top + bottom) / 2);
  const half = Math.max(8, ((right - left) / 2) * canvas.width, ((bottom - top) / 2) * canvas.height) * 0.75;
  const [cx, cy] = [clamp(x, half, canvas.width - half), clamp(y, half, canvas.height - half)];
  const side = Math.round(canvas.height * 0.42);
  const to = [x > canvas.width / 2 ? 0 : canvas.width - side, y > canvas.height / 2 ? 0 : canvas.height - side];
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, cx - half, cy - half, 2 * half, 2 * half, ...to, side, side);
  context.strokeStyle = "white";
  context.lineWidth = 2;
  context.strokeRect(...to, side, side);
  context.lineWidth = 1;
  context.strokeRect(cx - half, cy - half, 2 * half, 2 * half);
}

/** Paint a map of numbers from dark (0) to bright (`most`), in colours that all people can order. */
function paint(context, canvas, values, rows, columns, most) {
  const data = new Uint8ClampedArray(rows * columns * 4);
  for (let k = 0; k < values.length; k++) {
    const [red, green, blue] = cividis(Number.isFinite(values[k]) ? values[k] / most : 0);
    data.set([red, green, blue, 255], 4 * k);
  }
  context.imageSmoothingEnabled = false;
  context.drawImage(asCanvas({ width: columns, height: rows, data }), 0, 0, canvas.width, canvas.height);
}

const CIVIDIS = [[0, 32, 76], [0, 50, 110], [66, 77, 107], [102, 105, 112], [136, 134, 120], [173, 165, 112], [213, 199, 91], [255, 233, 69]];

function cividis(value) {
  const along = clamp(value, 0, 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(along), CIVIDIS.length - 2);
  return CIVIDIS[low].map((from, k) => from + (along - low) * (CIVIDIS[low + 1][k] - from));
}

async function pixels(bytes) {
  const image = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

function node(tagName, className = "", text = "") {
  const made = document.createElement(tagName);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(text, title, act) {
  const made = node("button", "", text);
  Object.assign(made, { type: "button", title });
  made.addEventListener("click", act);
  return made;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

/** Whether two states say the same; the serial number of a message is no part of it. */
function same(first, second) {
  const plain = ({ serial, ...state }) => JSON.stringify(state, Object.keys(state).sort().concat("x", "y", "width"));
  return plain(first) === plain(second);
}

function render({ model, el }) {
  const explorer = new Explorer(Shared.of(model), el);
  return () => explorer.close();
}

export default { render };
