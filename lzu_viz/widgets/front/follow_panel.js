/**
 * "Follow a pixel": for a place that was clicked, which cells of the zoomed map it was read from,
 * with which weights, and the sum with the real numbers.
 *
 * @import { CellValues, Point, Size } from "./types.d.ts"
 * @import { Explorer } from "./explorer.js"
 * @import { Panel } from "./views.js"
 * @import { Cell, Path } from "./follow.js"
 */
import { element, setText } from "./dom.js";
import { equal } from "./equality.js";
import { cellAt, decimal, followCell, number, stepsOf, sumOf } from "./follow.js";
import { toCanvas } from "./frames.js";
import { frameOf } from "./views.js";

const CLICK_RADIUS = 3;
const COLOURS = ["red", "green", "blue"];
const HINT = "Click a place in any picture: it is followed through the inverse of the warp.";
const FEATURES_HINT = "A click in a map of features follows its cell.";

export class FollowPanel {
  /** @param {Explorer} explorer */
  constructor(explorer) {
    this.explorer = explorer;
    this.root = element("details", "lzu-follow lzu-details");
    this.hint = element("p", "", HINT);
    this.steps = element("ol");
    this.table = element("table");
    this.four = element("div", "lzu-four");
    this.four.setAttribute("aria-hidden", "true"); // the table says the same
    this.sums = element("div", "lzu-sums");
    this.steps.append(...[0, 1, 2].map(() => element("li")));
    const last = element("li", "", "The unzoomed value is their weighted sum:");
    last.append(this.sums);
    this.steps.append(last);
    const pair = element("div", "lzu-pair");
    pair.append(this.four, this.table);
    this.steps.children[2].append(element("span"), pair);
    this.steps.hidden = true;
    this.root.append(element("summary", "", "Follow a pixel"), this.hint, this.steps);
    this.root.addEventListener("toggle", () => this.update());
    /** The clicked place, in the source frame. @type {?Point} */
    this.place = null;
    this.isFeatures = false;
    /** @type {Map<string, HTMLElement>} the marked cells of each view. */
    this.marks = new Map();
    this.serialCount = 0;
    this.prefix = Math.random().toString(36).slice(2);
    /** What the values of the features were asked for, and the answer. */
    this.asked = /** @type {unknown} */ (null);
    this.serial = "";
    /** @type {?CellValues} */
    this.answer = null;
    /** Whether the answer was that there is none. */
    this.isUnknown = false;
    explorer.model.on("change:_followed", () => this.onAnswer());
  }

  /**
   * Follow the places that are clicked in a view.
   *
   * @param {Panel} panel
   */
  attach(panel) {
    const { canvas, view } = panel;
    const marks = element("div", "lzu-cells");
    canvas.after(marks);
    this.marks.set(view.name, marks);
    /** @type {?Point} */
    let down = null;
    canvas.addEventListener("pointerdown", ({ clientX, clientY }) => (down = [clientX, clientY]));
    canvas.addEventListener("click", (event) => {
      if (!this.root.open || !down) return;
      // What has moved was a drag.
      if (Math.hypot(event.clientX - down[0], event.clientY - down[1]) > CLICK_RADIUS) return;
      const { x, y } = this.explorer.gestures.place(event, panel);
      if (Math.abs(x) > 1 || Math.abs(y) > 1) return;
      this.place = [x, y];
      this.isFeatures = view.name.startsWith("features");
      this.update();
    });
  }

  /** Show the path of the clicked place in the current state. */
  update() {
    const { place, explorer } = this;
    for (const marks of this.marks.values()) marks.replaceChildren();
    const hasFeatures = explorer.panels.has("features_unzoomed");
    setText(this.hint, hasFeatures ? `${HINT} ${FEATURES_HINT}` : HINT);
    if (!this.root.open || !place || !explorer.store.mipmap) return;
    const features = explorer.model.get("_result").maps?.features_unzoomed;
    if (this.isFeatures && features) this.followFeatures(place, features);
    else this.followPicture(place);
    this.steps.hidden = false;
  }

  /** @param {Point} place */
  followPicture(place) {
    const { store } = this.explorer;
    const { warp, zoomed } = store.derive();
    const size = { rows: store.size.height, columns: store.size.width };
    const map = { rows: zoomed.height, columns: zoomed.width };
    const path = followCell(warp, size, cellAt(place, size), map);
    const values = COLOURS.map((_, channel) =>
      path.corners.map(
        ({ row, column }) => zoomed.data[4 * (row * map.columns + column) + channel],
      ),
    );
    this.show(path, size, map, "picture", COLOURS, values);
    this.mark(path, size, map, ["source", "unzoomed"], "zoomed");
  }

  /**
   * @param {Point} place
   * @param {Size} features size of the maps.
   */
  followFeatures(place, { rows, columns }) {
    const { store } = this.explorer;
    const { warp } = store.derive();
    const size = { rows, columns };
    const path = followCell(warp, size, cellAt(place, size), size);
    this.ask(path, size);
    const { answer } = this;
    const names = answer ? [`channel ${answer.channel} of ${answer.channels}`] : [];
    this.show(path, size, size, "feature map", names, answer ? [answer.values] : []);
    this.mark(path, size, size, ["features_unzoomed"], "features_zoomed");
  }

  /**
   * Ask for the features of the four cells, once the result of the state is there.
   *
   * @param {Path} path
   * @param {Size} size
   */
  ask({ corners }, { columns }) {
    const { store, model } = this.explorer;
    const { serial: _, ...state } = store.state;
    const question = { state, corners };
    if (equal(question, this.asked)) return;
    this.answer = null;
    this.isUnknown = false;
    if (!store.isResultCurrent() || !corners.length) return;
    this.asked = question;
    this.serial = `${this.prefix} ${(this.serialCount += 1)}`;
    model.set("_follow", {
      serial: this.serial,
      state: store.state,
      cells: corners.map(({ row, column }) => row * columns + column),
      weights: corners.map(({ weight }) => weight),
    });
    model.save_changes();
  }

  onAnswer() {
    const answer = this.explorer.model.get("_followed");
    if (answer?.serial !== this.serial) return;
    this.answer = answer?.cells ?? null;
    this.isUnknown = !this.answer;
    this.update();
  }

  /**
   * @param {Path} path
   * @param {Size} size of the unzoomed map.
   * @param {Size} map size of the zoomed map.
   * @param {string} name
   * @param {string[]} channels
   * @param {number[][]} values of each channel in the four cells.
   */
  show(path, size, map, name, channels, values) {
    const texts = stepsOf(path, this.explorer.store.derive().warp, size, map, name);
    const items = /** @type {HTMLElement[]} */ ([...this.steps.children]);
    items.forEach((item, index) => (item.hidden = index > 1 && texts.length < 3));
    texts.forEach((text, index) =>
      setText(
        index === 2 ? /** @type {HTMLElement} */ (items[2].firstElementChild) : items[index],
        text,
      ),
    );
    const cells = channels.length ? channels : ["value"];
    const rows = [
      ["cell (row, column)", "weight", ...cells],
      ...path.corners.map(({ row, column, weight }, index) => [
        `(${row}, ${column})`,
        decimal(weight, 2),
        ...(values.length
          ? values.map((each) => number(each[index]))
          : [this.isUnknown ? "unknown without the network" : "…"]),
      ]),
    ];
    this.table.replaceChildren(
      ...rows.map((row, index) => {
        const line = element("tr");
        line.append(...row.map((text) => element(index ? "td" : "th", "", text)));
        return line;
      }),
    );
    this.showFour(path, values);
    this.sums.replaceChildren(
      ...values.map((each, index) =>
        element("div", "", `${channels[index]}: ${sumOf(path.corners, each)}`),
      ),
    );
  }

  /**
   * Draw the four cells enlarged, in their colours, and the place between their centres.
   *
   * @param {Path} path
   * @param {number[][]} values of each channel: three colours, or one feature.
   */
  showFour({ corners, place }, values) {
    const top = Math.max(...(values[0] ?? []).map(Math.abs), 1e-6);
    const colourOf = (/** @type {number} */ index) => {
      const [red, green, blue] = values.map((each) => each[index]);
      if (values.length === COLOURS.length) return `rgb(${red} ${green} ${blue})`;
      return `rgb(204 121 167 / ${values.length ? Math.max(0, red) / top : 0})`;
    };
    const cells = corners.map(({ weight }, index) => {
      const cell = element("span");
      cell.style.background = colourOf(index);
      cell.append(element("b", "", decimal(weight, 2)));
      return cell;
    });
    this.four.replaceChildren(...cells);
    if (!place) return;
    const dot = element("i");
    const [right, below] = place.map((each) => each - Math.floor(each));
    dot.style.left = `${25 + 50 * right}%`;
    dot.style.top = `${25 + 50 * below}%`;
    this.four.append(dot);
  }

  /**
   * Mark the cell in views of the source frame, and the four cells in the zoomed one.
   *
   * @param {Path} path
   * @param {Size} size
   * @param {Size} map
   * @param {string[]} unzoomed names of views.
   * @param {string} zoomed name of a view.
   */
  mark({ cell, corners }, size, map, unzoomed, zoomed) {
    for (const name of unzoomed) this.outline(name, size, [cell]);
    this.outline(zoomed, map, corners);
  }

  /**
   * @param {string} name of a view.
   * @param {Size} size of its map.
   * @param {Cell[]} cells
   */
  outline(name, { rows, columns }, cells) {
    const panel = this.explorer.panels.get(name);
    const marks = this.marks.get(name);
    if (!panel || !marks) return;
    const frame = frameOf(panel.view, panel.canvas);
    const edge = (/** @type {number} */ index, /** @type {number} */ count) =>
      (2 * index) / count - 1;
    for (const { row, column } of cells) {
      const [left, top] = toCanvas(frame, edge(column, columns), edge(row, rows));
      const [right, bottom] = toCanvas(frame, edge(column + 1, columns), edge(row + 1, rows));
      const mark = element("i");
      const { scale } = panel;
      mark.style.left = `${left / scale}px`;
      mark.style.top = `${top / scale}px`;
      mark.style.width = `${(right - left) / scale}px`;
      mark.style.height = `${(bottom - top) / scale}px`;
      marks.append(mark);
    }
  }
}
