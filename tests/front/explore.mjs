/**
 * Computes the explorer's results as a page does, with its networks, for `test_page_networks.py`.
 *
 * node explore.mjs FOLDER-OF-THE-FRONT-END < request.json > results.json
 *
 * @import { NetworkEntry, PagePrediction, State } from "../../lzu_viz/widgets/front/types.d.ts"
 *
 * @typedef {object} Request
 * @property {string} folder with the files of the networks.
 * @property {Record<string, NetworkEntry>} networks
 * @property {{width: number, height: number, data: string}} picture RGBA as base64.
 * @property {?{box: [number, number, number, number], mask: string}} truth
 * @property {State[]} states
 * @property {string[]} views
 * @property {number[]} cells whose features are read, and
 * @property {number[]} weights theirs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "./load.mjs";
import { pathToFileURL } from "node:url";

const { PageExplorer } = await load("explore.js");
const { buildMipmap } = await load("mipmap.js");

/** @type {Request} */
const request = JSON.parse(readFileSync(0, "utf8"));
const read = (/** @type {string} */ name) => readFileSync(join(request.folder, name));
const runtime = await import(pathToFileURL(join(request.folder, "ort.wasm.bundle.min.mjs")).href);
runtime.env.wasm.numThreads = 1;
runtime.env.wasm.wasmBinary = read("ort-wasm-simd-threaded.wasm");
/** @type {Record<string, any>} */
const sessions = {};
for (const name of Object.keys(request.networks))
  sessions[name] = await runtime.InferenceSession.create(new Uint8Array(read(`${name}.onnx`)), {
    executionProviders: ["wasm"],
  });

/** @type {import("../../lzu_viz/widgets/front/explore.js").Run} */
const run = async (name, image, { rows, columns }, outputs) => {
  const input = new runtime.Tensor("float32", image, [1, 3, rows, columns]);
  const results = await sessions[name].run({ image: input }, outputs);
  return Object.fromEntries(
    outputs.map((output) => {
      const { dims, data } = results[output];
      return [output, { channels: dims[1], rows: dims[2], columns: dims[3], data }];
    }),
  );
};

const bytes = (/** @type {string} */ text) => new Uint8Array(Buffer.from(text, "base64"));
const { width, height, data } = request.picture;
const picture = { width, height, data: new Uint8ClampedArray(bytes(data)) };
const truth = request.truth && { box: request.truth.box, mask: bytes(request.truth.mask) };
const explorer = new PageExplorer({ mipmap: buildMipmap(picture), truth }, request.networks, run);

/** @param {PagePrediction} prediction */
const plain = ({ mask, ...prediction }) => ({
  ...prediction,
  mask: mask && { ...mask, cells: Buffer.from(mask.cells).toString("base64") },
});

const results = [];
for (const state of request.states) {
  const start = performance.now();
  try {
    const result = await explorer.explore(state, request.views);
    const maps = Object.fromEntries(
      Object.entries(result.maps).map(([name, { data: values, ...map }]) => [
        name,
        { ...map, data: Buffer.from(/** @type {Uint8Array} */ (values)).toString("base64") },
      ]),
    );
    const scores = await explorer.scores(state);
    const cells = await explorer.cellValues(state, request.cells, request.weights);
    const [uniform, zoom] = [plain(result.uniform), plain(result.zoom)];
    const { summary, lines } = result;
    results.push({
      summary,
      lines,
      uniform,
      zoom,
      maps,
      scores,
      cells,
      ms: performance.now() - start,
    });
  } catch (error) {
    results.push({ error: String(error) });
  }
}
process.stdout.write(JSON.stringify(results));
