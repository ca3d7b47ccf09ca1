/**
 * The explorer in a page of its own, without a kernel: the model holds the values that Python wrote
 * into the page, and returns results for the prepared states. Other states are drawn without a
 * prediction.
 *
 * @import { Model, Result, State, Traits } from "./types.d.ts"
 * @typedef {{title: string, state: State, result: Result}} Prepared
 */
import { button } from "./dom.js";
import { equal } from "./equality.js";
import { followTheme } from "./theme.js";
import widget from "./widget.js";

const NO_KERNEL =
  "No kernel here: the pictures follow the controls, but predictions for the zoomed picture exist for prepared states only.";
const NO_SALIENCY = "So does saliency from edges or from a network.";

/** Fields of the state on which the prediction of the uniform system depends. */
const OF_UNIFORM = /** @type {const} */ ([
  "network",
  "input_size",
  "antialias",
  "probability",
  "score",
]);

/** @implements {Model} */
class PreparedModel {
  /**
   * @param {{values: Traits, prepared: Prepared[]}} data
   * @param {(prepared: ?Prepared) => void} onResult
   */
  constructor({ values, prepared }, onResult) {
    /** @type {Traits} */
    this.values = { ...values, _result: { ...prepared[0].result, serial: 0 } };
    this.prepared = prepared;
    this.onResult = onResult;
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

  /** Return the prepared result of the state, if any, in place of a kernel. */
  save_changes() {
    const state = this.values._state;
    const match = this.prepared.find((prepared) => equal(prepared.state, state)) ?? null;
    const result = match ? match.result : this.resultWithoutKernel(state);
    this.set("_result", { ...result, serial: state.serial });
    this.onResult(match);
  }

  /**
   * What is known of a state that is not prepared: the prediction of the uniform system.
   *
   * @param {State} state
   * @returns {Result}
   */
  resultWithoutKernel(state) {
    const same = this.prepared.find((prepared) =>
      OF_UNIFORM.every((field) => prepared.state[field] === state[field]),
    );
    return {
      summary: NO_KERNEL,
      lines: [NO_KERNEL, NO_SALIENCY],
      state,
      uniform: same?.result.uniform,
      zoom: undefined,
    };
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
  const match = document.getElementById(id);
  if (!match) throw new Error(`the page has no element #${id}`);
  return match;
}

/** @type {{values: Traits, prepared: Prepared[]}} */
const data = JSON.parse(elementById("lzu-data").textContent ?? "", revive);
const choices = elementById("lzu-prepared");

/** @param {?Prepared} current */
function showPrepared(current) {
  for (const choice of choices.children)
    choice.setAttribute("aria-pressed", String(choice.textContent === current?.title));
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
followTheme();
widget.initialize({ model });
widget.render({ model, el: elementById("lzu-explorer") });
