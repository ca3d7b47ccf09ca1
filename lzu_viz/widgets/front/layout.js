/**
 * The arrangement of the views and the controls, so that they fit the visible part of the page.
 *
 * @typedef {object} Space what there is to arrange, in page pixels.
 * @property {number} width of the widget.
 * @property {number} height of the visible part of the page.
 * @property {number} count of views.
 * @property {number} aspect of a view, height over width.
 * @property {number} head height of the text above the views.
 * @property {number} buttons height of the buttons above the main controls.
 * @property {number} controls number of the main controls.
 * @property {number[]} extras what each view has below its picture: heights of captions and bars.
 *
 * @typedef {object} Arrangement
 * @property {number} columns of views.
 * @property {number} panel the width of a view.
 * @property {"beside" | "below" | "above"} controls where the main controls are.
 */
import { clamp } from "./numbers.js";

export const GAP = 10;
export const SIDE_WIDTH = 264;
const SIDE_GAP = 16;
const ROW_HEIGHT = 30;
const MIN_CONTROL_WIDTH = 250;
const MIN_PANEL = 130;
const MIN_BESIDE = 300;
/** Views may be this much smaller for it that all controls are beside them. */
const BESIDE_FACTOR = 1.15;
// A larger picture shows nothing more, and takes longer to draw.
const MAX_PANEL = 1000;
// Less than a line is left out at the lower edge.
const MARGIN = 8;

/**
 * The arrangement in which the views are largest.
 *
 * Two rows of two or one row of four: all rows have as many views, as far as their number allows.
 * The controls are beside the views where these are not much smaller for it.
 *
 * @param {Space} space
 * @returns {Arrangement}
 */
export function arrange(space) {
  const best = bestOf(space, "below");
  if (space.width - SIDE_WIDTH - SIDE_GAP >= MIN_BESIDE) {
    const beside = bestOf(space, "beside");
    if (beside.panel >= MIN_PANEL && beside.panel * BESIDE_FACTOR >= best.panel) return beside;
  }
  if (best.panel >= MIN_PANEL) return best;
  // Nothing fits: the controls and the first row of views do, with two views in it.
  const columns = Math.min(2, space.count);
  const width = acrossWidth(space.width, columns);
  const controls = space.controls ? "above" : "below";
  const rest = space.height - space.head - controlsHeight(space) - MARGIN;
  const row = Math.max(0, ...space.extras.slice(0, columns));
  return {
    columns,
    panel: clamp(Math.floor((rest - row) / space.aspect), Math.min(width, MIN_PANEL), width),
    controls,
  };
}

/**
 * @param {Space} space
 * @param {"beside" | "below"} controls
 * @returns {Arrangement}
 */
function bestOf(space, controls) {
  return columnsOf(space.count)
    .map((columns) => ({ columns, panel: panelWidth(space, columns, controls), controls }))
    .reduce((a, b) => (b.panel > a.panel ? b : a));
}

/**
 * The numbers of columns in which all rows are full.
 *
 * @param {number} count
 */
function columnsOf(count) {
  const all = Array.from({ length: count }, (_, index) => index + 1);
  const full = all.filter((columns) => count % columns === 0);
  // Of 5 or 7 views, the last row cannot be full.
  return full.length > 2 || count < 4 ? full : all;
}

/**
 * @param {number} width
 * @param {number} columns
 */
const acrossWidth = (width, columns) => Math.floor((width - GAP * (columns - 1)) / columns);

/** @param {Space} space */
function controlsHeight({ width, controls, buttons }) {
  const columns = Math.max(1, Math.floor(width / MIN_CONTROL_WIDTH));
  return buttons + ROW_HEIGHT * Math.ceil(controls / columns);
}

/**
 * The largest width of a view with which all rows, and the main controls, are in view together.
 *
 * @param {Space} space
 * @param {number} columns
 * @param {"beside" | "below"} place of the controls.
 */
function panelWidth(space, columns, place) {
  const beside = place === "beside";
  const across = acrossWidth(space.width - (beside ? SIDE_WIDTH + SIDE_GAP : 0), columns);
  const rows = Math.ceil(space.count / columns);
  let rest = space.height - space.head - MARGIN - GAP * (rows - 1);
  if (!beside) rest -= controlsHeight(space);
  for (let row = 0; row < rows; row++)
    rest -= Math.max(...space.extras.slice(row * columns, (row + 1) * columns));
  const down = Math.floor(rest / rows / space.aspect);
  return Math.min(across, down, MAX_PANEL);
}

/** Parts of JupyterLab that scroll: a notebook, and a view of an output by itself. */
const SCROLLERS = ".jp-WindowedPanel-outer, .jp-LinkedOutputView";

/**
 * The part of the page that scrolls with an element, in JupyterLab; elsewhere null, the window.
 *
 * @param {HTMLElement} element
 */
export const scrollerOf = (element) => element.closest(SCROLLERS);

/**
 * The height of the part of the page that is visible at a time, around an element.
 *
 * @param {HTMLElement} element
 */
export function visibleHeight(element) {
  const scroller = scrollerOf(element);
  if (scroller) return scroller.clientHeight;
  // A frame that is as high as its page shows only a part of it.
  try {
    return Math.min(window.innerHeight, window.parent.innerHeight);
  } catch {
    return window.innerHeight; // the frame is in a page of another origin
  }
}
