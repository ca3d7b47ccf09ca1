/**
 * Evaluates the page's mathematics for `test_front.py`.
 *
 * node driver.mjs FOLDER-OF-THE-FRONT-END < states.json > results.json
 *
 * Numbers that JSON lacks are written as text ("NaN"). Arrays are returned as base64 of their bytes.
 *
 * @import { Edges, Point, Rgb, Size, Warp } from "../../lzu_viz/widgets/front/types.d.ts"
 * @import { Fovea } from "../../lzu_viz/widgets/front/saliency.js"
 *
 * @typedef {{kind: "foveas", foveas: Fovea[], strength: number}} FromFoveas
 * @typedef {{kind: "boxes", boxes: Edges[], amplitude: number, spread: number}} FromBoxes
 * @typedef {{kind: "pixels", boxes: Edges[], amplitude: number, bandwidth: number,
 *     frame: [number, number]}} FromPixels
 * @typedef {{kind: "mix", maps: Recipe[], weights?: number[]}} FromMix
 * @typedef {FromFoveas | FromBoxes | FromPixels | FromMix} Recipe of a saliency map.
 *
 * @typedef {object} Case
 * @property {number} rows
 * @property {number} columns
 * @property {number[]} [grid] of the warp; if missing, these fields of an attraction define it:
 * @property {Recipe} saliency
 * @property {Size} size
 * @property {[number, number]} fwhm
 * @property {boolean} separable
 * @property {boolean} antiCrop
 * @property {number} morph
 * @property {[string | number, string | number][]} points
 * @property {[number, number]} size_of_maps
 * @property {[number, number]} zoomed_size
 * @property {boolean} antialias
 * @property {Rgb} fill
 * @property {{width: number, height: number, data: string}} picture
 */
import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const saliency = await load("saliency.js");
const { makeWarp } = await load("attraction.js");
const { folds, morph, sourceMap, toSource, warpFromGrid } = await load("warp.js");
const { magnification, toZoomed, zoomedMap } = await load("inverse.js");
const { buildMipmap } = await load("mipmap.js");
const { unzoomPicture, zoomPicture } = await load("resampling.js");

/** @param {Float64Array | Float32Array | Uint8ClampedArray<ArrayBuffer>} array */
const bytes = (array) =>
  Buffer.from(
    /** @type {ArrayBuffer} */ (array.buffer),
    array.byteOffset,
    array.byteLength,
  ).toString("base64");

/** @param {(?Point)[]} mapped */
const points = (mapped) => bytes(Float64Array.from(mapped.flatMap((point) => point ?? [NaN, NaN])));

/**
 * @param {Size} size
 * @param {Recipe} recipe
 * @returns {Float64Array}
 */
function saliencyOf(size, recipe) {
  if (recipe.kind === "foveas") return saliency.fromFoveas(size, recipe.foveas, recipe.strength);
  if (recipe.kind === "mix") {
    const maps = recipe.maps.map((part) => saliencyOf(size, part));
    return saliency.mix(maps, recipe.weights);
  }
  const { boxes, amplitude } = recipe;
  if (recipe.kind === "boxes") return saliency.fromBoxes(size, boxes, amplitude, recipe.spread);
  return saliency.fromBoxesInPixels(size, boxes, amplitude, recipe.bandwidth, recipe.frame);
}

/** @param {Case} state */
function run(state) {
  /** @type {Record<string, string>} */
  const result = {};
  /** @type {Warp} */
  let warp;
  if (state.grid) {
    warp = warpFromGrid(state.rows, state.columns, state.grid);
  } else {
    const cells = saliencyOf(state.size, state.saliency);
    result.saliency = bytes(cells);
    warp = morph(makeWarp({ ...state.size, cells }, state), state.morph);
  }
  result.grid = bytes(warp.grid);
  result.axes = bytes(Float64Array.of(...(warp.axes?.x ?? []), ...(warp.axes?.y ?? [])));
  result.folds = bytes(Float64Array.from(folds(warp).flat()));

  const places = state.points.map(([x, y]) => [Number(x), Number(y)]);
  result.to_source = points(places.map(([x, y]) => toSource(warp, x, y)));
  result.to_zoomed = points(places.map(([x, y]) => toZoomed(warp, x, y)));

  const [rows, columns] = state.size_of_maps;
  result.source_map = bytes(sourceMap(warp, rows, columns));
  result.zoomed_map = bytes(zoomedMap(warp, rows, columns));
  result.magnification = bytes(magnification(warp, rows, columns));

  const data = new Uint8ClampedArray(Buffer.from(state.picture.data, "base64"));
  const picture = { ...state.picture, data };
  const levels = buildMipmap(picture);
  result.zoomed = bytes(zoomPicture(levels, warp, ...state.zoomed_size, state.antialias));
  const out = new Uint8ClampedArray(rows * columns * 4);
  result.unzoomed = bytes(unzoomPicture(picture, warp, rows, columns, out, state.fill));
  return result;
}

const states = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(states.map(run)));
