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
