/**
 * The networks in the page: the requests to their worker, and its answers.
 *
 * @import { CellValues, NetworkData, NetworkFile, Picture, Prediction, Result, ScorePair, State, Truth } from "./types.d.ts"
 * @import { WorkerAnswer, WorkerRequest } from "./types.d.ts"
 */

const PAGE_KINDS = ["foveas", "boxes", "boxes in pixels", "edges", "network"];
const NO_NETWORK = "none";

export class PageNetworks {
  /**
   * @param {NetworkData} data
   * @param {object} handlers
   * @param {(loaded: number, total: number) => void} handlers.onProgress of loading.
   * @param {() => void} handlers.onLoaded called when a network has been loaded.
   * @param {(text: string) => void} handlers.onFailure called if the networks cannot run.
   * @param {(network: string) => Promise<Record<string, NetworkFile>>} [handlers.provide] gets the
   *     files of a network that are not at the address of the data.
   */
  constructor(
    { worker, base, files, networks, colour },
    { onProgress, onLoaded, onFailure, provide },
  ) {
    this.provide = provide;
    this.entries = networks;
    this.colour = colour;
    this.onProgress = onProgress;
    this.onLoaded = onLoaded;
    this.onFailure = onFailure;
    this.count = 0;
    /** @type {Prediction | undefined} of the uniform system, in the last result. */
    this.uniform = undefined;
    /** Names of the networks that have been requested, and of those that can run. */
    this.requested = new Set();
    this.ready = new Set([NO_NETWORK]);
    /** @type {Map<string, (value: any) => void>} */
    this.waiting = new Map();
    const url = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    this.worker = new Worker(url);
    this.worker.onmessage = ({ data }) => this.onAnswer(data);
    this.worker.onerror = ({ message }) => this.onFailure(message || "the worker cannot start");
    this.post({ kind: "start", base: new URL(base, document.baseURI).href, files, networks });
  }

  /**
   * Whether the page can compute the result of a state.
   *
   * @param {State} state
   */
  canRun({ network, saliency_kind: kind }) {
    return (network === NO_NETWORK || network in this.entries) && PAGE_KINDS.includes(kind);
  }

  /**
   * Load a network, if that has not been begun yet.
   *
   * @param {string} network
   */
  async load(network) {
    if (this.requested.has(network)) return;
    this.requested.add(network);
    if (this.provide) this.post({ kind: "files", files: await this.provide(network) });
    await this.ask((serial) => ({ kind: "load", serial, network }));
    this.ready.add(network);
    this.onLoaded();
  }

  /**
   * @param {Picture} picture
   * @param {?Truth} truth
   */
  setPhoto({ width, height, data }, truth) {
    this.post({ kind: "photo", picture: { width, height, data }, truth });
  }

  /**
   * The result of a state; of an invalid one, the error.
   *
   * @param {State} state
   * @param {string[]} views
   * @returns {Promise<Result>}
   */
  explore(state, views) {
    const { colour } = this;
    return this.ask((serial) => ({ kind: "explore", serial, state, views, colour }));
  }

  /**
   * @param {State} state
   * @returns {Promise<?ScorePair>}
   */
  score(state) {
    return this.ask((serial) => ({ kind: "score", serial, state }));
  }

  /**
   * The features of a network in four cells, see `PageExplorer.cellValues`.
   *
   * @param {State} state
   * @param {number[]} cells
   * @param {number[]} weights
   * @returns {Promise<?CellValues>}
   */
  cellValues(state, cells, weights) {
    return this.ask((serial) => ({ kind: "cells", serial, state, cells, weights }));
  }

  /** @param {WorkerRequest} request */
  post(request) {
    this.worker.postMessage(request);
  }

  /**
   * @param {(serial: string) => WorkerRequest} request
   * @returns {Promise<any>}
   */
  ask(request) {
    const serial = String((this.count += 1));
    return new Promise((resolve) => {
      this.waiting.set(serial, resolve);
      this.post(request(serial));
    });
  }

  /** @param {WorkerAnswer} answer */
  onAnswer(answer) {
    if (answer.kind === "progress") {
      this.onProgress(answer.loaded, answer.total);
      return;
    }
    if (answer.kind === "failed") {
      this.onFailure(answer.text);
      return;
    }
    const resolve = this.waiting.get(answer.serial);
    this.waiting.delete(answer.serial);
    if (answer.kind === "result") {
      this.uniform = answer.result.uniform ?? this.uniform;
      resolve?.({ ...answer.result, uniform: this.uniform });
    } else if (answer.kind === "score") resolve?.(answer.score);
    else if (answer.kind === "cells") resolve?.(answer.cells);
    else resolve?.(answer.kind === "error" ? { error: answer.text } : undefined);
  }

  close() {
    this.worker.terminate();
  }
}
