/**
 * The model of an explorer in a page without a kernel: it holds the values that Python wrote into
 * the page. Results come from the networks in the page; without them, those of the prepared states.
 *
 * @import { Model, PageData, Prepared, Result, State, Traits } from "./types.d.ts"
 * @import { PageNetworks } from "./page_networks.js"
 */
import { equal } from "./equality.js";
import { copyBytes, decodePhoto, messageOf } from "./photo.js";
import { UNIFORM_FIELDS } from "./state_to_warp.js";

const NO_KERNEL =
  "No kernel here: the pictures follow the controls, but predictions for the zoomed picture exist for prepared states only.";
const NO_SALIENCY = "So does saliency from edges or from a network.";
const LOADING = "The network is being loaded; until then the pictures follow the controls.";

/** @implements {Model} */
export class PageModel {
  /**
   * @param {PageData} data
   * @param {(prepared: ?Prepared) => void} onState called with the prepared state that is shown.
   */
  constructor({ values, prepared, truth, middle }, onState) {
    /** @type {Traits} */
    this.values = { ...values, _result: { ...prepared[0].result, serial: 0 } };
    this.prepared = prepared;
    this.middle = middle;
    this.onState = onState;
    /** The photo that the page was made with. */
    this.first = { photo: values._photo, known: values._ground_truth, truth };
    this.truth = truth;
    this.photoCount = 0;
    /** @type {?PageNetworks} */
    this.networks = null;
    /** @type {Record<string, (() => void)[]>} */
    this.listeners = {};
    /** @type {Set<keyof Traits>} names of the values that the page has set. */
    this.changed = new Set();
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
    this.changed.add(name);
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }

  /**
   * @param {string} event
   * @param {() => void} listener
   */
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
  }

  /** Answer what has changed, in place of a kernel. */
  save_changes() {
    const { changed } = this;
    this.changed = new Set();
    if (changed.has("_question")) this.answerQuestion();
    if (changed.has("_follow")) this.answerFollow();
    if (changed.has("_upload")) this.changePhoto();
    else if (changed.has("_state")) this.answer();
  }

  /**
   * Let networks in the page compute the results, as soon as they are loaded.
   *
   * @param {?PageNetworks} networks null for the prepared results alone.
   */
  async use(networks) {
    this.networks = networks;
    if (networks) networks.setPhoto(await decodePhoto(this.values._photo), this.truth);
    await this.answer();
  }

  /**
   * Show the result of the current state.
   *
   * @param {string | number} [serial] of the message that is answered.
   */
  async answer(serial = this.values._state.serial) {
    const state = this.values._state;
    const match = this.prepared.find((prepared) => equal(prepared.state, state)) ?? null;
    this.onState(match);
    const views = this.values._views.map(({ name }) => name);
    const { photoCount, networks } = this;
    const isLoading = networks?.canRun(state) && !networks.ready.has(state.network);
    if (networks && isLoading)
      networks.load(state.network); // which ends with another answer
    else if (networks?.canRun(state)) {
      const result = await networks.explore(state, views);
      // Another photo or other networks may have been chosen in the meantime.
      if (photoCount !== this.photoCount || networks !== this.networks) return;
      // After an error, as of a folded warp, the last result stays.
      this.set("_result", { ...(result.error ? this.values._result : {}), ...result, serial });
      return;
    }
    const result =
      match && !this.values._is_uploaded
        ? match.result
        : this.resultWithoutNetworks(state, isLoading ? [LOADING] : [NO_KERNEL, NO_SALIENCY]);
    this.set("_result", { ...result, serial });
  }

  async answerQuestion() {
    const question = this.values._question;
    if (!question?.state || !this.networks?.ready.has(question.state.network)) return;
    const score = await this.networks.score(question.state);
    this.set("_score", { serial: question.serial, score });
  }

  async answerFollow() {
    const { serial, state, cells = [], weights = [] } = this.values._follow ?? {};
    const runs = state && this.networks?.ready.has(state.network);
    const values = runs ? await this.networks?.cellValues(state, cells, weights) : null;
    this.set("_followed", { serial, cells: values ?? null });
  }

  /** Show the photo that was chosen, or the first one again. */
  async changePhoto() {
    const { file, back, serial } = this.values._upload;
    const photo = file ? new Uint8Array(copyBytes(file)) : this.first.photo;
    try {
      const picture = await decodePhoto(photo);
      this.truth = back ? this.first.truth : null;
      this.photoCount += 1;
      this.networks?.setPhoto(picture, this.truth);
    } catch (error) {
      const text = `cannot load the photo, nothing was changed: ${messageOf(error)}`;
      this.set("_result", { ...this.values._result, serial, error: text });
      return;
    }
    const places = back ? this.prepared[0].state : this.middle;
    const { foveas, boxes, nodes } = places;
    this.set("_ground_truth", back ? this.first.known : {});
    this.set("_is_uploaded", !back);
    this.set("_photo", photo);
    // Without a serial number: the explorer ignores the echo of its own states.
    const { serial: _, ...state } = this.values._state;
    this.set("_state", { ...state, foveas, boxes, nodes });
    this.changed.clear();
    await this.answer(serial);
  }

  /**
   * What is known of a state without networks: the prediction of the uniform system.
   *
   * @param {State} state
   * @param {string[]} lines that say why there is no other prediction.
   * @returns {Result}
   */
  resultWithoutNetworks(state, lines) {
    const same = this.prepared.find((prepared) =>
      UNIFORM_FIELDS.every((field) => prepared.state[field] === state[field]),
    );
    return {
      summary: lines[0],
      lines,
      state,
      uniform: this.values._is_uploaded ? undefined : same?.result.uniform,
      zoom: undefined,
    };
  }
}
