/**
 * Tests of how the player asks for frames, plays those that are there, and waits for the others;
 * and of the places of labels and of the timeline.
 *
 * node film_store.mjs FOLDER-OF-THE-FRONT-END
 *
 * @import { FilmMessage, PlayerTraits } from "../../lzu_viz/widgets/front/types.d.ts"
 */
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const { FilmStore } = await load("film_store.js");
const { drawLabels } = await load("paint.js");
const { frameAt, placeOf } = await load("timeline.js");

let now = 0;
performance.now = () => now;
let openImages = 0;
globalThis.createImageBitmap = /** @type {any} */ (
  async () => {
    openImages += 1;
    return {
      close: () => {
        openImages -= 1;
      },
    };
  }
);
/** Let pictures be decoded. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const COUNT = 100;

class FakeModel {
  constructor() {
    this.values = /** @type {PlayerTraits} */ ({
      frame: 0,
      _film: {
        count: COUNT,
        rows: 3,
        columns: 4,
        rate: 10,
        ahead: 60,
        input: [3, 4],
        system: "FOVEA",
      },
    });
    /** @type {Record<string, ((...values: any[]) => void)[]>} */
    this.listeners = {};
    /** @type {PlayerTraits["_request"][]} */
    this.sent = [];
  }

  /**
   * @template {keyof PlayerTraits} Name
   * @param {Name} name
   * @returns {PlayerTraits[Name]}
   */
  get(name) {
    return this.values[name];
  }

  /**
   * @template {keyof PlayerTraits} Name
   * @param {Name} name
   * @param {PlayerTraits[Name]} value
   */
  set(name, value) {
    const isNew = this.values[name] !== value;
    this.values[name] = value;
    if (isNew) for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }

  /**
   * @param {string} event
   * @param {(...values: any[]) => void} listener
   */
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  save_changes() {
    this.sent.push(this.values._request);
  }

  /** @param {FilmMessage} message */
  send(message) {
    const pictures = message.kind === "frame" ? (message.zoom ? 3 : 2) : 0;
    const buffers = Array.from({ length: pictures }, () => new Uint8Array(10));
    for (const listener of this.listeners["msg:custom"]) listener(message, buffers);
  }

  /** @param {number[]} indices */
  async answer(...indices) {
    for (const index of indices) {
      const zoom = { boxes: [], expected: [], x: [-1, 1], y: [-1, 1] };
      this.send({ kind: "frame", index, uniform: { boxes: [] }, zoom });
    }
    await settle();
  }

  get last() {
    return this.sent[this.sent.length - 1];
  }
}

const view = { schedule() {} };
const make = () => {
  now = 0;
  const model = new FakeModel();
  const store = new FilmStore(model);
  store.add(view);
  return { model, store };
};
/**
 * @param {number} from
 * @param {number} to
 */
const range = (from, to) => Array.from({ length: to - from }, (_, k) => from + k);

// The first view asks for the first frames; more are asked for when half of them have come.
{
  const { model } = make();
  assert.deepEqual(model.last.wanted, range(0, 25));
  await model.answer(...range(0, 12));
  assert.equal(model.sent.length, 1);
  await model.answer(12, 13);
  assert.ok(model.sent.length > 1);
  assert.deepEqual(model.last.wanted, range(14, 25));
}

// Playing shows frames when they are due; it does not wait without need, and not show too early.
{
  const { model, store } = make();
  await model.answer(...range(0, 4));
  assert.ok(!store.isPlaying);
  store.play();
  store.tick(90);
  assert.equal(store.index, 0);
  for (const [time, index] of [
    [100, 1],
    [150, 1],
    [201, 2],
    [300, 3],
  ]) {
    now = time;
    store.tick(now);
    assert.equal(store.index, index);
  }
  // The next one is not there: it waits, and goes on at the film's speed when it comes.
  now = 3000;
  store.tick(now);
  assert.equal(store.index, 3);
  assert.ok(store.isWaiting());
  await model.answer(4, 5, 6, 7);
  store.tick(now);
  store.tick(now);
  assert.equal(store.index, 4);
  now = 3099;
  store.tick(now);
  assert.equal(store.index, 4);
  now = 3101;
  store.tick(now);
  assert.equal(store.index, 5);
  store.pause();
  now = 9000;
  store.tick(now);
  assert.equal(store.index, 5);
  assert.equal(model.get("frame"), 5);
}

// The speed can be changed; at the end of the film it pauses, and starts again from there.
{
  const { model, store } = make();
  store.scrub(COUNT - 3);
  await model.answer(...range(COUNT - 3, COUNT));
  store.setSpeed(2);
  store.play();
  now = 50;
  store.tick(now);
  assert.equal(store.index, COUNT - 2);
  now = 101;
  store.tick(now);
  assert.equal(store.index, COUNT - 1);
  assert.ok(!store.isPlaying);
  store.play();
  assert.equal(store.index, 0);
  assert.ok(store.isPlaying);
}

// A frame that is shown without the zoom is asked for again, and the answer replaces it.
{
  const { model, store } = make();
  store.scrub(50);
  assert.equal(model.last.seen, false);
  model.send({ kind: "frame", index: 50, uniform: { boxes: [] }, zoom: null });
  await settle();
  assert.ok(store.current && store.isWaiting());
  store.ask(true);
  assert.equal(model.last.seen, true);
  assert.ok(model.last.wanted.includes(50));
  await model.answer(50);
  assert.ok(store.isReady(50) && !store.isWaiting());
  // A preview that comes late changes nothing.
  model.send({ kind: "frame", index: 50, uniform: null, zoom: null });
  await settle();
  assert.ok(store.isReady(50));
}

// A frame that Python sets is shown; the page's own comes back without effect.
{
  const { model, store } = make();
  model.set("frame", 7);
  assert.equal(store.index, 7);
  const { length } = model.sent;
  model.set("frame", 7);
  assert.equal(model.sent.length, length);
}

// Only pictures near the shown frame stay decoded, whatever the order.
{
  const { model, store } = make();
  openImages = 0;
  await model.answer(...range(0, 60));
  store.scrub(30);
  await settle();
  assert.ok(store.isReady(30));
  assert.ok(!store.isReady(0));
  assert.equal(openImages, 3 * 9);
  store.scrub(0);
  await settle();
  assert.ok(store.isReady(0));
}

// After an error the film plays up to it, and nothing behind it is asked for.
{
  const { model, store } = make();
  await model.answer(0, 1, 2);
  model.send({ kind: "error", index: 3, text: "damaged" });
  store.play();
  now = 100;
  store.tick(now);
  now = 205;
  store.tick(now);
  assert.equal(store.index, 2);
  assert.ok(!store.isPlaying && !store.isWaiting());
  store.ask(true);
  assert.deepEqual(model.last.wanted, []);
  // An answer shows that the error is over.
  await model.answer(3);
  assert.equal(store.error, null);
}

// Numbers of detections come in pieces, or once more from the start.
{
  const { model, store } = make();
  model.send({ kind: "progress", start: 0, uniform: [1, 2], zoom: [3, 4] });
  model.send({ kind: "progress", start: 2, uniform: [5], zoom: [6] });
  model.send({ kind: "progress", start: 9, uniform: [7], zoom: [7] }); // after a gap
  assert.deepEqual(store.counts, { uniform: [1, 2, 5], zoom: [3, 4, 6] });
  model.send({ kind: "progress", start: 0, uniform: [1, 2, 5, 8], zoom: [3, 4, 6, 9] });
  assert.equal(store.known, 4);
}

// A kernel that is silent is asked again, and at last reported; without a view nothing is asked.
{
  const { model, store } = make();
  now = 5001;
  store.askAgain();
  assert.equal(model.sent.length, 2);
  assert.ok(!store.isSilent());
  now = 12_001;
  assert.ok(store.isSilent());
  await model.answer(0);
  assert.ok(!store.isSilent());
  store.remove(view);
  assert.ok(model.last.closed);
  const { length } = model.sent;
  store.scrub(9);
  assert.equal(model.sent.length, length);
}

// The timeline's places and frames are inverse to each other.
for (const count of [1, 2, 300]) {
  for (const index of [0, count >> 1, count - 1])
    assert.equal(frameAt(placeOf(index, count, 500, 8), count, 500, 8), index);
}
assert.equal(frameAt(-50, 10, 500, 8), 0);
assert.equal(frameAt(900, 10, 500, 8), 9);

// Labels cover neither each other nor another box, if there is room.
{
  /** @type {number[][]} */
  const tags = [];
  const context = /** @type {any} */ ({
    canvas: { width: 400, height: 300 },
    measureText: (/** @type {string} */ text) => ({ width: 7 * text.length }),
    fillRect: (/** @type {number[]} */ ...area) => tags.push(area),
    fillText() {},
  });
  const frame = { left: 0, top: 0, width: 400, height: 300 };
  const boxes = /** @type {[[number, number, number, number], string][]} */ ([
    [[-0.1, -0.1, 0.0, 0.2], "person 0.91"],
    [[0.02, -0.1, 0.12, 0.2], "person 0.80"],
    [[0.14, -0.1, 0.24, 0.2], "person 0.70"],
  ]);
  drawLabels(context, frame, boxes, "#000000", 1, "white");
  assert.equal(tags.length, 3);
  tags.forEach(([x, y, width, height], k) => {
    for (const [otherX, otherY, otherWidth, otherHeight] of tags.slice(0, k)) {
      const isApart =
        x >= otherX + otherWidth ||
        otherX >= x + width ||
        y >= otherY + otherHeight ||
        otherY >= y + height;
      assert.ok(isApart);
    }
  });
}
