/**
 * The explorer in a page of its own, without a kernel: the page draws the warp, and runs the
 * networks in a worker if their files are there; otherwise it knows the results of prepared states.
 *
 * @import { PageData, Prepared } from "./types.d.ts"
 */
import { button } from "./dom.js";
import { PageModel } from "./page_model.js";
import { PageNetworks } from "./page_networks.js";
import { messageOf } from "./photo.js";
import { followTheme } from "./theme.js";
import widget from "./widget.js";

const RUNNING = "The networks run in this page, on your device; photos are not uploaded.";

/** Controls without effect where no network runs. */
const NEED_A_NETWORK = ["network", "probability", "score", "stride"];

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

/** @type {PageData} */
const data = JSON.parse(elementById("lzu-data").textContent ?? "", revive);
const choices = elementById("lzu-prepared");
const place = elementById("lzu-explorer");
const status = elementById("lzu-networks");
const model = new PageModel(data, showPrepared);

/** @param {?Prepared} current */
function showPrepared(current) {
  for (const choice of choices.children)
    choice.setAttribute("aria-pressed", String(choice.textContent === current?.title));
}

/** @type {?HTMLProgressElement} */
let bar = null;
let close = () => {};

/** Show the explorer; without networks, the controls that need one are hidden. */
function render() {
  const runs = model.networks !== null;
  const controls = data.values._controls.map((control) => ({
    ...control,
    shown: control.shown && (runs || !NEED_A_NETWORK.includes(control.name)),
  }));
  Object.assign(model.values, { _controls: controls, _score: runs ? {} : undefined });
  close();
  place.replaceChildren();
  close = widget.render({ model, el: place }) ?? close;
}

/** Start the networks, which are loaded when a state needs them. */
async function startNetworks() {
  if (!data.networks) return;
  try {
    if (typeof WebAssembly === "undefined") throw new Error("this browser has no WebAssembly");
    const networks = new PageNetworks(data.networks, {
      onProgress: showProgress,
      onLoaded: showLoaded,
      onFailure: showFailure,
    });
    await model.use(networks);
    render();
  } catch (error) {
    showFailure(messageOf(error));
  }
}

/**
 * @param {number} loaded bytes.
 * @param {number} total
 */
function showProgress(loaded, total) {
  if (!bar) {
    bar = document.createElement("progress");
    bar.setAttribute("aria-label", "Loading the networks");
    status.replaceChildren("Loading the networks ", bar);
  }
  bar.max = total;
  bar.value = loaded;
}

/** Show the first prediction, and then say where it comes from. */
async function showLoaded() {
  await model.answer();
  bar = null;
  status.replaceChildren(RUNNING);
}

/** @param {string} reason */
function showFailure(reason) {
  model.networks?.close();
  model.use(null);
  status.replaceChildren(
    `The networks cannot run here (${reason}): predictions exist for the prepared states only.`,
  );
  render();
}

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
render();
const observer = new IntersectionObserver((entries) => {
  // A page may hold many explorers: only those that are seen load the networks.
  if (!entries.some((entry) => entry.isIntersecting)) return;
  observer.disconnect();
  startNetworks();
});
observer.observe(place);
