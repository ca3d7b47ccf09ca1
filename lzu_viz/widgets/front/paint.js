/**
 * Drawing on a canvas: the grid, foveas, boxes, labels, number maps.
 *
 * Coordinates are places in a frame; sizes are page pixels, times `scale` canvas pixels each.
 *
 * @import { BoxState, Colours, Edges, FoveaState, Frame, NumberMap } from "./types.d.ts"
 * @import { Picture, Point, Warp } from "./types.d.ts"
 * @typedef {CanvasRenderingContext2D} Context
 */
import { boxEdges, toCanvas } from "./frames.js";
import { clamp } from "./numbers.js";
import { nodeOffset } from "./warp.js";

const NO_NUMBER_GREY = 200;

/**
 * The canvas position of a node.
 *
 * @param {Frame} frame
 * @param {Warp} warp
 * @param {number} row
 * @param {number} column
 */
const nodePosition = (frame, warp, row, column) => {
  const k = nodeOffset(warp, row, column);
  return toCanvas(frame, warp.grid[k], warp.grid[k + 1]);
};

/**
 * Draw the grid lines of a warp over its source; not more than about `maximum` in each direction.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {Warp} warp
 * @param {number} maximum
 * @param {string} colour
 * @param {number} width
 */
export function drawGrid(context, frame, warp, maximum, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (const row of everyNth(warp.rows, maximum)) {
    for (let column = 0; column <= warp.columns; column++) {
      context[column ? "lineTo" : "moveTo"](...nodePosition(frame, warp, row, column));
    }
  }
  for (const column of everyNth(warp.columns, maximum)) {
    for (let row = 0; row <= warp.rows; row++) {
      context[row ? "lineTo" : "moveTo"](...nodePosition(frame, warp, row, column));
    }
  }
  context.stroke();
}

/**
 * @param {number} pieces
 * @param {number} maximum
 */
function everyNth(pieces, maximum) {
  const step = Math.max(1, Math.ceil(pieces / maximum));
  const nodes = [];
  for (let k = 0; k < pieces; k += step) nodes.push(k);
  return [...nodes, pieces];
}

/**
 * Mark the moved nodes and the selected one.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {Warp} warp
 * @param {{row: number, column: number}[]} moved
 * @param {{row: number, column: number}} selected
 * @param {Colours} colours
 * @param {number} scale
 */
export function drawNodes(context, frame, warp, moved, selected, colours, scale) {
  /**
   * @param {Point} position
   * @param {number} radius
   */
  const dot = ([x, y], radius) => {
    context.beginPath();
    context.arc(x, y, radius * scale, 0, 2 * Math.PI);
    context.fillStyle = colours.fovea;
    context.fill();
    context.strokeStyle = colours.ink;
    context.lineWidth = scale;
    context.stroke();
  };
  for (const { row, column } of moved) dot(nodePosition(frame, warp, row, column), 3.5);
  dot(nodePosition(frame, warp, selected.row, selected.column), 6);
}

/**
 * Fill the folded pieces, where they lie in the source frame or in the zoomed frame.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {Warp} warp
 * @param {[number, number][]} folded
 * @param {boolean} inSource
 * @param {string} colour
 */
export function drawFolds(context, frame, warp, folded, inSource, colour) {
  if (!folded.length) return;
  context.save();
  context.globalAlpha = 0.75;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  const corners = [
    [0, 0],
    [0, 1],
    [1, 1],
    [1, 0],
  ];
  for (const [row, column] of folded) {
    context.beginPath();
    for (const [down, across] of corners) {
      const x = (2 * (column + across)) / warp.columns - 1;
      const y = (2 * (row + down)) / warp.rows - 1;
      const position = inSource
        ? nodePosition(frame, warp, row + down, column + across)
        : toCanvas(frame, x, y);
      context.lineTo(...position);
    }
    context.closePath();
    context.fill();
    context.stroke();
  }
  context.restore();
}

/**
 * Stroke a path on a wider, darker one, to be visible on dark and on bright pictures.
 *
 * @param {Context} context
 * @param {Colours} colours
 * @param {number} width
 * @param {number} scale
 * @param {() => void} path
 */
function strokeOutlined(context, colours, width, scale, path) {
  const stroke = (/** @type {string} */ colour, /** @type {number} */ lineWidth) => {
    context.strokeStyle = colour;
    context.lineWidth = lineWidth * scale;
    context.beginPath();
    path();
    context.stroke();
  };
  stroke(colours.ink, width + 2);
  stroke(colours.fovea, width);
}

/**
 * Draw a fovea: a cross at its centre, and an ellipse at one standard deviation.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {FoveaState} fovea
 * @param {boolean} selected
 * @param {Colours} colours
 * @param {number} scale
 */
export function drawFovea(context, frame, fovea, selected, colours, scale) {
  const [x, y] = toCanvas(frame, fovea.x, fovea.y);
  const [across, down] = [(fovea.width / 100) * frame.width, (fovea.width / 100) * frame.height];
  // A small ellipse is drawn finely, so that it does not hide what is in it.
  const radius = Math.min(across, down);
  const arm = Math.min(6 * scale, radius / 3);
  const selectedWidth = radius < 14 * scale ? 1.5 : 3;
  strokeOutlined(context, colours, selected ? selectedWidth : 1, scale, () => {
    context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
  });
}

/**
 * Draw a box of the state, with handles at its corners if it is selected.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {BoxState} box
 * @param {boolean} selected
 * @param {Colours} colours
 * @param {number} scale
 */
export function drawBox(context, frame, box, selected, colours, scale) {
  const [left, top, right, bottom] = boxEdges(box);
  const [x, y] = toCanvas(frame, left, top);
  const [endX, endY] = toCanvas(frame, right, bottom);
  strokeOutlined(context, colours, selected ? 3 : 1.5, scale, () =>
    context.rect(x, y, endX - x, endY - y),
  );
  if (!selected) return;
  const half = 4 * scale;
  context.fillStyle = colours.fovea;
  for (const cornerX of [x, endX]) {
    for (const cornerY of [y, endY]) {
      context.fillRect(cornerX - half, cornerY - half, 2 * half, 2 * half);
    }
  }
}

/**
 * Draw a rectangle of a prediction or of the ground truth.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {Edges} edges
 * @param {string} colour
 * @param {number} scale
 */
export function drawRectangle(context, frame, [left, top, right, bottom], colour, scale) {
  const [x, y] = toCanvas(frame, left, top);
  const [endX, endY] = toCanvas(frame, right, bottom);
  context.strokeStyle = colour;
  context.lineWidth = 2 * scale;
  context.strokeRect(x, y, endX - x, endY - y);
}

/**
 * Draw the labels of many boxes, each where it covers neither another label nor another box: above
 * its box, below it, or farther away. Where there is no such place, only the last word is written,
 * at last over other boxes; a label without a free place is left out.
 *
 * @param {Context} context
 * @param {Frame} frame
 * @param {[Edges, string][]} boxes the most important first.
 * @param {string} colour
 * @param {number} scale
 * @param {string} textColour
 */
export function drawLabels(context, frame, boxes, colour, scale, textColour) {
  const [up, down] = [13 * scale, 4 * scale];
  const { width: columns, height: rows } = context.canvas;
  context.font = `${13 * scale}px sans-serif`;
  const outlines = boxes.map(([[left, top, right, bottom]]) => [
    ...toCanvas(frame, left, top),
    ...toCanvas(frame, right, bottom),
  ]);
  /** @type {number[][]} */
  const taken = [];
  boxes.forEach(([, label], index) => {
    const [x, above, , below] = outlines[index];
    const others = outlines.filter((_, other) => other !== index);
    const short = label.slice(label.lastIndexOf(" ") + 1);
    const step = up + down;
    const near = [above - down, below + up];
    const far = [above - down - step, below + up + step];
    for (const { text, heights, blocked } of [
      { text: label, heights: near, blocked: others },
      { text: short, heights: near, blocked: others },
      { text: short, heights: far, blocked: others },
      { text: short, heights: [...near, ...far], blocked: [] },
    ]) {
      const width = context.measureText(text).width + 6 * scale;
      const left = clamp(x, 0, Math.max(0, columns - width));
      const y = heights.find((place) => {
        const area = [left, place - up, left + width, place + down];
        const isInside = area[1] >= 0 && area[3] <= rows;
        return isInside && ![...taken, ...blocked].some((other) => overlap(area, other));
      });
      if (y === undefined) continue;
      taken.push([left, y - up, left + width, y + down]);
      drawTag(context, text, left, y, colour, scale, textColour);
      return;
    }
  });
}

/**
 * Whether two rectangles, (left, top, right, bottom), overlap.
 *
 * @param {number[]} first
 * @param {number[]} second
 */
const overlap = (first, second) =>
  first[0] < second[2] && second[0] < first[2] && first[1] < second[3] && second[1] < first[3];

/**
 * Draw a short text on a coloured background, its lower left corner at (x, y) of the canvas.
 *
 * @param {Context} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 * @param {number} scale
 * @param {string} [textColour]
 */
export function drawTag(context, text, x, y, colour, scale, textColour = "white") {
  context.font = `${13 * scale}px sans-serif`;
  const width = context.measureText(text).width + 6 * scale;
  const left = Math.max(0, Math.min(x, context.canvas.width - width));
  context.fillStyle = colour;
  context.fillRect(left, y - 13 * scale, width, 17 * scale);
  context.fillStyle = textColour;
  context.fillText(text, left + 3 * scale, y);
}

/**
 * Draw the surroundings of a box, enlarged, on a canvas of its own, and mark them.
 *
 * @param {Context} closeUp
 * @param {HTMLCanvasElement} canvas that is enlarged.
 * @param {Frame} frame
 * @param {Edges} edges
 * @param {number} scale
 */
export function drawCloseUp(closeUp, canvas, frame, [left, top, right, bottom], scale) {
  const context = context2d(canvas);
  const [x, y] = toCanvas(frame, (left + right) / 2, (top + bottom) / 2);
  const longer = Math.max(
    ((right - left) / 2) * canvas.width,
    ((bottom - top) / 2) * canvas.height,
  );
  const half = Math.min(Math.max(8, longer) * 0.75, canvas.width / 2, canvas.height / 2);
  const [cx, cy] = [clamp(x, half, canvas.width - half), clamp(y, half, canvas.height - half)];
  const side = Math.max(1, Math.round(closeUp.canvas.clientHeight * scale));
  if (closeUp.canvas.width !== side) Object.assign(closeUp.canvas, { width: side, height: side });
  closeUp.imageSmoothingEnabled = true;
  closeUp.drawImage(canvas, cx - half, cy - half, 2 * half, 2 * half, 0, 0, side, side);
  context.strokeStyle = "white";
  context.lineWidth = scale;
  context.strokeRect(cx - half, cy - half, 2 * half, 2 * half);
}

/**
 * Draw numbers in the colours of a map; grey where there is no number.
 *
 * @param {Context} context
 * @param {ScratchCanvas} scratch
 * @param {Frame} frame
 * @param {NumberMap} map
 * @param {(value: number) => number} position of a number in the colours, in 0..1.
 * @param {Uint8Array} colours RGB of 256 steps.
 * @param {boolean} smooth whether to interpolate between the numbers.
 */
export function drawMap(context, scratch, frame, map, position, colours, smooth) {
  const { values, rows, columns } = map;
  const data = new Uint8ClampedArray(rows * columns * 4).fill(255);
  for (let k = 0; k < values.length; k++) {
    const value = values[k];
    if (Number.isNaN(value)) {
      data[4 * k] = data[4 * k + 1] = data[4 * k + 2] = NO_NUMBER_GREY;
      continue;
    }
    const from = 3 * clamp(Math.round(position(value) * 255), 0, 255);
    data[4 * k] = colours[from];
    data[4 * k + 1] = colours[from + 1];
    data[4 * k + 2] = colours[from + 2];
  }
  context.imageSmoothingEnabled = smooth;
  const image = scratch.put({ width: columns, height: rows, data });
  context.drawImage(image, frame.left, frame.top, frame.width, frame.height);
}

/**
 * The colours of a number map as a CSS gradient.
 *
 * @param {Uint8Array} colours RGB of 256 steps.
 */
export function gradient(colours) {
  const stops = [];
  for (let k = 0; k <= 255; k += 15)
    stops.push(`rgb(${colours[3 * k]} ${colours[3 * k + 1]} ${colours[3 * k + 2]})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/**
 * The upper end of a scale about 1: a power of two, so that it rarely changes.
 *
 * @param {number} minimum
 * @param {number} maximum
 */
export function topAboutOne(minimum, maximum) {
  const ratio = Math.max(maximum, minimum > 0 ? 1 / minimum : 1, 2);
  return 2 ** Math.ceil(Math.log2(ratio * 0.999));
}

/**
 * Round up to 1, 2 or 5 times a power of ten, so that the upper end of a scale rarely changes.
 *
 * @param {number} maximum
 */
export function roundUp(maximum) {
  if (!(maximum > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(maximum));
  const step = [1, 2, 5].find((candidate) => candidate * power >= maximum * 0.999) ?? 10;
  return step * power;
}

/** An off-screen canvas that turns pixels into something that can be drawn at another size. */
export class ScratchCanvas {
  constructor() {
    this.canvas = new OffscreenCanvas(1, 1);
  }

  /** @param {Picture} picture */
  put({ width, height, data }) {
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas = new OffscreenCanvas(width, height);
    }
    context2d(this.canvas).putImageData(new ImageData(data, width, height), 0, 0);
    return this.canvas;
  }
}

/**
 * @template {HTMLCanvasElement | OffscreenCanvas} C
 * @param {C} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 * @returns {C extends HTMLCanvasElement ? CanvasRenderingContext2D
 *     : OffscreenCanvasRenderingContext2D}
 */
export function context2d(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("the browser does not provide a 2D context for a canvas");
  return /** @type {any} */ (context);
}
