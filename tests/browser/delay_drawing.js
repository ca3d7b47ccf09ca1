/**
 * Runs in a page before any other script, in tests only: callbacks of `requestAnimationFrame` and
 * results of `createImageBitmap` are delayed by `drawingDelayMs` milliseconds.
 */
(() => {
  const frame = requestAnimationFrame.bind(globalThis);
  const cancel = cancelAnimationFrame.bind(globalThis);
  const decode = createImageBitmap.bind(globalThis);
  const running = new Map();
  let last = 0;

  // The delay is checked in each frame: timers starve while a mouse is dragged.
  globalThis.requestAnimationFrame = (callback) => {
    last += 1;
    const id = last;
    const start = performance.now();
    const step = (now) => {
      if (performance.now() - start < drawingDelayMs) {
        running.set(id, frame(step));
        return;
      }
      running.delete(id);
      callback(now);
    };
    running.set(id, frame(step));
    return id;
  };
  globalThis.cancelAnimationFrame = (id) => {
    cancel(running.get(id));
    running.delete(id);
  };
  globalThis.createImageBitmap = async (...options) => {
    const image = await decode(...options);
    await new Promise((resolve) => setTimeout(resolve, drawingDelayMs));
    return image;
  };
  // For code that is paced by frames but does not draw.
  globalThis.undelayedAnimationFrame = frame;
})();
