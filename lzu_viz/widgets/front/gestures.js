/**
 * Gestures on the source: drag, draw, add and remove, widen; by pointer, touch, wheel and keys.
 *
 * What the hand holds depends on the state: foveas, boxes, or single nodes of the grid.
 */
import { clamp, fromCanvas, round, sidesOf } from "./paint.js";

const REACH = { mouse: 14, pen: 18, touch: 28 };
const EDGE = 8;
const TREMBLE = 3;
const LEAST_BOX = 4;

/** What the hand holds in a state: a list of it, "nodes", or null. */
export function heldIn({ hand, kind }) {
  if (hand === "nodes") return "nodes";
  if (kind === "foveas") return "foveas";
  return kind.startsWith("boxes") ? "boxes" : null;
}

export class Gestures {
  constructor(explorer, canvas) {
    Object.assign(this, { explorer, shared: explorer.shared, canvas });
    this.drag = null;
    this.touches = new Map();
    canvas.tabIndex = 0;
    const hear = (kind, act, options) => canvas.addEventListener(kind, act.bind(this), options);
    hear("pointerdown", this.press);
    hear("pointermove", this.move);
    hear("pointerup", this.release);
    hear("pointercancel", this.release);
    // A finger on what it can hold drags that; a finger elsewhere scrolls the page.
    hear("touchstart", this.claim, { passive: false });
    hear("dblclick", this.double);
    hear("wheel", this.wheel, { passive: false });
    hear("keydown", this.key);
  }

  get state() {
    return this.shared.state;
  }

  get list() {
    return heldIn(this.state);
  }

  /** Where an event is in the source frame, and how long there a pixel of the page is. */
  place(event) {
    const box = this.box();
    const [x, y] = fromCanvas(box, event.clientX, event.clientY);
    return { x, y, px: [2 / box.width, 2 / box.height] };
  }

  /** Where the canvas is on the page; in a drag it stays, and asking again would cost a layout. */
  box() {
    if (this.drag?.box) return this.drag.box;
    const box = this.canvas.getBoundingClientRect();
    if (this.drag) this.drag.box = box;
    return box;
  }

  // What is under a place.

  hit(event, reach = REACH[event.pointerType] ?? REACH.touch) {
    const at = this.place(event);
    if (this.list === "nodes") return this.hitNode(at, reach);
    if (this.list === "foveas") return this.hitFovea(at, reach);
    return this.list === "boxes" ? this.hitBox(at, Math.max(EDGE, reach / 2)) : null;
  }

  hitFovea({ x, y, px }, reach) {
    const far = ({ x: cx, y: cy, width }) => {
      const [across, down] = px.map((pixel) => Math.max(1.5 * reach * pixel, width / 50));
      return Math.hypot((x - cx) / across, (y - cy) / down);
    };
    const index = nearest(this.state.foveas, far);
    return far(this.state.foveas[index]) <= 1 ? { index } : null;
  }

  /** A box, and which of its sides: its inside moves it as a whole. */
  hitBox({ x, y, px }, reach) {
    const order = this.state.boxes.map((_, index) => index);
    // The selected box lies on top.
    order.sort(
      (a, b) => (b === this.explorer.selected.boxes) - (a === this.explorer.selected.boxes),
    );
    for (const index of order) {
      const [left, top, right, bottom] = sidesOf(this.state.boxes[index]);
      const [across, down] = px.map((pixel) => pixel * reach);
      if (x < left - across || x > right + across || y < top - down || y > bottom + down) continue;
      const side = (place, low, high, slack) => {
        if (
          Math.min(Math.abs(place - low), Math.abs(place - high)) >
          Math.min(slack, (high - low) / 3 + slack / 2)
        )
          return 0;
        return Math.abs(place - low) < Math.abs(place - high) ? -1 : 1;
      };
      return { index, across: side(x, left, right, across), down: side(y, top, bottom, down) };
    }
    return null;
  }

  hitNode({ x, y, px }, reach) {
    const { warp } = this.shared.seen();
    let best = null;
    let least = reach;
    for (let k = 0; k < warp.grid.length; k += 2) {
      const far = Math.hypot((warp.grid[k] - x) / px[0], (warp.grid[k + 1] - y) / px[1]);
      if (far < least) [best, least] = [k / 2, far];
    }
    if (best === null) return null;
    return { row: Math.floor(best / (warp.columns + 1)), column: best % (warp.columns + 1) };
  }

  // Pointer and touch.

  press(event) {
    if (event.button !== 0 || !this.list) return;
    if (event.pointerType === "touch")
      this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.touches.size === 2) {
      this.pinch = {
        span: this.span(),
        thing: this.state[this.list][this.explorer.selected[this.list]],
      };
      this.drag = null;
      return;
    }
    const at = this.place(event);
    const hit = this.hit(event);
    if (!hit && (event.pointerType === "touch" || this.list === "nodes")) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.drag = { ...this.grab(hit, at), from: [event.clientX, event.clientY], moved: false };
    this.explorer.schedule();
  }

  /** Take hold: of what was hit; otherwise of the nearest fovea, or of a new box. */
  grab(hit, at) {
    const { selected } = this.explorer;
    if (this.list === "nodes") {
      selected.node = { row: hit.row, column: hit.column };
      const [x, y] = this.nodePlace();
      return { dx: x - at.x, dy: y - at.y };
    }
    if (this.list === "boxes") {
      if (!hit) return { corner: at };
      selected.boxes = hit.index;
      return { start: at, was: this.state.boxes[hit.index], across: hit.across, down: hit.down };
    }
    selected.foveas = hit
      ? hit.index
      : nearest(this.state.foveas, ({ x, y }) => Math.hypot(x - at.x, y - at.y));
    const fovea = this.state.foveas[selected.foveas];
    return hit ? { dx: fovea.x - at.x, dy: fovea.y - at.y } : { dx: 0, dy: 0 };
  }

  move(event) {
    if (this.touches.has(event.pointerId))
      this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pinch && this.touches.size === 2) {
      this.resize(this.pinch.thing, this.span() / this.pinch.span, false);
      return;
    }
    if (!this.drag) {
      this.canvas.style.cursor = this.cursor(event);
      return;
    }
    // A click that trembles is no drag.
    const [fromX, fromY] = this.drag.from;
    if (!this.drag.moved && Math.hypot(event.clientX - fromX, event.clientY - fromY) < TREMBLE)
      return;
    this.drag.moved = true;
    const at = this.place(event);
    if (this.list === "nodes") this.moveNode(at.x + this.drag.dx, at.y + this.drag.dy, false);
    else if (this.list === "foveas")
      this.set({ x: limited(at.x + this.drag.dx), y: limited(at.y + this.drag.dy) }, false);
    else if (this.list === "boxes") this.dragBox(at);
  }

  release(event) {
    this.touches.delete(event.pointerId);
    if (this.pinch || this.drag?.moved) this.shared.change({});
    this.pinch = null;
    this.drag = null;
  }

  claim(event) {
    const [touch] = event.touches;
    if (event.touches.length > 1 || this.hit(touch)) event.preventDefault();
  }

  span() {
    const [[ax, ay], [bx, by]] = this.touches.values();
    return Math.max(1, Math.hypot(ax - bx, ay - by));
  }

  cursor(event) {
    const hit = this.list && this.hit(event);
    if (!hit) return this.list === "boxes" ? "crosshair" : "default";
    if (this.list !== "boxes") return "grab";
    const names = {
      "-1-1": "nwse-resize",
      11: "nwse-resize",
      "1-1": "nesw-resize",
      "-11": "nesw-resize",
    };
    if (hit.across && hit.down) return names[`${hit.across}${hit.down}`];
    return hit.across ? "ew-resize" : hit.down ? "ns-resize" : "grab";
  }

  double(event) {
    const { x, y } = this.place(event);
    const hit = this.hit(event, REACH.mouse);
    if (this.list === "nodes") {
      if (hit) this.putBack(hit);
    } else if (hit) this.remove(hit.index);
    else this.add(x, y);
  }

  /** The wheel scrolls the page, unless it stands on something that it can widen. */
  wheel(event) {
    if (this.drag) this.drag.box = null; // the page may scroll
    const hit = this.list !== "nodes" && this.hit(event, REACH.mouse);
    if (!hit) return;
    event.preventDefault();
    this.explorer.selected[this.list] = hit.index;
    this.widen(event.deltaY < 0 ? 1 : -1);
  }

  key(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    const moves = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const next = event.shiftKey ? -1 : 1;
    if (!this.list) return;
    if (moves[event.key]) this.nudge(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.widen(1);
    else if (event.key === "-") this.widen(-1);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove();
    else if (event.key === "Insert") this.add(0, 0);
    else if (event.key.toLowerCase() === "n") this.select(next, 0);
    else if (event.key.toLowerCase() === "m") this.select(0, next);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // What is done to foveas and boxes.

  /** Change the selected one. */
  set(part, done = true) {
    const index = this.explorer.selected[this.list];
    const things = this.state[this.list].map((each, i) =>
      i === index ? { ...each, ...part } : each,
    );
    this.shared.change({ [this.list]: things }, done);
  }

  nudge(dx, dy) {
    if (this.list === "nodes") {
      const [x, y] = this.nodePlace();
      this.moveNode(x + dx, y + dy, true);
      return;
    }
    const { x, y } = this.state[this.list][this.explorer.selected[this.list]];
    this.set({ x: limited(x + dx), y: limited(y + dy) });
  }

  widen(by) {
    if (this.list === "nodes") return;
    const thing = this.state[this.list][this.explorer.selected[this.list]];
    if (this.list === "foveas") this.resize(thing, (thing.width + by) / thing.width);
    else this.resize(thing, by > 0 ? 1.1 : 1 / 1.1);
  }

  /** Make the selected one so many times as large as `thing`. */
  resize(thing, times, done = true) {
    if (this.list === "nodes") return;
    const part = {};
    for (const side of this.list === "foveas" ? ["width"] : ["width", "height"]) {
      const { low, high, step } = this.explorer.controlOf(`${this.list}.${side}`);
      part[side] = round(clamp(Math.round((thing[side] * times) / step) * step, low, high), 2);
    }
    this.set(part, done);
  }

  dragBox(at) {
    const { corner, start, was, across, down } = this.drag;
    if (corner) return this.drawBox(corner, at);
    if (!across && !down)
      return this.set(
        { x: limited(was.x + at.x - start.x), y: limited(was.y + at.y - start.y) },
        false,
      );
    const sides = sidesOf(was);
    if (across) sides[across < 0 ? 0 : 2] += at.x - start.x;
    if (down) sides[down < 0 ? 1 : 3] += at.y - start.y;
    return this.set(boxOf(sides), false);
  }

  /** Draw a new box from corner to corner; it is added as soon as it is large enough to be meant. */
  drawBox(corner, at) {
    const far = Math.min(
      Math.abs(at.x - corner.x) / at.px[0],
      Math.abs(at.y - corner.y) / at.px[1],
    );
    if (!this.drag.drawn) {
      if (far < LEAST_BOX || !this.mayAdd()) return;
      this.drag.drawn = true;
      this.explorer.selected.boxes = this.state.boxes.length;
      this.shared.change(
        { boxes: [...this.state.boxes, boxOf([corner.x, corner.y, at.x, at.y])] },
        false,
      );
      return;
    }
    this.set(boxOf([corner.x, corner.y, at.x, at.y]), false);
  }

  mayAdd() {
    return (
      this.list &&
      this.list !== "nodes" &&
      this.state[this.list].length < this.explorer.limits[this.list][1]
    );
  }

  mayRemove() {
    if (this.list === "nodes") return this.state.nodes.length > 0;
    return Boolean(this.list) && this.state[this.list].length > this.explorer.limits[this.list][0];
  }

  add(x, y) {
    if (!this.mayAdd()) return;
    const things = this.state[this.list];
    const like = things[this.explorer.selected[this.list]];
    this.explorer.selected[this.list] = things.length;
    this.shared.change({ [this.list]: [...things, { ...like, x: limited(x), y: limited(y) }] });
  }

  /** Take one away; a node goes back to where the saliency puts it. */
  remove(index = this.explorer.selected[this.list]) {
    if (!this.mayRemove()) return;
    if (this.list === "nodes") {
      this.putBack();
      return;
    }
    this.explorer.selected[this.list] = 0;
    this.shared.change({ [this.list]: this.state[this.list].filter((_, i) => i !== index) });
  }

  select(along, across) {
    const { selected } = this.explorer;
    if (this.list === "nodes") {
      const { row, column } = selected.node;
      const last = this.state.pieces;
      selected.node = { row: clamp(row + across, 0, last), column: clamp(column + along, 0, last) };
    } else {
      const { length } = this.state[this.list];
      selected[this.list] = (selected[this.list] + along + across + length) % length;
    }
    this.explorer.schedule();
  }

  // What is done to nodes.

  nodePlace() {
    const { warp } = this.shared.seen();
    const { row, column } = this.explorer.selected.node;
    const k = 2 * (row * (warp.columns + 1) + column);
    return [warp.grid[k], warp.grid[k + 1]];
  }

  /** Move the selected node to a place of the source. */
  moveNode(x, y, done) {
    const { morph } = this.state;
    if (morph < 0.05)
      return this.explorer.say("The sheet is flat: take morph up before you move its nodes.");
    const [nowX, nowY] = this.nodePlace();
    const { dx, dy } = this.explorer.node();
    // A node that is morphed part of the way follows the hand only if it goes further than it.
    return this.shiftNode({ dx: dx + (x - nowX) / morph, dy: dy + (y - nowY) / morph }, done);
  }

  /** Set how far the selected node is moved from where the saliency puts it. */
  shiftNode(part, done) {
    const node = { ...this.explorer.node(), ...part };
    node.dx = round(clamp(node.dx, -2, 2), 3);
    node.dy = round(clamp(node.dy, -2, 2), 3);
    const others = this.otherNodes(node);
    if (others.length >= this.explorer.limits.nodes[1]) {
      return this.explorer.say(`At most ${this.explorer.limits.nodes[1]} nodes are moved by hand.`);
    }
    return this.shared.change({ separable: false, nodes: [...others, node] }, done);
  }

  putBack(node = this.explorer.selected.node) {
    this.shared.change({ nodes: this.otherNodes(node) });
  }

  otherNodes({ row, column }) {
    return this.state.nodes.filter((each) => each.row !== row || each.column !== column);
  }
}

function nearest(things, far) {
  const all = things.map(far);
  return all.indexOf(Math.min(...all));
}

const limited = (place) => round(clamp(place, -1, 1), 2);

/** The box with these sides, in whichever order, as the state holds it. */
function boxOf([left, top, right, bottom]) {
  const percent = (side) => round(clamp(50 * Math.abs(side), 1, 100), 1);
  return {
    x: limited((left + right) / 2),
    y: limited((top + bottom) / 2),
    width: percent(right - left),
    height: percent(bottom - top),
  };
}
