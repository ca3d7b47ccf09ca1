/**
 * Runs in a page before all else, for tests alone: every callback of `requestAnimationFrame` is
 * called, and every bitmap is there, `drawingDelayMs` milliseconds later than without it.
 */
(() => {
  const frame = requestAnimationFrame.bind(globalThis);
  const cancel = cancelAnimationFrame.bind(globalThis);
  const decode = createImageBitmap.bind(globalThis);
  const running = new Map();
  let last = 0;

  // Frames are counted in place of a timer: timers starve while a mouse is dragged.
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
  globalThis.createImageBitmap = async (...given) => {
    const image = await decode(...given);
    await new Promise((resolve) => setTimeout(resolve, drawingDelayMs));
    return image;
  };
  // For what is no drawing, but paced by frames.
  globalThis.undelayedAnimationFrame = frame;
})();
