/**
 * The warp in the page: saliency, control grid, inverse and pictures, drawn without a kernel.
 *
 * This is the mathematics of the Python modules `saliency`, `attraction`, `bilinear`, `inverse`,
 * `warp` and `sampling`, in that order and in float64. They give the reasons; a test holds the two
 * together.
 *
 * A point is (x, y) in [-1, 1] over its frame; -1 and 1 are the outer edges. A saliency map is a
 * Float64Array of rows * columns cells, row by row. A dense map is a Float64Array of rows * columns
 * points (x, y), one a pixel, NaN where there is none. Pictures are {width, height, data}, RGBA.
 *
 * A warp maps the zoomed frame to the source frame and is bilinear on each of rows x columns
 * pieces. `grid` holds the source point (x, y) of every node, row by row; for a separable warp `x`
 * and `y` hold the same for each axis. Do not change a warp: what follows from it is remembered.
 *
 * @typedef {{rows: number, columns: number}} Size
 * @typedef {{x: number, y: number, varianceX: number, varianceY: number, weight: number}} Spot
 * @typedef {{x: number, y: number, width: number | [number, number], weight?: number}} Fovea
 * @typedef {Size & {x: ?Float64Array, y: ?Float64Array, grid: Float64Array}} Warp
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Picture
 * @typedef {{width: number, height: number, extent: [number, number], data: Float32Array}} Level
 */

/** The least value of a cell, as a part of what it would hold in the uniform map. */
const FLOOR = 1e-5;

/** A piece whose Jacobian determinant falls to this is folded, or too flat to have an inverse. */
const FLAT = 1e-7;

const clamp = (value, low, high) => (value < low ? low : value > high ? high : value);

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Put `count` cells or pixels on [-1, 1] and give the centre of one of them. */
const centre = (index, count) => (2 * index + 1) / count - 1;

/** Cut [-1, 1] into `count` pieces and give one of their count + 1 nodes; the ends are exact. */
const node = (index, count) => (2 * index - count) / count;

// --- Saliency: where to look ---------------------------------------------------------------------

/**
 * Sum Gaussians, each of mass `weight` and widened by a cell.
 *
 * @param {Spot[]} spots variances are in units of [-1, 1], squared.
 */
export function gaussians(rows, columns, spots) {
  const cells = new Float64Array(rows * columns);
  for (const { x, y, varianceX, varianceY, weight } of spots) {
    const across = profile(columns, x, varianceX);
    const down = profile(rows, y, varianceY);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        cells[row * columns + column] += weight * down[row] * across[column];
      }
    }
  }
  return cells;
}

/** A Gaussian over the cells of an axis, of mass 1 even where its centre is outside the frame. */
function profile(count, place, variance) {
  const blurred = variance + (2 / count) ** 2 / 12;
  const exponent = new Float64Array(count).map(
    (_, cell) => -((centre(cell, count) - place) ** 2) / (2 * blurred),
  );
  const most = Math.max(...exponent);
  const height = exponent.map((value) => Math.exp(value - most));
  const total = sum(height);
  return height.map((value) => value / total);
}

/** Put a floor under a map and make it sum to 1. */
export function normalise(map) {
  const total = sum(map);
  return map.map((cell) => (cell / total + FLOOR / map.length) / (1 + FLOOR));
}

/** The weighted mean of maps of one size. */
export function mix(maps, weights = maps.map(() => 1)) {
  const mixed = new Float64Array(maps[0].length);
  maps.forEach((map, index) => {
    const share = weights[index] / sum(map);
    for (let cell = 0; cell < mixed.length; cell++) mixed[cell] += share * map[cell];
  });
  return normalise(mixed);
}

const uniform = ({ rows, columns }) => new Float64Array(rows * columns).fill(1 / (rows * columns));

/**
 * Look at foveas: Gaussians of `strength` against a uniform map of 1 - strength.
 *
 * Where no fovea has a weight there is nothing to look at, and the map is uniform.
 *
 * @param {Size} size of the map.
 * @param {Fovea[]} foveas `width` is the standard deviation as a fraction of the frame's side, one
 *     number or [rows, columns].
 * @param {number} strength in 0..1.
 */
export function fromFoveas(size, foveas, strength) {
  const spots = foveas.map(({ x, y, width, weight = 1 }) => {
    const [rows, columns] = Array.isArray(width) ? width : [width, width];
    // A fraction of the side is twice as long in coordinates that run from -1 to 1.
    return { x, y, varianceX: (2 * columns) ** 2, varianceY: (2 * rows) ** 2, weight };
  });
  if (!spots.some((spot) => spot.weight > 0)) return uniform(size);
  const look = normalise(gaussians(size.rows, size.columns, spots));
  return mix([uniform(size), look], [1 - strength, strength]);
}

/**
 * Look at boxes; the standard deviation of each Gaussian is `spread` times the side of its box.
 *
 * @param {Size} size of the map.
 * @param {[number, number, number, number][]} boxes left, top, right, bottom in [-1, 1].
 * @param {number} amplitude what each box weighs against the floor.
 */
export function fromBoxes(size, boxes, amplitude, spread) {
  return onFloor(size, boxes, amplitude, (side) => (spread * side) ** 2);
}

/**
 * Look at boxes as FOVEA does: the variance is `bandwidth` times the side of the box, in pixels.
 *
 * @param {Size} size of the map.
 * @param {[number, number]} frame [height, width] of the image in pixels.
 */
export function fromBoxesInPixels(size, boxes, amplitude, bandwidth, frame) {
  const [height, width] = frame;
  return onFloor(size, boxes, amplitude, (side, axis) =>
    axis === "x" ? (bandwidth * side * 2) / width : (bandwidth * side * 2) / height,
  );
}

function onFloor(size, boxes, amplitude, variance) {
  const spots = boxes.map(([left, top, right, bottom]) => ({
    x: (left + right) / 2,
    y: (top + bottom) / 2,
    varianceX: variance(right - left, "x"),
    varianceY: variance(bottom - top, "y"),
    weight: amplitude,
  }));
  const floor = 1 / (size.rows * size.columns);
  return normalise(gaussians(size.rows, size.columns, spots).map((cell) => cell + floor));
}

// --- Attraction: from saliency to control grid ---------------------------------------------------

/**
 * Make the warp that a saliency map asks for.
 *
 * @param {{rows: number, columns: number, cells: Float64Array}} map positive.
 * @param {object} how
 * @param {number} how.rows of pieces.
 * @param {number} how.columns of pieces.
 * @param {[number, number]} how.fwhm width of the kernel, [rows, columns], fractions of the side.
 * @param {boolean} how.separable whether each axis is warped by itself.
 * @param {boolean} how.antiCrop whether the saliency is mirrored at the edge: the edge stays.
 * @returns {Warp}
 */
export function makeWarp(map, { rows, columns, fwhm, separable, antiCrop }) {
  const down = kernel(rows, map.rows, fwhm[0], antiCrop);
  const across = kernel(columns, map.columns, fwhm[1], antiCrop);
  const framed = (place, step) => {
    if (!antiCrop) return place + step;
    // Rounding alone would move the edge, or leave the frame.
    return Math.abs(place) === 1 ? place : clamp(place + step, -1, 1);
  };
  if (separable) {
    const byColumn = new Float64Array(map.columns);
    const byRow = new Float64Array(map.rows);
    map.cells.forEach((cell, index) => {
      byColumn[index % map.columns] += cell;
      byRow[Math.floor(index / map.columns)] += cell;
    });
    const drawn = ({ weight, moment }, share, count) => {
      const [total, pull] = [dots(weight, share, share.length), dots(moment, share, share.length)];
      return total.map((each, index) => framed(node(index, count), pull[index] / each));
    };
    return fromAxes(drawn(across, byColumn, columns), drawn(down, byRow, rows));
  }
  const columnWeight = dots(across.weight, map.cells, map.columns);
  const columnMoment = dots(across.moment, map.cells, map.columns);
  const total = dots(down.weight, columnWeight, map.rows);
  const pullX = dots(down.weight, columnMoment, map.rows);
  const pullY = dots(down.moment, columnWeight, map.rows);
  const grid = new Float64Array(2 * total.length);
  for (let index = 0; index < total.length; index++) {
    const [row, column] = [Math.floor(index / (columns + 1)), index % (columns + 1)];
    grid[2 * index] = framed(node(column, columns), pullX[index] / total[index]);
    grid[2 * index + 1] = framed(node(row, rows), pullY[index] / total[index]);
  }
  return warpFromGrid(rows, columns, grid);
}

/**
 * The kernel for each node of an axis (row) and each cell (column), and the kernel times the way
 * from the node to the cell. A cell's images beyond the frame are added to it.
 */
function kernel(count, cells, fwhm, antiCrop) {
  const key = [count, cells, fwhm, antiCrop].join();
  const known = kernels.get(key);
  if (known) return known;
  // So far out that even a cell a million million times as salient as another counts for nothing.
  const reach = fwhm * Math.sqrt((Math.log(1e12) - Math.log(Number.EPSILON)) / (4 * Math.LN2));
  const beyond = Math.ceil(Math.max(1, reach) * cells);
  const weight = new Float64Array((count + 1) * cells);
  const moment = new Float64Array((count + 1) * cells);
  for (let index = 0; index <= count; index++) {
    const place = node(index, count);
    const exponent = (way) => -4 * Math.LN2 * (way / (2 * fwhm)) ** 2;
    // A common factor leaves T alone; this one keeps a narrow kernel from vanishing at every cell.
    const nearest = exponent(centre(Math.floor(((place + 1) / 2) * cells), cells) - place);
    for (let position = -beyond; position < cells + beyond; position++) {
      const way = centre(position, cells) - place;
      const strength = Math.exp(exponent(way) - nearest);
      const cell = antiCrop ? mirror(position, cells) : clamp(position, 0, cells - 1);
      weight[index * cells + cell] += strength;
      moment[index * cells + cell] += strength * way;
    }
  }
  if (kernels.size >= MOST_KERNELS) kernels.clear();
  kernels.set(key, { weight, moment });
  return { weight, moment };
}

/** While a fovea moves, the kernels stay. */
const kernels = new Map();
const MOST_KERNELS = 8;

/** The cell of the frame that a position beyond its edges mirrors; the edge cell is repeated. */
function mirror(position, cells) {
  const along = ((position % (2 * cells)) + 2 * cells) % (2 * cells);
  return Math.min(along, 2 * cells - 1 - along);
}

/** Matrix product `left @ right.T`, both row by row with `inner` columns. */
function dots(left, right, inner) {
  const [rows, columns] = [left.length / inner, right.length / inner];
  const product = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let total = 0;
      for (let k = 0; k < inner; k++) total += left[row * inner + k] * right[column * inner + k];
      product[row * columns + column] = total;
    }
  }
  return product;
}

// --- Warps: nodes, and the bilinear pieces between them ------------------------------------------

function fromAxes(x, y) {
  const [rows, columns] = [y.length - 1, x.length - 1];
  const grid = new Float64Array(2 * x.length * y.length).map((_, index) =>
    index % 2 ? y[Math.floor(index / 2 / x.length)] : x[(index / 2) % x.length],
  );
  return { rows, columns, x, y, grid };
}

/** The non-separable warp with these nodes, (x, y) each, row by row. */
export function warpFromGrid(rows, columns, grid) {
  return { rows, columns, x: null, y: null, grid: Float64Array.from(grid) };
}

/** The warp that changes nothing. */
export function identityWarp(rows, columns) {
  const nodes = (count) => new Float64Array(count + 1).map((_, index) => node(index, count));
  return fromAxes(nodes(columns), nodes(rows));
}

/** Move nodes by hand, each {row, column, dx, dy}; the warp is then no longer separable. */
export function moveNodes(warp, nodes) {
  if (!nodes.length) return warp;
  const moved = warpFromGrid(warp.rows, warp.columns, warp.grid);
  for (const { row, column, dx, dy } of nodes) {
    const k = 2 * (row * (warp.columns + 1) + column);
    moved.grid[k] += dx;
    moved.grid[k + 1] += dy;
  }
  return moved;
}

/** Go from the identity (t = 0) to the warp (t = 1), each node on a straight line. */
export function morph(warp, t) {
  const still = identityWarp(warp.rows, warp.columns);
  const between = (from, to) => from.map((value, index) => (1 - t) * value + t * to[index]);
  if (warp.x) return fromAxes(between(still.x, warp.x), between(still.y, warp.y));
  return warpFromGrid(warp.rows, warp.columns, between(still.grid, warp.grid));
}

const studied = new WeakMap();

/**
 * What follows from a warp, worked out once: its pieces, and what it takes to search them.
 *
 * On a piece each coordinate is P + u b + v c + u v d, with (u, v) in [0, 1] (see `bilinear.py`).
 * `terms` holds P, b, c, d of x and then of y: eight numbers a piece, found from k = 8 * piece on.
 * `box` holds the bounds of each piece in the source, slightly widened: left, top, right, bottom.
 */
function study(warp) {
  if (studied.has(warp)) return studied.get(warp);
  const { rows, columns, x, y, grid } = warp;
  const count = rows * columns;
  const slack = tolerance(grid);
  const terms = new Float64Array(8 * count);
  const box = new Float64Array(4 * count);
  const folded = new Uint8Array(count);
  for (let piece = 0; piece < count; piece++) {
    const [row, column] = [Math.floor(piece / columns), piece % columns];
    for (const axis of [0, 1]) {
      const above = 2 * (row * (columns + 1) + column) + axis;
      const below = above + 2 * (columns + 1);
      const [p00, p10, p01, p11] = [grid[above], grid[above + 2], grid[below], grid[below + 2]];
      terms.set([p00, p10 - p00, p01 - p00, p11 - p01 - (p10 - p00)], 8 * piece + 4 * axis);
      box[4 * piece + axis] = Math.min(p00, p10, p01, p11) - slack;
      box[4 * piece + axis + 2] = Math.max(p00, p10, p01, p11) + slack;
    }
    // The determinant is affine in (u, v): its least value is at a corner.
    const corner = (u, v) => area(terms, 8 * piece, u, v);
    const least = Math.min(corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
    // Two mirrored axes have a positive determinant, but no rising axis to search.
    const falls = x !== null && (x[column + 1] <= x[column] || y[row + 1] <= y[row]);
    if (falls || least * (count / 4) <= FLAT) folded[piece] = 1;
  }
  const found = { terms, box, folded, whole: !folded.includes(1), slack, bins: null };
  studied.set(warp, found);
  return found;
}

/** One coordinate of T at (u, v) of a piece: x from k = 8 * piece on, y from k + 4 on. */
function at(terms, k, u, v) {
  return terms[k] + u * terms[k + 1] + v * (terms[k + 2] + u * terms[k + 3]);
}

/** Signed area of the source that a unit of (u, v) takes up, at (u, v) of a piece. */
function area(terms, k, u, v) {
  const ux = terms[k + 1] + v * terms[k + 3];
  const vx = terms[k + 2] + u * terms[k + 3];
  const uy = terms[k + 5] + v * terms[k + 7];
  const vy = terms[k + 6] + u * terms[k + 7];
  return ux * vy - uy * vx;
}

/** The folded pieces, [row, column] each: where the determinant is not positive everywhere. */
export function folds(warp) {
  const { folded } = study(warp);
  const all = Array.from(folded, (_, piece) => piece).filter((piece) => folded[piece]);
  return all.map((piece) => [Math.floor(piece / warp.columns), piece % warp.columns]);
}

/** The piece of `count` that a coordinate lies in. */
const pieceOf = (place, count) => clamp(Math.floor(((place + 1) * count) / 2), 0, count - 1);

/** Where in its piece a coordinate lies, in [0, 1]. */
const placeIn = (piece, place, count) => ((place + 1) * count) / 2 - piece;

/** The piece that a point of the zoomed frame lies in, as k, and where in it. */
function locate({ rows, columns }, x, y) {
  const [row, column] = [pieceOf(y, rows), pieceOf(x, columns)];
  const k = 8 * (row * columns + column);
  return { k, u: placeIn(column, x, columns), v: placeIn(row, y, rows) };
}

/** For every pixel of an axis the piece that its centre lies in, and where in it. */
function cut(pixels, count) {
  const piece = new Int32Array(pixels).map((_, pixel) => pieceOf(centre(pixel, pixels), count));
  const place = new Float64Array(pixels);
  piece.forEach((each, pixel) => (place[pixel] = placeIn(each, centre(pixel, pixels), count)));
  return { piece, place };
}

/** Map a point of the zoomed frame to the source frame: [x, y], or null outside the frame. */
export function toSource(warp, x, y) {
  const edge = 1 + 16 * Number.EPSILON;
  if (!(Math.abs(x) <= edge && Math.abs(y) <= edge)) return null;
  const { terms } = study(warp);
  const { k, u, v } = locate(warp, clamp(x, -1, 1), clamp(y, -1, 1));
  return [at(terms, k, u, v), at(terms, k + 4, u, v)];
}

/** The source point of every pixel of a zoomed picture: a dense map. */
export function sourceMap(warp, rows, columns) {
  const { terms } = study(warp);
  const [down, across] = [cut(rows, warp.rows), cut(columns, warp.columns)];
  const map = new Float64Array(rows * columns * 2);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const k = 8 * (down.piece[row] * warp.columns + across.piece[column]);
      map[to++] = at(terms, k, across.place[column], down.place[row]);
      map[to++] = at(terms, k + 4, across.place[column], down.place[row]);
    }
  }
  return map;
}

// --- The warp backwards --------------------------------------------------------------------------
// A folded piece has no inverse. Python refuses a warp that has one; here such pieces are left out,
// so that a reader who folds a grid sees the hole.

/** How far, in the source frame, an answer mapped forward may miss its point. */
function tolerance(values) {
  return 16 * Number.EPSILON * values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
}

/** Undo a rising piecewise linear function of one axis; NaN where it has no such value. */
function invertAxis(nodes, value) {
  const count = nodes.length - 1;
  const slack = tolerance(nodes);
  if (!(value >= nodes[0] - slack && value <= nodes[count] + slack)) return NaN;
  let [low, high] = [0, count];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (value >= nodes[middle]) low = middle;
    else high = middle;
  }
  const local = (value - nodes[low]) / (nodes[low + 1] - nodes[low]);
  return (low + clamp(local, 0, 1)) * (2 / count) - 1;
}

/**
 * Find a point in a piece by the closed form of `inverse.py`.
 *
 * @param {Float64Array} place where (u, v), in [0, 1], is written.
 * @returns {boolean} whether T(u, v) comes back to the point.
 */
function solve(terms, k, x, y, slack, place) {
  const bx = terms[k + 1];
  const cx = terms[k + 2];
  const dx = terms[k + 3];
  const by = terms[k + 5];
  const cy = terms[k + 6];
  const dy = terms[k + 7];
  const qx = x - terms[k];
  const qy = y - terms[k + 4];
  const square = dx * cy - dy * cx;
  const linear = bx * cy - by * cx + (qx * dy - qy * dx);
  const constant = qx * by - qy * bx;
  const root = Math.sqrt(Math.max(linear * linear - 4 * square * constant, 0));
  // Of the two ways to write the same root, the one that does not subtract nearly equal numbers.
  let v = linear >= 0 ? (-2 * constant) / (linear + root) : (root - linear) / (2 * square);
  v = Number.isNaN(v) ? 0.5 : clamp(v, 0, 1);
  const sideX = bx + v * dx;
  const sideY = by + v * dy;
  const along = (qx - v * cx) * sideX + (qy - v * cy) * sideY;
  let u = clamp(along / (sideX * sideX + sideY * sideY), 0, 1);
  let missX = x - at(terms, k, u, v);
  let missY = y - at(terms, k + 4, u, v);
  const miss = Math.max(Math.abs(missX), Math.abs(missY));
  if (miss > slack && miss < 1e-4) {
    // A Newton step mends what cancellation took. What misses by more lies in another piece.
    const unit = area(terms, k, u, v);
    const step = (missX * (cy + u * dy) - missY * (cx + u * dx)) / unit;
    v = clamp(v + (sideX * missY - sideY * missX) / unit, 0, 1);
    u = clamp(u + step, 0, 1);
    missX = x - at(terms, k, u, v);
    missY = y - at(terms, k + 4, u, v);
  }
  place[0] = u;
  place[1] = v;
  return Math.abs(missX) <= slack && Math.abs(missY) <= slack;
}

/** The pieces by where they lie in the source: a list for each of rows x columns bins. */
function binsOf({ rows, columns }, { box, folded }) {
  const bins = Array.from({ length: rows * columns }, () => []);
  for (let piece = 0; piece < rows * columns; piece++) {
    if (folded[piece]) continue;
    const [left, top, right, bottom] = box.subarray(4 * piece, 4 * piece + 4);
    for (let row = pieceOf(top, rows); row <= pieceOf(bottom, rows); row++) {
      for (let column = pieceOf(left, columns); column <= pieceOf(right, columns); column++) {
        bins[row * columns + column].push(piece);
      }
    }
  }
  return bins;
}

/** Map a point of the source frame to the zoomed frame: [x, y], or null where T never comes. */
export function toZoomed(warp, x, y) {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return null;
  const found = study(warp);
  const { rows, columns } = warp;
  if (warp.x && found.whole) {
    const [zoomedX, zoomedY] = [invertAxis(warp.x, x), invertAxis(warp.y, y)];
    return Number.isNaN(zoomedX + zoomedY) ? null : [zoomedX, zoomedY];
  }
  found.bins ??= binsOf(warp, found);
  const place = new Float64Array(2);
  for (const piece of found.bins[pieceOf(y, rows) * columns + pieceOf(x, columns)]) {
    const [left, top, right, bottom] = found.box.subarray(4 * piece, 4 * piece + 4);
    if (x < left || x > right || y < top || y > bottom) continue;
    if (solve(found.terms, 8 * piece, x, y, found.slack, place)) {
      return [
        ((piece % columns) + place[0]) * (2 / columns) - 1,
        (Math.floor(piece / columns) + place[1]) * (2 / rows) - 1,
      ];
    }
  }
  return null;
}

/** The zoomed point of every pixel of the source: a dense map, NaN where there is none. */
export function zoomedMap(warp, rows, columns) {
  const { terms, box, folded, whole, slack } = study(warp);
  const map = new Float64Array(rows * columns * 2).fill(NaN);
  if (warp.x && whole) {
    const x = new Float64Array(columns).map((_, j) => invertAxis(warp.x, centre(j, columns)));
    const y = new Float64Array(rows).map((_, i) => invertAxis(warp.y, centre(i, rows)));
    for (let row = 0, to = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, to += 2) {
        if (Number.isNaN(x[column] + y[row])) continue;
        map[to] = x[column];
        map[to + 1] = y[row];
      }
    }
    return map;
  }
  // Each piece answers for the pixels in its bounding box that no other has answered for.
  const centres = new Float64Array(columns).map((_, column) => centre(column, columns));
  const place = new Float64Array(2);
  for (let piece = 0; piece < warp.rows * warp.columns; piece++) {
    if (folded[piece]) continue;
    const left = Math.max(Math.ceil(((box[4 * piece] + 1) * columns - 1) / 2), 0);
    const top = Math.max(Math.ceil(((box[4 * piece + 1] + 1) * rows - 1) / 2), 0);
    const right = Math.min(((box[4 * piece + 2] + 1) * columns - 1) / 2, columns - 1);
    const bottom = Math.min(((box[4 * piece + 3] + 1) * rows - 1) / 2, rows - 1);
    for (let row = top; row <= bottom; row++) {
      const y = centre(row, rows);
      for (let column = left; column <= right; column++) {
        const to = 2 * (row * columns + column);
        if (!Number.isNaN(map[to])) continue;
        if (!solve(terms, 8 * piece, centres[column], y, slack, place)) continue;
        map[to] = ((piece % warp.columns) + place[0]) * (2 / warp.columns) - 1;
        map[to + 1] = (Math.floor(piece / warp.columns) + place[1]) * (2 / warp.rows) - 1;
      }
    }
  }
  return map;
}

/** How much larger each place of the source is drawn, in length; NaN where it has no inverse. */
export function magnification(warp, rows, columns) {
  const { terms } = study(warp);
  const map = zoomedMap(warp, rows, columns);
  return new Float64Array(rows * columns).map((_, pixel) => {
    const [x, y] = [map[2 * pixel], map[2 * pixel + 1]];
    if (Number.isNaN(x)) return NaN;
    const { k, u, v } = locate(warp, x, y);
    return 1 / Math.sqrt((area(terms, k, u, v) * warp.rows * warp.columns) / 4);
  });
}

// --- Pictures ------------------------------------------------------------------------------------

const BLACK = [0, 0, 0];

const blank = (rows, columns) => new Uint8ClampedArray(rows * columns * 4);

/** Add to `colour` the bilinear value of a level at (x, y) in [-1, 1], times `weight`. */
function addSample(colour, level, x, y, weight) {
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
 * Where places along an axis lie in a level: the pixel before each, as an index into its data, the
 * way to the next, and how far between the two. A separable warp needs this once for each row and
 * column, not for each pixel: that is three times as fast.
 */
function tapsOf(level, axis, places) {
  const count = axis === "x" ? level.width : level.height;
  const stride = axis === "x" ? 3 : 3 * level.width;
  const cells = level.extent[axis === "x" ? 0 : 1] * count;
  const from = new Int32Array(places.length);
  const next = new Int32Array(places.length);
  const share = new Float64Array(places.length);
  places.forEach((place, index) => {
    const along = Math.min(Math.max(((place + 1) * cells - 1) / 2, 0), count - 1);
    const before = Math.floor(along);
    from[index] = before * stride;
    next[index] = before + 1 < count ? stride : 0;
    share[index] = along - before;
  });
  return { from, next, share };
}

/** Write an opaque pixel; a Uint8ClampedArray rounds by itself. */
function put(out, pixel, colour) {
  out[4 * pixel] = colour[0];
  out[4 * pixel + 1] = colour[1];
  out[4 * pixel + 2] = colour[2];
  out[4 * pixel + 3] = 255;
}

/**
 * Halve a picture again and again by 2x2 means; a side that is odd is first repeated by one pixel.
 *
 * @param {Picture} picture
 * @param {number} [top] the last level, where the picture is large enough for it.
 * @returns {Level[]} three channels each; `extent` is the part (x, y) of the level that the picture
 *     takes up.
 */
export function buildPyramid(picture, top = Infinity) {
  const levels = [levelOf(picture)];
  const last = Math.min(top, 31 - Math.clz32(Math.min(picture.width, picture.height)));
  while (levels.length <= last) levels.push(halve(levels.at(-1)));
  return levels;
}

/** A picture as floating numbers, without its alpha. */
function levelOf({ width, height, data }) {
  const level = new Float32Array(3 * width * height);
  for (let from = 0, to = 0; to < level.length; from += 4, to += 3) {
    level[to] = data[from];
    level[to + 1] = data[from + 1];
    level[to + 2] = data[from + 2];
  }
  return { width, height, extent: [1, 1], data: level };
}

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
  const kept = [(extent[0] * width) / (2 * columns), (extent[1] * height) / (2 * rows)];
  return { width: columns, height: rows, extent: kept, data: half };
}

/**
 * Zoom a picture: salient places get more of the pixels.
 *
 * @param {Level[]} levels of the pyramid of a picture.
 * @param {Warp} warp
 * @param {number} rows of the zoomed picture.
 * @param {number} columns of the zoomed picture.
 * @param {boolean} antialias whether a pixel takes, trilinearly, the two levels whose pixels are
 *     nearest in size to what it stands for; otherwise one bilinear sample of the picture.
 * @param {Uint8ClampedArray} [out] RGBA, rows * columns * 4.
 */
export function zoomPicture(levels, warp, rows, columns, antialias, out = blank(rows, columns)) {
  const { terms } = study(warp);
  const [down, across] = [cut(rows, warp.rows), cut(columns, warp.columns)];
  const { width, height } = levels[0];
  const last = antialias ? levels.length - 1 : 0;
  // From the area of a unit of (u, v) to that of a zoomed pixel, in source pixels.
  const scale = (warp.rows * warp.columns * width * height) / (4 * rows * columns);
  if (warp.x) return zoomByAxis(levels.slice(0, last + 1), warp, down, across, scale, out);
  const colour = new Float64Array(3);
  for (let row = 0, pixel = 0; row < rows; row++) {
    const v = down.place[row];
    for (let column = 0; column < columns; column++, pixel++) {
      const u = across.place[column];
      const k = 8 * (down.piece[row] * warp.columns + across.piece[column]);
      const x = at(terms, k, u, v);
      const y = at(terms, k + 4, u, v);
      const footprint = last ? scale * Math.abs(area(terms, k, u, v)) : 1;
      const level = footprint > 1 ? Math.min(Math.log2(footprint) / 2, last) : 0;
      const fine = Math.floor(level);
      const coarse = level - fine > LIFTED ? level - fine : 0;
      colour[0] = colour[1] = colour[2] = 0;
      addSample(colour, levels[fine], x, y, 1 - coarse);
      if (coarse) addSample(colour, levels[fine + 1], x, y, coarse);
      put(out, pixel, colour);
    }
  }
  return out;
}

/** The same for a separable warp: what belongs to a row or a column is worked out once. */
function zoomByAxis(levels, warp, down, across, scale, out) {
  // The level of a pixel is the sum of what its column and its row want.
  const axis = (nodes, { piece, place }, factor) => {
    const side = (index) => nodes[piece[index] + 1] - nodes[piece[index]];
    const at = place.map((part, index) => nodes[piece[index]] + part * side(index));
    return { at, level: place.map((_, index) => Math.log2(factor * Math.abs(side(index))) / 2) };
  };
  const x = axis(warp.x, across, scale);
  const y = axis(warp.y, down, 1);
  const last = levels.length - 1;
  const taps = levels.map((level) => ({
    data: level.data,
    across: tapsOf(level, "x", x.at),
    down: tapsOf(level, "y", y.at),
  }));
  const columns = x.at.length;
  const fine = new Int32Array(columns);
  const coarse = new Float64Array(columns);
  for (let row = 0; row < y.at.length; row++) {
    for (let column = 0; column < columns; column++) {
      const level = Math.min(Math.max(x.level[column] + y.level[row], 0), last);
      fine[column] = Math.floor(level);
      coarse[column] = level - fine[column] > LIFTED ? level - fine[column] : 0;
    }
    for (let start = 0, end = 0; start < columns; start = end) {
      while (end < columns && fine[end] === fine[start]) end++;
      const index = fine[start];
      readRun(out, row, columns, start, end, taps[index], taps[Math.min(index + 1, last)], coarse);
    }
  }
  return out;
}

/** Read a run of pixels of a row: bilinearly from one level, and as far as `coarse` says, a second. */
function readRun(out, row, columns, start, end, first, second, coarse) {
  const { data, across, down } = first;
  const { from, next, share } = across;
  const [top, below, v] = [down.from[row], down.next[row], down.share[row]];
  const { data: data2, across: across2, down: down2 } = second;
  const { from: from2, next: next2, share: share2 } = across2;
  const [top2, below2, v2] = [down2.from[row], down2.next[row], down2.share[row]];
  for (let column = start, to = 4 * (row * columns + start); column < end; column++, to += 4) {
    const weight = coarse[column];
    let low = (1 - weight) * v;
    let high = 1 - weight - low;
    let a = top + from[column];
    let b = a + next[column];
    let c = a + below;
    let d = b + below;
    let wB = high * share[column];
    let wA = high - wB;
    let wD = low * share[column];
    let wC = low - wD;
    let red = wA * data[a] + wB * data[b] + wC * data[c] + wD * data[d];
    let green = wA * data[a + 1] + wB * data[b + 1] + wC * data[c + 1] + wD * data[d + 1];
    let blue = wA * data[a + 2] + wB * data[b + 2] + wC * data[c + 2] + wD * data[d + 2];
    if (weight) {
      low = weight * v2;
      high = weight - low;
      a = top2 + from2[column];
      b = a + next2[column];
      c = a + below2;
      d = b + below2;
      wB = high * share2[column];
      wA = high - wB;
      wD = low * share2[column];
      wC = low - wD;
      red += wA * data2[a] + wB * data2[b] + wC * data2[c] + wD * data2[d];
      green += wA * data2[a + 1] + wB * data2[b + 1] + wC * data2[c + 1] + wD * data2[d + 1];
      blue += wA * data2[a + 2] + wB * data2[b + 2] + wC * data2[c + 2] + wD * data2[d + 2];
    }
    out[to] = red;
    out[to + 1] = green;
    out[to + 2] = blue;
    out[to + 3] = 255;
  }
}

/** Where rounding alone lifts a level by less than this, no further level is read for it. */
const LIFTED = 1e-4;

/** Read a picture bilinearly at the points of a dense map; `fill` (RGB) where there is none. */
export function samplePicture(
  picture,
  map,
  rows,
  columns,
  out = blank(rows, columns),
  fill = BLACK,
) {
  const level = levelOf(picture);
  const colour = new Float64Array(3);
  for (let pixel = 0; pixel < rows * columns; pixel++) {
    const x = map[2 * pixel];
    if (Number.isNaN(x)) {
      put(out, pixel, fill);
    } else {
      colour[0] = colour[1] = colour[2] = 0;
      addSample(colour, level, x, map[2 * pixel + 1], 1);
      put(out, pixel, colour);
    }
  }
  return out;
}

/** Unzoom a picture: read it where each source pixel went; `fill` (RGB) where none did. */
export function unzoomPicture(
  zoomed,
  warp,
  rows,
  columns,
  out = blank(rows, columns),
  fill = BLACK,
) {
  if (!warp.x || !study(warp).whole) {
    return samplePicture(zoomed, zoomedMap(warp, rows, columns), rows, columns, out, fill);
  }
  const level = levelOf(zoomed);
  const inverse = (nodes, count) =>
    new Float64Array(count).map((_, index) => invertAxis(nodes, centre(index, count)));
  const [x, y] = [inverse(warp.x, columns), inverse(warp.y, rows)];
  const taps = { data: level.data, across: tapsOf(level, "x", x), down: tapsOf(level, "y", y) };
  const none = new Float64Array(columns);
  // What the warp crops lies at the ends of an axis.
  const start = x.findIndex((place) => !Number.isNaN(place));
  const end = columns - [...x].reverse().findIndex((place) => !Number.isNaN(place));
  for (let row = 0; row < rows; row++) {
    const seen = start >= 0 && !Number.isNaN(y[row]);
    const [left, right] = seen ? [start, end] : [columns, columns];
    for (let column = 0; column < left; column++) put(out, row * columns + column, fill);
    for (let column = right; column < columns; column++) put(out, row * columns + column, fill);
    if (seen) readRun(out, row, columns, left, right, taps, taps, none);
  }
  return out;
}
