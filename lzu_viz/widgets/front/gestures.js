/**
 * Gestures on the views: drag, draw, add, remove and resize, by pointer, touch, wheel and keys.
 *
 * What they act on depends on the state: foveas, boxes, or single nodes of the grid. In a view of
 * the zoomed frame, a place is mapped to the source by the warp; in the course of a drag by the
 * warp with which it began, as otherwise the picture would slip away under the pointer.
 *
 * @import { BoxState, Edges, FoveaState, Frame, NodeState } from "./types.d.ts"
 * @import { Point, State, TargetKind, View, Warp } from "./types.d.ts"
 * @import { Explorer } from "./explorer.js"
 *
 * @typedef {{view: View, canvas: HTMLCanvasElement}} Surface a view, on which gestures are made.
 *
 * @typedef {{x: number, y: number, px: [number, number]}} Place a place in the source frame, and
 *     the size of a page pixel there.
 *
 * @typedef {{kind: "foveas", index: number}} FoveaHit
 * @typedef {{kind: "nodes", row: number, column: number}} NodeHit
 * @typedef {{kind: "boxes", index: number, across: number, down: number}} BoxHit -1, 0 or 1: the
 *     left or top edge, none, the right or bottom edge.
 * @typedef {FoveaHit | NodeHit | BoxHit} Hit
 *
 * @typedef {{kind: "point", dx: number, dy: number}} PointDrag a fovea or a node, which is at
 *     (dx, dy) from the pointer.
 * @typedef {{kind: "box", start: Place, box: BoxState, across: number, down: number}} BoxDrag
 * @typedef {{kind: "new box", corner: Place, isAdded: boolean}} NewBoxDrag
 * @typedef {PointDrag | BoxDrag | NewBoxDrag} DragAction
 *
 * @typedef {object} Drag
 * @property {DragAction} action
 * @property {Point} from where it began on the page.
 * @property {boolean} moved whether it has left the threshold of a click.
 * @property {?DOMRect} bounds of the canvas.
 * @property {Surface} surface where it began.
 * @property {Warp} warp with which it began.
 */
import { boxEdges, fromCanvas, squareFrame } from "./frames.js";
import { clamp, round } from "./numbers.js";
import { nodeOffset, toSource } from "./warp.js";

/** @type {Record<string, number>} */
const HIT_RADIUS = { mouse: 14, pen: 18, touch: 28 };
const MIN_EDGE_RADIUS = 8;
const DRAG_THRESHOLD = 3;
const MIN_DRAWN_BOX = 4;
const MIN_MORPH = 0.05;
const DOUBLE_TAP_MS = 350;
const DERIVATIVE_STEP = 0.01;

/**
 * What the gestures act on in a state, if anything.
 *
 * @param {State} state
 * @returns {?TargetKind}
 */
export function targetKind({ drag_target, saliency_kind }) {
  if (drag_target === "nodes") return "nodes";
  if (saliency_kind === "foveas") return "foveas";
  return saliency_kind.startsWith("boxes") ? "boxes" : null;
}

export class Gestures {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.store = explorer.store;
    /** @type {?HTMLCanvasElement} the view that has the keyboard's focus. */
    this.focused = null;
    /** @type {?Drag} */
    this.drag = null;
    /** @type {?{span: number, entry: FoveaState | BoxState}} the pinch, as it began. */
    this.pinch = null;
    /** @type {Map<number, Point>} */
    this.touches = new Map();
    /** @type {{time: number, place: Point}} the last tap of a finger. */
    this.tap = { time: -Infinity, place: [0, 0] };
    /** The time of the last tap, also of the second of two. */
    this.tapped = -Infinity;
  }

  /**
   * Listen to gestures on a view.
   *
   * @param {Surface} surface
   * @param {boolean} takesKeys whether the view takes the keyboard's focus.
   */
  attach(surface, takesKeys) {
    const { canvas } = surface;
    canvas.addEventListener("pointerdown", (event) => this.onPointerDown(event, surface));
    canvas.addEventListener("pointermove", (event) => this.onPointerMove(event, surface));
    canvas.addEventListener("pointerup", (event) => this.onPointerUp(event, surface));
    canvas.addEventListener("pointercancel", (event) => this.onPointerEnd(event));
    // A finger on a target drags it; a finger elsewhere scrolls the page.
    canvas.addEventListener("touchstart", (event) => this.onTouchStart(event, surface), {
      passive: false,
    });
    canvas.addEventListener("dblclick", (event) => this.onDoubleClick(event, surface));
    canvas.addEventListener("wheel", (event) => this.onWheel(event, surface), { passive: false });
    if (!takesKeys) return;
    this.focused = canvas;
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  get state() {
    return this.store.state;
  }

  get target() {
    return targetKind(this.state);
  }

  /**
   * Where an event is in the source frame.
   *
   * @param {{clientX: number, clientY: number}} event
   * @param {Surface} surface
   * @returns {Place}
   */
  place(event, surface) {
    const bounds = this.bounds(surface);
    if (surface.view.frame !== "zoomed") {
      const [x, y] = fromCanvas(bounds, event.clientX, event.clientY);
      return { x, y, px: [2 / bounds.width, 2 / bounds.height] };
    }
    const inner = squareFrame(bounds);
    const frame = { ...inner, left: bounds.left + inner.left, top: bounds.top + inner.top };
    const [u, v] = fromCanvas(frame, event.clientX, event.clientY).map((each) =>
      clamp(each, -1, 1),
    );
    const warp = this.drag?.warp ?? this.store.derive().warp;
    // Inside the zoomed frame every place has a source.
    const [x, y] = /** @type {Point} */ (toSource(warp, u, v));
    return { x, y, px: pixelAt(warp, u, v, frame) };
  }

  /**
   * Where a canvas is on the page; kept during a drag, since asking again costs a layout.
   *
   * @param {Surface} surface
   */
  bounds(surface) {
    const isDragged = this.drag?.surface.canvas === surface.canvas;
    if (isDragged && this.drag?.bounds) return this.drag.bounds;
    const bounds = surface.canvas.getBoundingClientRect();
    if (isDragged && this.drag) this.drag.bounds = bounds;
    return bounds;
  }

  // Hit testing.

  /**
   * @param {{clientX: number, clientY: number}} event
   * @param {number} radius in page pixels.
   * @param {Surface} surface
   * @returns {?Hit}
   */
  hit(event, radius, surface) {
    const place = this.place(event, surface);
    if (this.target === "nodes") return this.hitNode(place, radius);
    if (this.target === "foveas") return this.hitFovea(place, radius);
    if (this.target === "boxes") return this.hitBox(place, Math.max(MIN_EDGE_RADIUS, radius / 2));
    return null;
  }

  /**
   * @param {Place} place
   * @param {number} radius
   * @returns {?FoveaHit}
   */
  hitFovea({ x, y, px }, radius) {
    const distance = (/** @type {FoveaState} */ fovea) => {
      const [across, down] = px.map((pixel) => Math.max(1.5 * radius * pixel, fovea.width / 50));
      return Math.hypot((x - fovea.x) / across, (y - fovea.y) / down);
    };
    const index = indexOfNearest(this.state.foveas, distance);
    return distance(this.state.foveas[index]) <= 1 ? { kind: "foveas", index } : null;
  }

  /**
   * A box, and which of its edges: a hit of its interior moves it as a whole.
   *
   * @param {Place} place
   * @param {number} radius
   * @returns {?BoxHit}
   */
  hitBox({ x, y, px }, radius) {
    const order = this.state.boxes.map((_, index) => index);
    const isSelected = (/** @type {number} */ index) =>
      Number(index === this.explorer.selected.boxes);
    order.sort((a, b) => isSelected(b) - isSelected(a)); // the selected box is on top
    const [slackX, slackY] = px.map((pixel) => pixel * radius);
    for (const index of order) {
      const [left, top, right, bottom] = boxEdges(this.state.boxes[index]);
      if (x < left - slackX || x > right + slackX || y < top - slackY || y > bottom + slackY)
        continue;
      const across = hitEdge(x, left, right, slackX);
      return { kind: "boxes", index, across, down: hitEdge(y, top, bottom, slackY) };
    }
    return null;
  }

  /**
   * @param {Place} place
   * @param {number} radius
   * @returns {?NodeHit}
   */
  hitNode({ x, y, px }, radius) {
    const { warp } = this.store.derive();
    let [nearest, minimum] = [-1, radius];
    for (let k = 0; k < warp.grid.length; k += 2) {
      const distance = Math.hypot((warp.grid[k] - x) / px[0], (warp.grid[k + 1] - y) / px[1]);
      if (distance < minimum) [nearest, minimum] = [k / 2, distance];
    }
    if (nearest < 0) return null;
    const count = warp.columns + 1;
    return { kind: "nodes", row: Math.floor(nearest / count), column: nearest % count };
  }

  // Pointer and touch.

  /**
   * @param {PointerEvent} event
   * @param {Surface} surface
   */
  onPointerDown(event, surface) {
    const { target } = this;
    if (event.button !== 0 || !target) return;
    if (event.pointerType === "touch")
      this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.touches.size === 2) {
      const entry = this.selectedEntry();
      this.pinch = entry && { span: this.touchSpan(), entry };
      this.drag = null;
      return;
    }
    const place = this.place(event, surface);
    const hit = this.hit(event, radiusOf(event), surface);
    if (!hit && (event.pointerType === "touch" || target === "nodes")) return;
    surface.canvas.setPointerCapture(event.pointerId);
    this.focused?.focus({ preventScroll: true });
    const { warp } = this.store.derive();
    const action = this.startDrag(hit, place);
    const from = /** @type {Point} */ ([event.clientX, event.clientY]);
    this.drag = { action, from, moved: false, bounds: null, surface, warp };
    this.explorer.schedule();
  }

  /**
   * Select what is dragged: what was hit; otherwise the nearest fovea, or a new box.
   *
   * @param {?Hit} hit
   * @param {Place} place
   * @returns {DragAction}
   */
  startDrag(hit, place) {
    const { selected } = this.explorer;
    if (hit?.kind === "nodes") {
      selected.node = { row: hit.row, column: hit.column };
      const [x, y] = this.nodePlace();
      return { kind: "point", dx: x - place.x, dy: y - place.y };
    }
    if (hit?.kind === "boxes") {
      selected.boxes = hit.index;
      const { across, down } = hit;
      return { kind: "box", start: place, box: this.state.boxes[hit.index], across, down };
    }
    if (this.target === "boxes") return { kind: "new box", corner: place, isAdded: false };
    const distance = (/** @type {FoveaState} */ { x, y }) => Math.hypot(x - place.x, y - place.y);
    selected.foveas = hit ? hit.index : indexOfNearest(this.state.foveas, distance);
    const fovea = this.state.foveas[selected.foveas];
    const [dx, dy] = hit ? [fovea.x - place.x, fovea.y - place.y] : [0, 0];
    return { kind: "point", dx, dy };
  }

  /**
   * @param {PointerEvent} event
   * @param {Surface} surface
   */
  onPointerMove(event, surface) {
    if (this.touches.has(event.pointerId))
      this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    const { drag, pinch } = this;
    if (pinch && this.touches.size === 2) {
      this.resize(pinch.entry, this.touchSpan() / pinch.span, false);
      return;
    }
    if (!drag) {
      surface.canvas.style.cursor = this.cursor(event, surface);
      return;
    }
    const [fromX, fromY] = drag.from;
    if (!drag.moved && Math.hypot(event.clientX - fromX, event.clientY - fromY) < DRAG_THRESHOLD)
      return;
    drag.moved = true;
    const place = this.place(event, drag.surface);
    const { action } = drag;
    if (action.kind === "box") this.dragBox(action, place);
    else if (action.kind === "new box") this.drawBox(action, place);
    else if (this.target === "nodes")
      this.moveNode(place.x + action.dx, place.y + action.dy, false);
    else
      this.changeSelected(
        { x: toCoordinate(place.x + action.dx), y: toCoordinate(place.y + action.dy) },
        false,
      );
  }

  /**
   * @param {PointerEvent} event
   * @param {Surface} surface
   */
  onPointerUp(event, surface) {
    const isTap = event.pointerType === "touch" && this.touches.size < 2 && !this.drag?.moved;
    this.onPointerEnd(event);
    if (isTap) this.onTap(event, surface);
  }

  /**
   * Two taps are a double click, which browsers do not make of them everywhere.
   *
   * @param {PointerEvent} event
   * @param {Surface} surface
   */
  onTap(event, surface) {
    const { time, place } = this.tap;
    const isNear =
      Math.hypot(event.clientX - place[0], event.clientY - place[1]) < HIT_RADIUS.touch;
    const isDouble = event.timeStamp - time < DOUBLE_TAP_MS && isNear;
    this.tap = {
      time: isDouble ? -Infinity : event.timeStamp,
      place: [event.clientX, event.clientY],
    };
    this.tapped = event.timeStamp;
    if (isDouble) this.toggle(event, surface, HIT_RADIUS.touch);
  }

  /** @param {PointerEvent} event */
  onPointerEnd(event) {
    this.touches.delete(event.pointerId);
    if (this.pinch || this.drag?.moved) this.store.change({});
    this.pinch = null;
    this.drag = null;
  }

  /**
   * @param {TouchEvent} event
   * @param {Surface} surface
   */
  onTouchStart(event, surface) {
    if (event.touches.length > 1 || this.hit(event.touches[0], HIT_RADIUS.touch, surface))
      event.preventDefault();
  }

  /** The distance between two fingers. */
  touchSpan() {
    const [[ax, ay], [bx, by]] = this.touches.values();
    return Math.max(1, Math.hypot(ax - bx, ay - by));
  }

  /**
   * @param {PointerEvent} event
   * @param {Surface} surface
   */
  cursor(event, surface) {
    const hit = this.hit(event, radiusOf(event), surface);
    if (!hit) return this.target === "boxes" ? "crosshair" : "default";
    if (hit.kind !== "boxes") return "grab";
    if (hit.across && hit.down) return hit.across === hit.down ? "nwse-resize" : "nesw-resize";
    return hit.across ? "ew-resize" : hit.down ? "ns-resize" : "grab";
  }

  /**
   * @param {MouseEvent} event
   * @param {Surface} surface
   */
  onDoubleClick(event, surface) {
    // Some browsers make a double click of two taps, which onTap() has taken care of.
    if (event.timeStamp - this.tapped < DOUBLE_TAP_MS) return;
    this.toggle(event, surface, HIT_RADIUS.mouse);
  }

  /**
   * Remove the fovea or box at a place, or add one; reset a node.
   *
   * @param {MouseEvent} event
   * @param {Surface} surface
   * @param {number} radius
   */
  toggle(event, surface, radius) {
    const { x, y } = this.place(event, surface);
    const hit = this.hit(event, radius, surface);
    if (hit?.kind === "nodes") this.resetNode(hit);
    else if (hit) this.remove(hit.index);
    else this.add(x, y);
  }

  /**
   * Resize what is under the pointer; elsewhere the wheel scrolls the page.
   *
   * @param {WheelEvent} event
   * @param {Surface} surface
   */
  onWheel(event, surface) {
    if (this.drag) this.drag.bounds = null; // the page may scroll
    const hit = this.hit(event, HIT_RADIUS.mouse, surface);
    if (!hit || hit.kind === "nodes") return;
    event.preventDefault();
    this.explorer.selected[hit.kind] = hit.index;
    this.widen(event.deltaY < 0 ? 1 : -1);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = event.shiftKey ? 0.1 : 0.01;
    /** @type {Record<string, Point>} */
    const moves = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const next = event.shiftKey ? -1 : 1;
    if (!this.target) return;
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

  // Foveas and boxes.

  /** The selected fovea or box. */
  selectedEntry() {
    const { target } = this;
    if (!target || target === "nodes") return null;
    return this.state[target][this.explorer.selected[target]];
  }

  /**
   * Change the selected fovea or box.
   *
   * @param {Partial<BoxState>} part
   * @param {boolean} [done]
   */
  changeSelected(part, done = true) {
    const { target } = this;
    if (!target || target === "nodes") return;
    const selected = this.explorer.selected[target];
    const entries = this.state[target].map((entry, index) =>
      index === selected ? { ...entry, ...part } : entry,
    );
    this.store.change({ [target]: entries }, done);
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  nudge(dx, dy) {
    const entry = this.selectedEntry();
    if (entry) {
      this.changeSelected({ x: toCoordinate(entry.x + dx), y: toCoordinate(entry.y + dy) });
    } else {
      const [x, y] = this.nodePlace();
      this.moveNode(x + dx, y + dy, true);
    }
  }

  /** @param {1 | -1} direction wider or narrower. */
  widen(direction) {
    const entry = this.selectedEntry();
    if (!entry) return;
    if (this.target === "foveas") this.resize(entry, (entry.width + direction) / entry.width);
    else this.resize(entry, direction > 0 ? 1.1 : 1 / 1.1);
  }

  /**
   * Resize the selected fovea or box to a multiple of what it was.
   *
   * @param {FoveaState | BoxState} before
   * @param {number} factor
   * @param {boolean} [done]
   */
  resize(before, factor, done = true) {
    const side = (/** @type {string} */ name, /** @type {number} */ length) => {
      const { low, high, step } = this.explorer.controlOf(`${this.target}.${name}`);
      return round(clamp(Math.round((length * factor) / step) * step, low, high), 2);
    };
    /** @type {Partial<BoxState>} */
    const part = { width: side("width", before.width) };
    if ("height" in before) part.height = side("height", before.height);
    this.changeSelected(part, done);
  }

  /**
   * @param {BoxDrag} action
   * @param {Place} place
   */
  dragBox({ start, box, across, down }, place) {
    const [dx, dy] = [place.x - start.x, place.y - start.y];
    if (!across && !down) {
      this.changeSelected({ x: toCoordinate(box.x + dx), y: toCoordinate(box.y + dy) }, false);
      return;
    }
    const edges = boxEdges(box);
    if (across) edges[across < 0 ? 0 : 2] += dx;
    if (down) edges[down < 0 ? 1 : 3] += dy;
    this.changeSelected(boxFromEdges(edges), false);
  }

  /**
   * Draw a new box from corner to corner; it is added once it is larger than a click.
   *
   * @param {NewBoxDrag} action
   * @param {Place} place
   */
  drawBox(action, place) {
    const { corner } = action;
    const box = boxFromEdges([corner.x, corner.y, place.x, place.y]);
    if (action.isAdded) {
      this.changeSelected(box, false);
      return;
    }
    const across = Math.abs(place.x - corner.x) / place.px[0];
    const down = Math.abs(place.y - corner.y) / place.px[1];
    if (Math.min(across, down) < MIN_DRAWN_BOX || !this.canAdd()) return;
    action.isAdded = true;
    this.explorer.selected.boxes = this.state.boxes.length;
    this.store.change({ boxes: [...this.state.boxes, box] }, false);
  }

  canAdd() {
    const { target } = this;
    if (!target || target === "nodes") return false;
    return this.state[target].length < this.explorer.limits[target][1];
  }

  canRemove() {
    const { target } = this;
    if (!target) return false;
    return target === "nodes"
      ? this.state.nodes.length > 0
      : this.state[target].length > this.explorer.limits[target][0];
  }

  /**
   * Add a copy of the selected fovea or box at a place.
   *
   * @param {number} x
   * @param {number} y
   */
  add(x, y) {
    const { target } = this;
    if (!target || target === "nodes" || !this.canAdd()) return;
    const added = { ...this.selectedEntry(), x: toCoordinate(x), y: toCoordinate(y) };
    const entries = this.state[target];
    this.explorer.selected[target] = entries.length;
    this.store.change({ [target]: [...entries, added] });
  }

  /**
   * Remove a fovea or a box, by default the selected one; reset the selected node.
   *
   * @param {number} [index]
   */
  remove(index) {
    const { target } = this;
    if (!target || !this.canRemove()) return;
    if (target === "nodes") {
      this.resetNode();
      return;
    }
    const removed = index ?? this.explorer.selected[target];
    this.explorer.selected[target] = 0;
    /** @type {FoveaState[]} */
    const entries = this.state[target];
    this.store.change({ [target]: entries.filter((_, other) => other !== removed) });
  }

  /**
   * Select another fovea or box, or a node along the row or the column.
   *
   * @param {number} along
   * @param {number} across
   */
  select(along, across) {
    const { target } = this;
    const { selected } = this.explorer;
    if (target === "nodes") {
      const { row, column } = selected.node;
      const last = this.state.pieces;
      selected.node = { row: clamp(row + across, 0, last), column: clamp(column + along, 0, last) };
    } else if (target) {
      const { length } = this.state[target];
      selected[target] = (selected[target] + along + across + length) % length;
    }
    this.explorer.schedule();
  }

  // Nodes.

  /**
   * The source point of the selected node.
   *
   * @returns {Point}
   */
  nodePlace() {
    const { warp } = this.store.derive();
    const { row, column } = this.explorer.selected.node;
    const k = nodeOffset(warp, row, column);
    return [warp.grid[k], warp.grid[k + 1]];
  }

  /**
   * Move the selected node to a source point.
   *
   * @param {number} x
   * @param {number} y
   * @param {boolean} done
   */
  moveNode(x, y, done) {
    const { morph } = this.state;
    if (morph < MIN_MORPH) {
      this.explorer.notify(
        `Nodes can be moved only if morph is at least ${MIN_MORPH}: increase morph first.`,
      );
      return;
    }
    const [currentX, currentY] = this.nodePlace();
    const { dx, dy } = this.explorer.selectedNode();
    // Morphing scales the shift of a node: divided by it, the node stays under the pointer.
    this.shiftNode({ dx: dx + (x - currentX) / morph, dy: dy + (y - currentY) / morph }, done);
  }

  /**
   * Set how far the selected node is moved from where the saliency puts it.
   *
   * @param {Partial<NodeState>} part
   * @param {boolean} done
   */
  shiftNode(part, done) {
    const node = { ...this.explorer.selectedNode(), ...part };
    node.dx = round(clamp(node.dx, -2, 2), 3);
    node.dy = round(clamp(node.dy, -2, 2), 3);
    const others = this.otherNodes(node);
    const [, maximum] = this.explorer.limits.nodes;
    if (others.length >= maximum) {
      this.explorer.notify(`At most ${maximum} nodes can be moved: reset one of them first.`);
      return;
    }
    this.store.change({ separable: false, nodes: [...others, node] }, done);
  }

  /** @param {{row: number, column: number}} node by default the selected one. */
  resetNode(node = this.explorer.selected.node) {
    this.store.change({ nodes: this.otherNodes(node) });
  }

  /** @param {{row: number, column: number}} node */
  otherNodes({ row, column }) {
    return this.state.nodes.filter((node) => node.row !== row || node.column !== column);
  }
}

/**
 * The size in the source frame of a page pixel of the zoomed frame.
 *
 * @param {Warp} warp
 * @param {number} u
 * @param {number} v
 * @param {Frame} frame
 * @returns {[number, number]}
 */
function pixelAt(warp, u, v, frame) {
  const slope = (/** @type {0 | 1} */ axis) => {
    const [low, high] = [-1, 1].map((sign) => {
      const moved = [u, v];
      moved[axis] = clamp(moved[axis] + sign * DERIVATIVE_STEP, -1, 1);
      const source = /** @type {Point} */ (toSource(warp, moved[0], moved[1]));
      return { at: moved[axis], source: source[axis] };
    });
    return Math.abs(high.source - low.source) / (high.at - low.at);
  };
  return [(2 * slope(0)) / frame.width, (2 * slope(1)) / frame.height];
}

/** @param {PointerEvent} event */
const radiusOf = ({ pointerType }) => HIT_RADIUS[pointerType] ?? HIT_RADIUS.touch;

/**
 * Which end of an interval a coordinate is near: -1, 0 (none) or 1. Of a short interval, the middle
 * third is near neither.
 *
 * @param {number} coordinate
 * @param {number} low
 * @param {number} high
 * @param {number} slack
 */
function hitEdge(coordinate, low, high, slack) {
  const [toLow, toHigh] = [Math.abs(coordinate - low), Math.abs(coordinate - high)];
  if (Math.min(toLow, toHigh) > Math.min(slack, (high - low) / 3 + slack / 2)) return 0;
  return toLow < toHigh ? -1 : 1;
}

/**
 * @template T
 * @param {T[]} entries
 * @param {(entry: T) => number} distance
 */
function indexOfNearest(entries, distance) {
  const distances = entries.map(distance);
  return distances.indexOf(Math.min(...distances));
}

/**
 * A coordinate as the state holds it.
 *
 * @param {number} value
 */
const toCoordinate = (value) => round(clamp(value, -1, 1), 2);

/**
 * The box with these edges, in either order, as the state holds it.
 *
 * @param {Edges} edges
 * @returns {BoxState}
 */
function boxFromEdges([left, top, right, bottom]) {
  const percent = (/** @type {number} */ side) => round(clamp(50 * Math.abs(side), 1, 100), 1);
  return {
    x: toCoordinate((left + right) / 2),
    y: toCoordinate((top + bottom) / 2),
    width: percent(right - left),
    height: percent(bottom - top),
  };
}
