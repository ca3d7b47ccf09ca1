/**
 * Runs states through the page's mathematics for `test_front.py`.
 *
 * node driver.mjs MODULE < states.json > answers.json
 *
 * Numbers that JSON does not know come as text ("NaN"). Arrays go back as base64 of their bytes.
 */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const front = await import(pathToFileURL(process.argv[2]));

const bytes = (array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");

const points = (found) => bytes(Float64Array.from(found.flatMap((each) => each ?? [NaN, NaN])));

const LOOKS = {
  foveas: (size, { foveas, strength }) => front.fromFoveas(size, foveas, strength),
  boxes: (size, { boxes, amplitude, spread }) => front.fromBoxes(size, boxes, amplitude, spread),
  pixels: (size, { boxes, amplitude, bandwidth, frame }) =>
    front.fromBoxesInPixels(size, boxes, amplitude, bandwidth, frame),
  mix: (size, { looks, weights }) =>
    front.mix(
      looks.map((look) => LOOKS[look.kind](size, look)),
      weights,
    ),
};

function run(state) {
  const answer = {};
  let warp;
  if (state.grid) {
    warp = front.warpFromGrid(state.rows, state.columns, state.grid);
  } else {
    const cells = LOOKS[state.look.kind](state.size, state.look);
    answer.saliency = bytes(cells);
    warp = front.morph(front.makeWarp({ ...state.size, cells }, state), state.morph);
  }
  answer.grid = bytes(warp.grid);
  answer.axes = bytes(Float64Array.of(...(warp.x ?? []), ...(warp.y ?? [])));
  answer.folds = bytes(Float64Array.from(front.folds(warp).flat()));

  const places = state.points.map((point) => point.map(Number));
  answer.to_source = points(places.map(([x, y]) => front.toSource(warp, x, y)));
  answer.to_zoomed = points(places.map(([x, y]) => front.toZoomed(warp, x, y)));

  const [rows, columns] = state.size_of_maps;
  answer.source_map = bytes(front.sourceMap(warp, rows, columns));
  answer.zoomed_map = bytes(front.zoomedMap(warp, rows, columns));
  answer.magnification = bytes(front.magnification(warp, rows, columns));

  const data = new Uint8ClampedArray(Buffer.from(state.picture.data, "base64"));
  const picture = { ...state.picture, data };
  const levels = front.buildPyramid(picture);
  answer.zoomed = bytes(front.zoomPicture(levels, warp, ...state.zoomed_size, state.antialias));
  const out = new Uint8ClampedArray(rows * columns * 4);
  answer.unzoomed = bytes(front.unzoomPicture(picture, warp, rows, columns, out, state.fill));
  return answer;
}

const states = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(states.map(run)));
