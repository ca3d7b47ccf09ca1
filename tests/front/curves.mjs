/**
 * Tests of the curves along sliders, and of transitions between states.
 *
 * node curves.mjs FOLDER-OF-THE-FRONT-END
 *
 * @import { State } from "../../lzu_viz/widgets/front/types.d.ts"
 */
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const { coarseToFine, describe, valuesOf } = await load("curves.js");
const { between } = await load("store.js");

// All values where they are few; otherwise evenly spaced ones, on the steps of the slider.
assert.deepEqual(valuesOf({ low: 2, high: 5, step: 1 }), [2, 3, 4, 5]);
for (const range of [
  { low: 0, high: 98, step: 1 },
  { low: 96, high: 512, step: 32 },
  { low: -1, high: 1, step: 0.01 },
]) {
  const values = valuesOf(range);
  assert.ok(values.length <= 17);
  assert.equal(values[0], range.low);
  assert.equal(values.at(-1), range.high);
  for (const value of values) {
    const steps = (value - range.low) / range.step;
    assert.ok(Math.abs(steps - Math.round(steps)) < 1e-9);
  }
}

// Every point once, the ends first.
for (const count of [2, 4, 14, 17]) {
  const order = coarseToFine(count);
  assert.deepEqual(order.slice(0, 2), [0, count - 1]);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    [...Array(count).keys()],
  );
}

// A curve in words leaves out what is not known and what is invalid.
const scores = [undefined, null, { uniform: 0.1, zoom: 0.3 }, { uniform: 0.1, zoom: 0.8 }];
assert.equal(
  describe({ key: "", values: [2, 3, 4, 5], scores }, " px"),
  "IoU along this slider: highest 0.80 at 5 px, lowest 0.30 at 4 px",
);
assert.equal(describe({ key: "", values: [2], scores: [undefined] }, ""), "");

// A transition moves foveas, and takes all that cannot be between from its end.
const start = /** @type {State} */ ({
  strength: 0,
  fwhm: 20,
  morph: 1,
  network: "segmenter",
  foveas: [{ x: -1, y: 0, width: 6 }],
});
const end = /** @type {State} */ ({
  ...start,
  strength: 75,
  network: "detector",
  foveas: [{ x: 1, y: 0.5, width: 9 }],
});
assert.deepEqual(between(start, end, 0.5), {
  ...end,
  strength: 38,
  foveas: [{ x: 0, y: 0.25, width: 8 }],
});
assert.deepEqual(between(start, end, 1), end);
const two = { ...end, foveas: [...end.foveas, ...end.foveas] };
assert.deepEqual(between(start, two, 0).foveas, two.foveas);
