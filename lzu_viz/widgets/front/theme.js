/** Dark or light: the theme of a page without a kernel. */

const THEME = "data-jp-theme-light";

/**
 * Give the page the theme of the page around it, or else of the system, and follow its changes.
 *
 * Sphinx's themes name theirs in the body's `data-theme`: "light", "dark" or "auto".
 */
export function followTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const around = bodyAround();
  const update = () => {
    const chosen = around?.dataset.theme;
    const isDark = chosen === "dark" || (chosen !== "light" && system.matches);
    // As in JupyterLab, so that one style sheet serves both.
    document.documentElement.setAttribute(THEME, String(!isDark));
  };
  system.addEventListener("change", update);
  if (around) new MutationObserver(update).observe(around, { attributeFilter: ["data-theme"] });
  update();
}

/** The body of the page in which this one is framed; undefined if there is none or it is hidden. */
function bodyAround() {
  try {
    return parent === window ? undefined : parent.document.body;
  } catch {
    return undefined; // another origin, such as each file of file://
  }
}
