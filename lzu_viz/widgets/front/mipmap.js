/**
 * Pictures as floating-point levels, their mipmap, and bilinear samples of a level.
 *
 * @import { Pixels, Level, Picture } from "./types.d.ts"
 */

/**
 * Halve a picture repeatedly by 2x2 means; a side of odd length first repeats its last pixel.
 *
 * @param {Picture} picture
 * @param {number} [top] the last level, if the picture is large enough for it.
 * @returns {Level[]}
 */
export function buildMipmap(picture, top = Infinity) {
  const levels = [toLevel(picture)];
  const last = Math.min(top, 31 - Math.clz32(Math.min(picture.width, picture.height)));
  while (levels.length <= last) levels.push(halve(levels[levels.length - 1]));
  return levels;
}

/**
 * A picture as floating-point RGB.
 *
 * @param {Picture} picture
 * @returns {Level}
 */
export function toLevel({ width, height, data }) {
  const level = new Float32Array(3 * width * height);
  for (let from = 0, to = 0; to < level.length; from += 4, to += 3) {
    level[to] = data[from];
    level[to + 1] = data[from + 1];
    level[to + 2] = data[from + 2];
  }
  return { width, height, extent: [1, 1], data: level };
}

/**
 * @param {Level} level
 * @returns {Level}
 */
function halve({ width, height, extent, data }) {
  const [columns, rows] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const half = new Float32Array(columns * rows * 3);
  for (let row = 0, to = 0; row < rows; row++) {
    const down = 2 * row + 1 < height ? 3 * width : 0;
    for (let column = 0; column < columns; column++) {
      const across = 2 * column + 1 < width ? 3 : 0;
      const end = 3 * (2 * row * width + 2 * column) + 3;
      for (let from = end - 3; from < end; from++) {
        const above = data[from] + data[from + across];
        half[to++] = (above + data[from + down] + data[from + down + across]) / 4;
      }
    }
  }
  return {
    width: columns,
    height: rows,
    extent: [(extent[0] * width) / (2 * columns), (extent[1] * height) / (2 * rows)],
    data: half,
  };
}

/**
 * Add the bilinear sample of a level at (x, y), times `weight`, to a colour.
 *
 * @param {Float64Array} colour
 * @param {Level} level
 * @param {number} x in [-1, 1]; beyond, the border pixel repeats.
 * @param {number} y
 * @param {number} weight
 */
export function addSample(colour, level, x, y, weight) {
  const { width, height, extent, data } = level;
  const alongX = Math.min(Math.max(((x + 1) * extent[0] * width - 1) / 2, 0), width - 1);
  const alongY = Math.min(Math.max(((y + 1) * extent[1] * height - 1) / 2, 0), height - 1);
  const left = Math.floor(alongX);
  const top = Math.floor(alongY);
  const a = 3 * (top * width + left);
  const across = left + 1 < width ? 3 : 0;
  const down = top + 1 < height ? 3 * width : 0;
  const [u, v] = [alongX - left, alongY - top];
  const b = a + across;
  const c = a + down;
  const d = b + down;
  const low = weight * v;
  const high = weight - low;
  const wB = high * u;
  const wA = high - wB;
  const wD = low * u;
  const wC = low - wD;
  colour[0] += wA * data[a] + wB * data[b] + wC * data[c] + wD * data[d];
  colour[1] += wA * data[a + 1] + wB * data[b + 1] + wC * data[c + 1] + wD * data[d + 1];
  colour[2] += wA * data[a + 2] + wB * data[b + 2] + wC * data[c + 2] + wD * data[d + 2];
}

/**
 * Write an opaque pixel.
 *
 * @param {Pixels} out which rounds and clips by itself.
 * @param {number} pixel
 * @param {ArrayLike<number>} colour
 */
export function writePixel(out, pixel, colour) {
  out[4 * pixel] = colour[0];
  out[4 * pixel + 1] = colour[1];
  out[4 * pixel + 2] = colour[2];
  out[4 * pixel + 3] = 255;
}
