/**
 * Runs the loop of the page on film over frames, for `test_live_page.py`.
 *
 * node video_loop.mjs FOLDER-OF-THE-FRONT-END < request.json > results.json
 *
 * @import { Edges, LoopSettings } from "../../lzu_viz/widgets/front/types.d.ts"
 *
 * @typedef {object} Request
 * @property {Edges[][]} frames boxes that are found in the zoomed frame of each frame.
 * @property {LoopSettings} loop
 * @property {number} patience
 */
import { readFileSync } from "node:fs";
import { load } from "./load.mjs";

const { VideoLoop, detectionsToSource, warpForBoxes } = await load("video_loop.js");

/** @type {Request} */
const { frames, loop, patience } = JSON.parse(readFileSync(0, "utf8"));
const state = new VideoLoop();
const results = frames.map((found) => {
  const { expected } = state;
  const warp = warpForBoxes(expected, loop);
  const zoomed = found.map((box) => ({ box, label: 0, score: 1 }));
  const boxes = detectionsToSource(zoomed, warp).map(({ box }) => box);
  state.update(boxes, patience);
  const axes = warp.axes && { x: Array.from(warp.axes.x), y: Array.from(warp.axes.y) };
  return { expected, axes, boxes };
});
process.stdout.write(JSON.stringify(results));
