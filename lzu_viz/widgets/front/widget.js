/**
 * The entry of the widget: what anywidget calls for each model and for each of its views.
 *
 * @import { Model } from "./types.d.ts"
 */
import { Explorer } from "./explorer.js";
import { ExplorerStore } from "./store.js";
import { SwitchableModel } from "./switchable_model.js";

/**
 * The store of each model. Each view gets another object for the same model, but all get the same
 * values from it; the value of this trait never changes.
 *
 * @type {WeakMap<object, ExplorerStore>}
 */
const stores = new WeakMap();
const keyOf = (/** @type {Model} */ model) => model.get("_lists");

/** @param {{model: Model}} context */
function initialize({ model }) {
  // Created here, not with the first view, the store outlives that view.
  const isKernel = model.get("_wanted_network") !== undefined;
  stores.set(keyOf(model), new ExplorerStore(isKernel ? new SwitchableModel(model) : model));
}

/**
 * @param {{model: Model, el: HTMLElement}} context
 * @returns {(() => void) | undefined}
 */
function render({ model, el }) {
  const missing = ["OffscreenCanvas", "createImageBitmap", "ResizeObserver"].filter(
    (name) => !(name in globalThis),
  );
  if (missing.length) {
    el.textContent = `The explorer needs a newer browser: this one does not support ${missing.join(", ")}.`;
    return undefined;
  }
  const store = stores.get(keyOf(model));
  if (!store) throw new Error("render() was called for a model before initialize()");
  const explorer = new Explorer(store, el);
  return () => explorer.close();
}

export default { initialize, render };
