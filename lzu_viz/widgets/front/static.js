/**
 * The explorer in a page of its own, without a kernel: the model holds the values that Python wrote
 * into the page, and answers for the states that were prepared. Other states are drawn without an
 * answer.
 *
 * @import { Answer, Model, State, Traits } from "./types.d.ts"
 * @typedef {{title: string, state: State, answer: Answer}} Prepared
 */
import { button } from "./dom.js";
import { equal } from "./equality.js";
import widget from "./widget.js";

const NO_PYTHON = [
  "No Python here: the picture follows the hand, but networks answer for the prepared states only.",
  "Saliency from edges or from a network, too, is known for these only.",
];

/** @implements {Model} */
class PreparedModel {
  /**
   * @param {{values: Traits, prepared: Prepared[]}} data
   * @param {(found: ?Prepared) => void} onAnswer
   */
  constructor({ values, prepared }, onAnswer) {
    /** @type {Traits} */
    this.values = { ...values, _answer: { ...prepared[0].answer, serial: 0 } };
    this.prepared = prepared;
    this.onAnswer = onAnswer;
    /** @type {Record<string, (() => void)[]>} */
    this.listeners = {};
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
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }

  /**
   * @param {string} event
   * @param {() => void} listener
   */
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  /** Answer the state in place of a kernel. */
  save_changes() {
    const state = this.values._state;
    const found = this.prepared.find((each) => equal(each.state, state)) ?? null;
    const answer = found ? found.answer : { lines: NO_PYTHON, state: null };
    this.set("_answer", { ...answer, serial: state.serial });
    this.onAnswer(found);
  }
}

/**
 * Read bytes, which JSON holds as {"bytes": base64}.
 *
 * @param {string} _
 * @param {any} value
 */
function revive(_, value) {
  if (typeof value?.bytes !== "string") return value;
  return Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
}

/** @param {string} id */
function elementById(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** @type {{values: Traits, prepared: Prepared[]}} */
const data = JSON.parse(elementById("lzu-data").textContent ?? "", revive);
const choices = elementById("lzu-prepared");

/** @param {?Prepared} found */
function showPrepared(found) {
  for (const choice of choices.children)
    choice.setAttribute("aria-pressed", String(choice.textContent === found?.title));
}

const model = new PreparedModel(data, showPrepared);
for (const { title, state } of data.prepared) {
  const choice = button(title, "", () => {
    model.set("_state", { ...state, serial: `prepared ${title}` });
    model.save_changes();
  });
  choices.append(choice);
}
choices.firstElementChild?.setAttribute("aria-pressed", "true");
widget.initialize({ model });
widget.render({ model, el: elementById("lzu-explorer") });
