/**
 * A part of a figure's widget that is not seen: it describes the picture, names the sliders for
 * screen readers, and tells the kernel whether the page is dark.
 *
 * @import { FigureModel } from "./types.d.ts"
 */

const THEME = "data-jp-theme-light";

/** @param {{model: FigureModel, el: HTMLElement}} context */
function render({ model, el }) {
  el.style.display = "none";
  const name = () => {
    const root = el.closest(".lzu-figure");
    if (!root) return;
    const picture = root.querySelector("img.widget-image");
    if (picture instanceof HTMLImageElement) picture.alt = model.get("description");
    for (const handle of root.querySelectorAll(".noUi-handle")) {
      const label = handle.closest(".jupyter-widgets")?.querySelector(".widget-label")?.textContent;
      if (label) handle.setAttribute("aria-label", label);
    }
  };
  const tellTheme = () => {
    const theme = document.body.getAttribute(THEME) === "false" ? "dark" : "light";
    if (model.get("theme") === theme) return;
    model.set("theme", theme);
    model.save_changes();
  };
  model.on("change:description", name);
  const observer = new MutationObserver(tellTheme);
  observer.observe(document.body, { attributeFilter: [THEME] });
  // Not yet a part of the page: the other parts of the widget are rendered at the same time.
  const timer = setTimeout(name, 200);
  requestAnimationFrame(name);
  tellTheme();
  return () => {
    clearTimeout(timer);
    observer.disconnect();
  };
}

export default { render };
