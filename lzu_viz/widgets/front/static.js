/**
 * The explorer in a page of its own, with no kernel: a model that holds what Python wrote into the
 * page, and answers from the states that were prepared. Any other state is drawn without an answer.
 */

class PreparedModel {
  constructor({ values, prepared }) {
    this.values = values;
    this.prepared = prepared;
    this.values._answer = { ...prepared[0].answer, serial: 0 };
    this.listeners = {};
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }

  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  off() {}

  /** Where a kernel would hear of the state: answer if it is one of those prepared. */
  save_changes() {
    const { serial, ...state } = this.values._state;
    const found = this.prepared.find((each) => equal(each.state, state));
    const answer = found ? found.answer : { lines: NO_PYTHON, state: null };
    this.set("_answer", { ...answer, serial });
    for (const each of choices.children)
      each.setAttribute("aria-pressed", each.textContent === found?.title);
  }
}

const NO_PYTHON = [
  "No Python here: the picture follows the hand, but networks answer for the prepared states only.",
  "Saliency from edges or from a network, too, is known for these only.",
];

function equal(first, second) {
  if (Object(first) !== first || Object(second) !== second) return first === second;
  const keys = Object.keys(first);
  return (
    keys.length === Object.keys(second).length &&
    keys.every((key) => equal(first[key], second[key]))
  );
}

/** Bytes are written as {"bytes": base64}. */
function revive(_, value) {
  if (typeof value?.bytes !== "string") return value;
  return Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
}

const data = JSON.parse(document.getElementById("lzu-data").textContent, revive);
const model = new PreparedModel(data);
const choices = document.getElementById("lzu-prepared");
for (const { title, state } of model.prepared) {
  const choice = document.createElement("button");
  choice.type = "button";
  choice.textContent = title;
  choice.addEventListener("click", () => {
    model.set("_state", { ...state, serial: `prepared ${title}` });
    model.save_changes();
  });
  choices.append(choice);
}
choices.firstChild.setAttribute("aria-pressed", true);
widget.initialize({ model });
widget.render({ model, el: document.getElementById("lzu-explorer") });
