/**
 * Small tools of drawing. A place is (x, y) in [-1, 1] over a frame; a `Frame` says where on a
 * canvas that frame lies, in the canvas's own pixels.
 *
 * @typedef {{left: number, top: number, width: number, height: number}} Frame
 */

/** The whole canvas. */
export const whole = (canvas) => ({ left: 0, top: 0, width: canvas.width, height: canvas.height });

/** The largest square in the middle of a canvas, where the zoomed frame is drawn. */
export function square(canvas) {
  const side = Math.min(canvas.width, canvas.height);
  return {
    left: (canvas.width - side) / 2,
    top: (canvas.height - side) / 2,
    width: side,
    height: side,
  };
}

/** From a place to canvas pixels. */
export const toCanvas = (frame, x, y) => [
  frame.left + ((x + 1) / 2) * frame.width,
  frame.top + ((y + 1) / 2) * frame.height,
];

/** From canvas pixels to a place; beyond [-1, 1] where it is outside the frame. */
export const fromCanvas = (frame, x, y) => [
  ((x - frame.left) / frame.width) * 2 - 1,
  ((y - frame.top) / frame.height) * 2 - 1,
];

const corner = (frame, { grid, columns }, row, column) => {
  const k = 2 * (row * (columns + 1) + column);
  return toCanvas(frame, grid[k], grid[k + 1]);
};

/** Draw the lines of a warp's nodes over its source; of many, every second, third, ... */
export function drawGrid(context, frame, warp, most, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (const row of every(warp.rows, most)) {
    for (let column = 0; column <= warp.columns; column++) {
      context[column ? "lineTo" : "moveTo"](...corner(frame, warp, row, column));
    }
  }
  for (const column of every(warp.columns, most)) {
    for (let row = 0; row <= warp.rows; row++) {
      context[row ? "lineTo" : "moveTo"](...corner(frame, warp, row, column));
    }
  }
  context.stroke();
}

function every(pieces, most) {
  const step = Math.max(1, Math.ceil(pieces / most));
  const nodes = [];
  for (let k = 0; k < pieces; k += step) nodes.push(k);
  return [...nodes, pieces];
}

/** Mark nodes that were moved by hand, and the selected one. */
export function drawNodes(context, frame, warp, moved, selected, colours, scale) {
  const dot = ([x, y], radius, fill) => {
    context.beginPath();
    context.arc(x, y, radius * scale, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
    context.strokeStyle = colours.ink;
    context.lineWidth = scale;
    context.stroke();
  };
  for (const { row, column } of moved) dot(corner(frame, warp, row, column), 3.5, colours.fovea);
  dot(corner(frame, warp, selected.row, selected.column), 6, colours.fovea);
}

/** Fill the folded pieces: as they lie in the source frame, or as they lie in the zoomed one. */
export function drawFolds(context, frame, warp, folded, inSource, colour) {
  if (!folded.length) return;
  context.save();
  context.globalAlpha = 0.75;
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  for (const [row, column] of folded) {
    context.beginPath();
    for (const [down, across] of [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 0],
    ]) {
      const place = inSource
        ? corner(frame, warp, row + down, column + across)
        : toCanvas(
            frame,
            (2 * (column + across)) / warp.columns - 1,
            (2 * (row + down)) / warp.rows - 1,
          );
      context.lineTo(...place);
    }
    context.closePath();
    context.fill();
    context.stroke();
  }
  context.restore();
}

/** Draw twice, so that the line is seen on dark and on bright. */
function outlined(context, colours, width, scale, path) {
  for (const [colour, more] of [
    [colours.ink, 2],
    [colours.fovea, 0],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = (width + more) * scale;
    context.beginPath();
    path();
    context.stroke();
  }
}

/** A fovea: a ring one standard deviation from its centre, and a cross. */
export function drawFovea(context, frame, fovea, selected, colours, scale) {
  const [x, y] = toCanvas(frame, fovea.x, fovea.y);
  const [across, down] = [(fovea.width / 100) * frame.width, (fovea.width / 100) * frame.height];
  const arm = 6 * scale;
  outlined(context, colours, selected ? 3 : 1.5, scale, () => {
    context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
  });
}

/** A box to look at, with handles at its corners when it is selected. */
export function drawBox(context, frame, box, selected, colours, scale) {
  const [left, top, right, bottom] = sidesOf(box);
  const [x, y] = toCanvas(frame, left, top);
  const [end, low] = toCanvas(frame, right, bottom);
  outlined(context, colours, selected ? 3 : 1.5, scale, () => context.rect(x, y, end - x, low - y));
  if (!selected) return;
  const half = 4 * scale;
  context.fillStyle = colours.fovea;
  for (const [across, down] of [
    [x, y],
    [end, y],
    [x, low],
    [end, low],
  ]) {
    context.fillRect(across - half, down - half, 2 * half, 2 * half);
  }
}

/** Left, top, right and bottom of a box that is held as middle and sides in percent. */
export function sidesOf({ x, y, width, height }) {
  return [x - width / 100, y - height / 100, x + width / 100, y + height / 100];
}

/** A rectangle, as an answer or the truth has it. */
export function drawRectangle(context, frame, [left, top, right, bottom], colour, scale) {
  const [x, y] = toCanvas(frame, left, top);
  const [end, low] = toCanvas(frame, right, bottom);
  context.strokeStyle = colour;
  context.lineWidth = 2 * scale;
  context.strokeRect(x, y, end - x, low - y);
}

/** A label at the upper left corner of a rectangle. */
export function drawLabel(context, frame, [left, top], label, colour, scale) {
  const [x, y] = toCanvas(frame, left, top);
  drawTag(context, label, x, Math.max(14 * scale, y - 3 * scale), colour, scale);
}

/** A few words on a coloured ground; (x, y) is their bottom left corner. */
export function drawTag(context, text, x, y, colour, scale) {
  context.font = `${13 * scale}px sans-serif`;
  const width = context.measureText(text).width + 6 * scale;
  const left = Math.max(0, Math.min(x, context.canvas.width - width));
  context.fillStyle = colour;
  context.fillRect(left, y - 13 * scale, width, 17 * scale);
  context.fillStyle = "white";
  context.fillText(text, left + 3 * scale, y);
}

/** Enlarge the surroundings of a box into the corner that is farthest from it. */
export function drawInset(context, frame, [left, top, right, bottom], scale) {
  const { canvas } = context;
  const [x, y] = toCanvas(frame, (left + right) / 2, (top + bottom) / 2);
  const longer = Math.max(
    ((right - left) / 2) * canvas.width,
    ((bottom - top) / 2) * canvas.height,
  );
  const half = Math.min(Math.max(8, longer) * 0.75, canvas.width / 2, canvas.height / 2);
  const [cx, cy] = [clamp(x, half, canvas.width - half), clamp(y, half, canvas.height - half)];
  const side = Math.round(canvas.height * 0.42);
  const to = [
    x > canvas.width / 2 ? 0 : canvas.width - side,
    y > canvas.height / 2 ? 0 : canvas.height - side,
  ];
  context.imageSmoothingEnabled = true;
  context.drawImage(canvas, cx - half, cy - half, 2 * half, 2 * half, ...to, side, side);
  context.strokeStyle = "white";
  context.lineWidth = 2 * scale;
  context.strokeRect(...to, side, side);
  context.lineWidth = scale;
  context.strokeRect(cx - half, cy - half, 2 * half, 2 * half);
}

/**
 * Paint numbers from 0 to `top` in the colours of `colours.map`; grey where there is no number.
 *
 * @param {Sheet} sheet on which the map is put together.
 * @param {ArrayLike<number>} values rows * columns, NaN where there is none.
 */
export function drawMap(context, sheet, frame, { values, rows, columns }, top, colours, smooth) {
  const data = new Uint8ClampedArray(rows * columns * 4).fill(255);
  const lut = colours.map;
  for (let k = 0; k < values.length; k++) {
    const value = values[k];
    if (Number.isNaN(value)) {
      data[4 * k] = data[4 * k + 1] = data[4 * k + 2] = 200;
      continue;
    }
    const from = 3 * clamp(Math.round((value / top) * 255), 0, 255);
    data[4 * k] = lut[from];
    data[4 * k + 1] = lut[from + 1];
    data[4 * k + 2] = lut[from + 2];
  }
  context.imageSmoothingEnabled = smooth;
  const { left, top: above, width, height } = frame;
  context.drawImage(sheet.put({ width: columns, height: rows, data }), left, above, width, height);
}

/** The colours of maps as a CSS gradient. */
export function gradient({ map }) {
  const stops = [];
  for (let k = 0; k <= 255; k += 15)
    stops.push(`rgb(${map[3 * k]} ${map[3 * k + 1]} ${map[3 * k + 2]})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** A round upper end of a scale: 1, 2 or 5 times a power of ten, so that it seldom jumps. */
export function nice(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].find((step) => step * power >= most * 0.999) * power;
}

/** A picture {width, height, data} as something that can be drawn at another size, or nowhere. */
export class Sheet {
  put({ width, height, data }) {
    if (this.canvas?.width !== width || this.canvas.height !== height) {
      this.canvas = new OffscreenCanvas(width, height);
      this.context = this.canvas.getContext("2d");
    }
    this.context.putImageData(new ImageData(data, width, height), 0, 0);
    return this.canvas;
  }
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export const round = (value, digits) => Number(value.toFixed(digits));
