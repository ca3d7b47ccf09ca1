/**
 * A question with a choice of answers. The explanation of an answer is shown once it is chosen;
 * another answer may be chosen at any time, and nothing is counted.
 *
 * @import { QuestModel } from "./types.d.ts"
 */
import { button, element } from "./dom.js";

let count = 0;

/** @param {{model: QuestModel, el: HTMLElement}} context */
function render({ model, el }) {
  count += 1;
  const root = element("fieldset", "lzu-quest");
  const verdict = element("p", "lzu-verdict");
  verdict.setAttribute("role", "status");
  root.append(element("legend", "", model.get("_question")));
  /** @type {HTMLInputElement[]} */
  const inputs = [];
  for (const { text } of model.get("_options")) {
    const row = element("label");
    const input = element("input");
    Object.assign(input, { type: "radio", name: `lzu-quest-${count}`, value: text });
    input.addEventListener("change", () => {
      model.set("chosen", text);
      model.save_changes();
      show();
    });
    inputs.push(input);
    row.append(input, element("span", "", text));
    root.append(row);
  }
  const look = button("Look at it in the explorer", "", () => {
    const explorer = explorerBefore(root);
    if (!explorer) return;
    const isReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    explorer.scrollIntoView({ behavior: isReduced ? "auto" : "smooth", block: "start" });
    explorer.querySelector("canvas")?.focus({ preventScroll: true });
  });
  look.hidden = true;
  root.append(verdict, look);
  // Otherwise JupyterLab handles the keys that move between the answers.
  root.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow") || event.key === " ") event.stopPropagation();
  });

  const show = () => {
    const chosen = model.get("_options").find(({ text }) => text === model.get("chosen"));
    for (const input of inputs) input.checked = input.value === chosen?.text;
    root.dataset.right = chosen ? String(chosen.is_right) : "";
    const text = chosen ? `${chosen.is_right ? "Right." : "No."} ${chosen.why}` : "";
    if (verdict.textContent !== text) verdict.textContent = text;
    look.hidden = !chosen?.is_shown;
  };
  model.on("change:chosen", show);
  show();
  el.append(root);
}

/**
 * The last explorer above an element; undefined if there is none.
 *
 * @param {Element} place
 */
function explorerBefore(place) {
  const isBefore = (/** @type {Element} */ other) =>
    place.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_PRECEDING;
  return [...document.querySelectorAll(".lzu")].filter(isBefore).at(-1);
}

export default { render };
