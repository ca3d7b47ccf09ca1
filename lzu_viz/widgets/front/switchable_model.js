/**
 * A model whose results come from the kernel, or, if the reader prefers, from networks in the page:
 * over a slow connection, predictions then follow the hand. The kernel sends the files once, and is
 * told each state without computing it.
 *
 * @import { BinaryData, Model, NetworkFile, NetworkMessage, Result, State, Traits } from "./types.d.ts"
 */
import { PageNetworks } from "./page_networks.js";
import { copyBytes, decodePhoto, messageOf } from "./photo.js";

/** Values that the page sets for itself while its networks run. */
const LOCAL = /** @type {const} */ (["_question", "_follow"]);

/** @implements {Model} */
export class SwitchableModel {
  /** @param {Model} model of the widget. */
  constructor(model) {
    this.model = model;
    /** @type {Partial<Traits>} values in place of those of the kernel. */
    this.local = {};
    /** @type {Record<string, (() => void)[]>} */
    this.listeners = {};
    /** @type {Set<keyof Traits>} */
    this.changed = new Set();
    /** @type {?PageNetworks} */
    this.networks = null;
    this.isOn = false;
    this.photoCount = 0;
    this.status = "";
    this.onStatus = () => {};
    /** @type {Map<string, {resolve: (message: NetworkMessage) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    model.on("change:_network", () => this.onNetwork());
    // A result of the kernel, for example of a state that was set in Python, is newer than ours.
    model.on("change:_result", () => delete this.local._result);
    model.on("change:_photo", () => this.sendPhoto());
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @returns {Traits[Name]}
   */
  get(name) {
    return /** @type {Traits[Name]} */ (
      name in this.local ? this.local[name] : this.model.get(name)
    );
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  set(name, value) {
    const isRun = this.isOn && this.runs(this.get("_state"));
    if (name === "_state" && this.isOn && this.runs(/** @type {State} */ (value))) {
      this.changed.add(name);
      this.model.set("_state", { .../** @type {State} */ (value), is_computed: true });
    } else if (isRun && LOCAL.some((each) => each === name)) {
      this.changed.add(name);
      this.local[name] = value;
    } else {
      this.model.set(name, value);
      if (name === "_state" && this.isOn) this.loadAndAnswer();
    }
  }

  /**
   * @param {string} event
   * @param {(model?: {comm_live?: boolean}) => void} listener
   */
  on(event, listener) {
    (this.listeners[event] ??= []).push(listener);
    this.model.on(event, listener);
  }

  save_changes() {
    const { changed } = this;
    this.changed = new Set();
    this.model.save_changes();
    if (changed.has("_state")) this.answer();
    if (changed.has("_question")) this.answerQuestion();
    if (changed.has("_follow")) this.answerFollow();
  }

  /**
   * Whether the page can compute the result of a state now.
   *
   * @param {State} state
   */
  runs(state) {
    return Boolean(this.networks?.canRun(state) && this.networks.ready.has(state.network));
  }

  /**
   * Switch the networks of the page on or off.
   *
   * @param {boolean} isOn
   */
  async switch(isOn) {
    this.isOn = isOn;
    if (!isOn) {
      this.local = {};
      this.say("");
      return;
    }
    try {
      if (!this.networks) await this.start();
      await this.load();
    } catch (error) {
      this.fail(messageOf(error));
    }
  }

  /** Load the network of the current state, if the page can run it. */
  async load() {
    const { networks } = this;
    if (!networks) return; // they are being started
    const state = this.get("_state");
    if (!networks.canRun(state)) {
      this.say("The kernel computes what the page cannot: this network, or this saliency.");
      return;
    }
    if (!networks.ready.has(state.network)) {
      this.say("The network is being fetched.");
      await networks.load(state.network);
    }
    this.say("The networks run in this page.");
  }

  /** The kernel computes a state whose network is not loaded yet; later the page answers, too. */
  async loadAndAnswer() {
    await this.load();
    if (this.runs(this.get("_state"))) await this.answer();
  }

  async start() {
    this.say("The network is being fetched.");
    const { network } = this.get("_state");
    const message = await this.ask(network);
    const { truth } = message;
    this.truth = truth && { ...truth, mask: new Uint8Array(copyBytes(truth.mask)) };
    this.networks = new PageNetworks(
      { ...message, base: "", files: filesOf(message) },
      {
        onProgress: (loaded, total) =>
          this.say(`The network is being loaded: ${Math.round((100 * loaded) / total)} %.`),
        onLoaded: () => {},
        onFailure: (text) => this.fail(text),
        provide: async (name) => (name === network ? {} : filesOf(await this.ask(name))),
      },
    );
    await this.sendPhoto();
  }

  async sendPhoto() {
    this.photoCount += 1;
    delete this.local._result;
    if (!this.networks) return;
    const truth = this.get("_is_uploaded") ? null : (this.truth ?? null);
    this.networks.setPhoto(await decodePhoto(this.get("_photo")), truth);
  }

  /**
   * Ask the kernel for the files of a network.
   *
   * @param {string} name
   * @returns {Promise<NetworkMessage>}
   */
  ask(name) {
    return new Promise((resolve, reject) => {
      this.waiting.set(name, { resolve, reject });
      this.model.set("_wanted_network", { name, hasRuntime: this.networks !== null });
      this.model.save_changes();
    });
  }

  onNetwork() {
    const message = this.model.get("_network");
    const waiting = message?.name ? this.waiting.get(message.name) : undefined;
    if (!message || !waiting) return;
    this.waiting.delete(message.name);
    if (message.error) waiting.reject(new Error(message.error));
    else waiting.resolve(message);
  }

  /** @param {string} reason */
  fail(reason) {
    this.isOn = false;
    this.networks?.close();
    this.networks = null;
    this.local = {};
    this.say(`The networks cannot run in this page (${reason}): the kernel goes on.`);
  }

  /** @param {string} status */
  say(status) {
    this.status = status;
    this.onStatus();
  }

  /** Compute the result of the current state. */
  async answer() {
    const { networks, photoCount } = this;
    const { serial, is_computed: _, ...state } = this.get("_state");
    const views = this.get("_views").map(({ name }) => name);
    const result = await networks?.explore(state, views);
    if (!result || photoCount !== this.photoCount || !this.isOn) return;
    /** @type {Result} */
    const shown = { ...(result.error ? this.get("_result") : {}), ...result, serial };
    this.put("_result", { ...shown, took_ms: undefined });
  }

  async answerQuestion() {
    const question = this.local._question;
    const score = question?.state ? await this.networks?.score(question.state) : null;
    this.put("_score", { serial: question?.serial, score: score ?? null });
  }

  async answerFollow() {
    const { serial, state, cells = [], weights = [] } = this.local._follow ?? {};
    const values = state ? await this.networks?.cellValues(state, cells, weights) : null;
    this.put("_followed", { serial, cells: values ?? null });
  }

  /**
   * @template {keyof Traits} Name
   * @param {Name} name
   * @param {Traits[Name]} value
   */
  put(name, value) {
    this.local[name] = value;
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }
}

/**
 * The files of a message, each in a buffer of its own.
 *
 * @param {NetworkMessage} message
 * @returns {Record<string, NetworkFile>}
 */
function filesOf({ files }) {
  return Object.fromEntries(
    Object.entries(files).map(([name, file]) => [
      name,
      { ...file, gzip: new Uint8Array(copyBytes(/** @type {BinaryData} */ (file.gzip))) },
    ]),
  );
}
