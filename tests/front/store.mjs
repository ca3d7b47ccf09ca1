/**
 * Tests of how states are sent to the kernel: one at a time, the newest first, and a lost result
 * does not block the next message.
 *
 * node store.mjs FOLDER-OF-THE-FRONT-END
 *
 * @import { State, Traits } from "../../lzu_viz/widgets/front/types.d.ts"
 */
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const { ExplorerStore } = await load("store.js");

/** @type {(() => void)[]} */
const timers = [];
globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ act) => timers.push(act));
const fireTimers = () => timers.splice(0).forEach((act) => act());

const START = /** @type {State} */ ({ saliency_kind: "foveas", pieces: 1 });

class FakeModel {
  constructor() {
    this.values = /** @type {Traits} */ ({ _state: START, _result: {} });
    /** @type {Record<string, (() => void)[]>} */
    this.listeners = {};
    /** @type {(keyof Traits)[]} */
    this.changed = [];
    /** @type {any[]} the values that were sent. */
    this.sent = [];
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @returns {Traits[Name]}
   */
  get(name) {
    return this.values[name];
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  set(name, value) {
    this.values[name] = value;
    this.changed.push(name);
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }

  /**
   * @param {string} event
   * @param {() => void} listener
   */
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  save_changes() {
    this.sent.push(this.values[this.changed[this.changed.length - 1]]);
  }

  /**
   * Send an empty result for a message, as the kernel does.
   *
   * @param {number} index of the message.
   * @param {object} [result] with the time that the kernel took; from a page there is none.
   */
  reply(index, result = { took_ms: 0 }) {
    this.set("_result", { ...result, serial: this.sent[index].serial });
  }

  get pieces() {
    return this.sent.map(({ pieces }) => pieces);
  }
}

/** @param {number} pieces */
const stateOf = (pieces) => ({ ...START, pieces });

const makeStore = () => {
  const model = new FakeModel();
  return { model, store: new ExplorerStore(model) };
};

// While the kernel computes, only the newest state waits.
{
  const { model, store } = makeStore();
  for (const pieces of [2, 3, 4, 5]) store.change({ pieces });
  assert.deepEqual(model.pieces, [2]);
  model.reply(0);
  assert.deepEqual(model.pieces, [2, 5]);
  model.reply(1);
  assert.deepEqual(model.pieces, [2, 5]);
  assert.ok(store.isSettled());
}

// After a timeout a message counts as lost, a state and a photo alike.
for (const sendFirst of [
  (/** @type {InstanceType<typeof ExplorerStore>} */ store) => store.send("_state", stateOf(2)),
  (/** @type {InstanceType<typeof ExplorerStore>} */ store) => store.send("_upload", { width: 1 }),
]) {
  const { model, store } = makeStore();
  sendFirst(store);
  store.change({ pieces: 7 });
  assert.equal(model.sent.length, 1);
  fireTimers();
  store.change({ pieces: 8 });
  assert.equal(model.sent.length, 2);
  assert.equal(model.pieces[1], 8);
}

// A result that comes after the timeout still lets the newest state be sent.
{
  const { model, store } = makeStore();
  store.change({ pieces: 2 });
  store.change({ pieces: 3 });
  fireTimers();
  model.reply(0);
  assert.deepEqual(model.pieces, [2, 3]);
}

// A photo that is sent in the meantime does not count as the state that still has to be sent.
{
  const { model, store } = makeStore();
  store.change({ pieces: 2 });
  store.change({ pieces: 3 });
  store.send("_upload", { width: 1 });
  model.reply(0);
  assert.equal(model.sent.length, 2);
  model.reply(1);
  assert.equal(model.pieces[2], 3);
}

// The uniform prediction is current until something changes on which it depends.
{
  const { model, store } = makeStore();
  model.set("_result", { state: store.state, serial: null });
  store.change({ pieces: 2 });
  assert.ok(store.isUniformCurrent() && !store.isResultCurrent());
  store.change({ input_size: 64 });
  assert.ok(!store.isUniformCurrent());
}

// There are no pauses between results of networks in the page.
{
  const { model, store } = makeStore();
  store.change({ pieces: 2 }, false);
  store.change({ pieces: 3 }, false);
  model.reply(0, {});
  assert.deepEqual(model.pieces, [2, 3]);
}

// During a gesture the kernel pauses between results; the end of the gesture is sent at once.
{
  const { model, store } = makeStore();
  store.change({ pieces: 2 }, false);
  model.reply(0);
  store.change({ pieces: 3 }, false);
  store.change({ pieces: 4 }, false);
  assert.deepEqual(model.pieces, [2]);
  store.change({ pieces: 5 });
  assert.deepEqual(model.pieces, [2, 5]);
  model.reply(1);
  store.change({ pieces: 6 }, false);
  assert.deepEqual(model.pieces, [2, 5]);
  store.pauseUntil = 0; // the pointer rests until the pause is over
  fireTimers();
  assert.deepEqual(model.pieces, [2, 5, 6]);
}

// A state from another page is adopted, whatever its serial; the echo of our own is not.
{
  const { model, store } = makeStore();
  store.change({ pieces: 2 });
  model.set("_state", { ...stateOf(2), serial: model.sent[0].serial });
  assert.equal(store.undoStack.length, 1);
  model.set("_state", { ...stateOf(6), serial: "other 1" });
  assert.equal(store.state.pieces, 6);
}

// A state that Python sets is adopted, is not sent back, and can be undone.
{
  const { model, store } = makeStore();
  model.set("_state", stateOf(9));
  model.set("_result", { serial: null });
  assert.equal(store.state.pieces, 9);
  assert.equal(model.sent.length, 0);
  store.undo();
  assert.equal(store.state.pieces, 1);
  assert.deepEqual(model.pieces, [1]);
}
