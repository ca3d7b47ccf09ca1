/**
 * The numbers of detections of two systems along a film.
 *
 * @import { PlayerColours } from "./types.d.ts"
 *
 * @typedef {object} Timeline
 * @property {number} count of frames.
 * @property {number} index of the shown frame.
 * @property {number[]} uniform numbers of detections, as far as they are known.
 * @property {number[]} zoom
 */

const FILL_ALPHA = 0.3;

/**
 * The place of a frame on the timeline, in canvas pixels: where the thumb of a slider stands.
 *
 * @param {number} index
 * @param {number} count of frames.
 * @param {number} width of the canvas.
 * @param {number} margin at each side.
 */
export const placeOf = (index, count, width, margin) =>
  margin + (count > 1 ? index / (count - 1) : 0.5) * (width - 2 * margin);

/**
 * The frame at a place of the timeline; the inverse of `placeOf`.
 *
 * @param {number} x
 * @param {number} count
 * @param {number} width
 * @param {number} margin
 */
export const frameAt = (x, count, width, margin) =>
  Math.round(
    Math.min(1, Math.max(0, (x - margin) / Math.max(1, width - 2 * margin))) * (count - 1),
  );

/**
 * Draw the numbers of both systems as steps; where they differ, the larger one's colour fills the
 * space between them. The part that is not computed yet is grey.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Timeline} timeline
 * @param {PlayerColours} colours
 * @param {string} ink colour of the text.
 * @param {number} margin at both sides, in page pixels.
 * @param {number} scale canvas pixels per page pixel.
 */
export function drawTimeline(context, timeline, colours, ink, margin, scale) {
  const { width, height } = context.canvas;
  const { count, index, uniform, zoom } = timeline;
  const known = zoom.length;
  const side = margin * scale;
  const half = count > 1 ? (width - 2 * side) / (count - 1) / 2 : width / 2 - side;
  const place = (/** @type {number} */ frame) => placeOf(frame, count, width, side);
  const top = uniform.reduce((most, found, frame) => Math.max(most, found, zoom[frame]), 1);
  const [bottom, room] = [height - 2 * scale, height - 6 * scale];
  const level = (/** @type {number} */ found) => bottom - (found / top) * room;
  context.clearRect(0, 0, width, height);
  context.fillStyle = "rgb(128 128 128 / 0.22)";
  const end = known ? place(known - 1) + half : side;
  if (known < count) context.fillRect(end, 0, width - side - end, height);
  context.save();
  context.beginPath();
  context.rect(side, 0, width - 2 * side, height);
  context.clip();
  context.globalAlpha = FILL_ALPHA;
  for (let frame = 0; frame < known; frame++) {
    if (uniform[frame] === zoom[frame]) continue;
    context.fillStyle = zoom[frame] > uniform[frame] ? colours.zoom : colours.uniform;
    const [from, to] = [level(uniform[frame]), level(zoom[frame])];
    context.fillRect(place(frame) - half, Math.min(from, to), 2 * half, Math.abs(to - from));
  }
  context.globalAlpha = 1;
  context.lineWidth = scale * Math.min(2, Math.max(1, half / scale));
  for (const [found, colour] of /** @type {[number[], string][]} */ ([
    [uniform, colours.uniform],
    [zoom, colours.zoom],
  ])) {
    context.strokeStyle = colour;
    context.beginPath();
    found.forEach((number, frame) => {
      context.lineTo(place(frame) - half, level(number));
      context.lineTo(place(frame) + half, level(number));
    });
    context.stroke();
  }
  context.restore();
  context.fillStyle = ink;
  if (known) {
    context.font = `${10 * scale}px sans-serif`;
    context.fillText(String(top), 0, 10 * scale);
    context.fillText("0", 0, height - scale);
  }
  context.fillRect(place(index) - scale / 2, 0, scale, height);
}
