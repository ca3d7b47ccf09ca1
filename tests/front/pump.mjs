// The way of states to the kernel: one at a time, the newest wins, a lost answer blocks nothing.
//
// node pump.mjs FOLDER-OF-THE-FRONT-END
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const { Shared } = await import(`${pathToFileURL(process.argv[2])}/shared.js`);

const due = [];
globalThis.setTimeout = (act) => due.push(act);
const letTimePass = () => due.splice(0).forEach((act) => act());

class Model {
  constructor() {
    this.values = { _state: { pieces: 1, foveas: [] }, _answer: {}, _photo: null };
    this.listeners = {};
    this.sent = [];
  }
  get(name) {
    return this.values[name];
  }
  set(name, value) {
    this.values[name] = value;
    this.last = [name, value];
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }
  save_changes() {
    this.sent.push(this.last);
  }
  answer(serial) {
    this.set("_answer", { serial });
  }
  get pieces() {
    return this.sent.map(([, value]) => value.pieces);
  }
}

const serialOf = (model, k) => model.sent[k][1].serial;

{
  // While one state is with the kernel only the newest waits.
  const model = new Model();
  const shared = new Shared(model);
  for (const pieces of [2, 3, 4, 5]) shared.change({ pieces });
  assert.deepEqual(model.pieces, [2]);
  model.answer(serialOf(model, 0));
  assert.deepEqual(model.pieces, [2, 5]);
  model.answer(serialOf(model, 1));
  assert.deepEqual(model.pieces, [2, 5]);
}

{
  // A lost answer is given up, for a state and for a photo alike.
  for (const [name, value] of [
    ["_state", { pieces: 2 }],
    ["_upload", { file: 0 }],
  ]) {
    const model = new Model();
    const shared = new Shared(model);
    shared.send(name, value);
    shared.change({ pieces: 7 });
    assert.equal(model.sent.length, 1);
    letTimePass();
    shared.change({ pieces: 8 });
    assert.equal(model.sent.length, 2);
    assert.equal(model.pieces[1], 8);
  }
}

{
  // An answer that comes after it was given up still lets the newest state through.
  const model = new Model();
  const shared = new Shared(model);
  shared.change({ pieces: 2 });
  shared.change({ pieces: 3 });
  letTimePass();
  model.answer(serialOf(model, 0));
  assert.deepEqual(model.pieces, [2, 3]);
}

{
  // A photo that is sent meanwhile does not pass for the state that was still to be told.
  const model = new Model();
  const shared = new Shared(model);
  shared.change({ pieces: 2 });
  shared.change({ pieces: 3 });
  shared.send("_upload", { file: 0 });
  model.answer(serialOf(model, 0));
  assert.equal(model.sent.length, 2);
  model.answer(serialOf(model, 1));
  assert.equal(model.pieces[2], 3);
}

{
  // While the hand moves the kernel rests between answers; as soon as it lets go, it is told.
  const model = new Model();
  const shared = new Shared(model);
  shared.change({ pieces: 2 }, false);
  model.answer(serialOf(model, 0));
  shared.change({ pieces: 3 }, false);
  shared.change({ pieces: 4 }, false);
  assert.deepEqual(model.pieces, [2]);
  shared.change({ pieces: 5 });
  assert.deepEqual(model.pieces, [2, 5]);
  model.answer(serialOf(model, 1));
  shared.change({ pieces: 6 }, false);
  assert.deepEqual(model.pieces, [2, 5]);
  shared.restUntil = 0; // the hand holds still until the rest is over
  letTimePass();
  assert.deepEqual(model.pieces, [2, 5, 6]);
}

{
  // What another page says is taken, even if it has sent as many messages; one's own echo is not.
  const model = new Model();
  const shared = new Shared(model);
  shared.change({ pieces: 2 });
  model.set("_state", { pieces: 2, foveas: [], serial: serialOf(model, 0) });
  assert.equal(shared.past.length, 1);
  model.set("_state", { pieces: 6, foveas: [], serial: "other 1" });
  assert.equal(shared.state.pieces, 6);
}

{
  // A state that Python sets is taken, is not sent back, and can be undone.
  const model = new Model();
  const shared = new Shared(model);
  model.set("_state", { pieces: 9, foveas: [] });
  model.answer(null);
  assert.equal(shared.state.pieces, 9);
  assert.equal(model.sent.length, 0);
  shared.undo();
  assert.equal(shared.state.pieces, 1);
  assert.deepEqual(model.pieces, [1]);
}
