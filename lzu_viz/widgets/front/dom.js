/** Elements of the page. */

/**
 * Create an element.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} tagName
 * @param {string} [className]
 * @param {string} [text]
 */
export function element(tagName, className = "", text = "") {
  const created = document.createElement(tagName);
  if (className) created.className = className;
  if (text) created.textContent = text;
  return created;
}

/**
 * Create a button.
 *
 * @param {string} text
 * @param {string} title
 * @param {() => void} onClick
 */
export function button(text, title, onClick) {
  const created = element("button", "", text);
  created.type = "button";
  created.title = title;
  created.addEventListener("click", onClick);
  return created;
}

/**
 * Set a text, unless it is there already: a screen reader would read it again.
 *
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * @param {HTMLElement} target
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/**
 * Resize a canvas, which clears it, if its size has changed.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function fitCanvas(canvas, width, height) {
  const size = { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
}

/**
 * Create a list of names and what they do, folded under a title.
 *
 * @param {string} title
 * @param {string[][]} entries pairs of a name and its effect.
 */
export function foldedList(title, entries) {
  const folded = element("details", "lzu-help");
  const list = element("dl");
  for (const [name, effect] of entries) {
    const entry = element("div");
    entry.append(element("dt", "", name), element("dd", "", effect));
    list.append(entry);
  }
  folded.append(element("summary", "", title), list);
  return folded;
}
