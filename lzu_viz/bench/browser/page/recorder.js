/**
 * Runs inside the page that is measured: when did the pointer move, and when was which picture seen?
 *
 * A picture is known by a hash over its pixels, drawn down to 32 x 32; one that matplotlib made, by
 * a hash over its file. Each frame is looked at when all in it has been drawn, and counts as seen
 * when the next frame begins: by then it is on its way to the screen.
 */
globalThis.lzuBench = (() => {
  const SIDE = 32;
  const small = document.createElement("canvas");
  Object.assign(small, { width: SIDE, height: SIDE });
  const context = small.getContext("2d", { willReadFrequently: true });
  // Half transparent pixels would be mixed with the picture before.
  context.globalCompositeOperation = "copy";
  // Observers of sizes are called at the end of each frame in which a size has changed. A task of
  // our own would come too late: while a mouse drags, Chromium lets tasks wait for seconds.
  const pulse = document.createElement("div");
  pulse.style.cssText = "position: fixed; top: 0; height: 1px; contain: strict; visibility: hidden";
  const frameEnd = new ResizeObserver(() => look());
  const files = new WeakMap();
  let panels = [];
  let drawn = { keys: [], fresh: true };
  let seen = drawn;
  let running = false;
  let notes = null;
  let waiting = null;

  /** Forget all notes; what is seen now is the start. */
  function mark() {
    notes = {
      since: performance.now(),
      moves: [],
      down: [],
      up: [],
      pictures: [],
      fresh: [],
      frames: 0,
      cost: 0,
    };
  }

  function note(event) {
    if (!notes || !event.isTrusted) return;
    if (event.type === "pointerdown") notes.down.push(event.timeStamp);
    else if (event.type === "pointerup") notes.up.push(event.timeStamp);
    else {
      // Moves that came while the page was busy are handed over as one: each keeps its own time.
      const all = event.getCoalescedEvents();
      for (const each of all.length ? all : [event])
        notes.moves.push([each.timeStamp, each.clientX]);
    }
  }
  for (const type of ["pointerdown", "pointermove", "pointerup"])
    addEventListener(type, note, true);

  function hashFile(image) {
    const known = files.get(image);
    if (known?.src === image.src) return known.hash;
    let hash = image.src.length;
    for (let k = 0; k < image.src.length; k += 61)
      hash = (Math.imul(hash, 31) + image.src.charCodeAt(k)) | 0;
    files.set(image, { src: image.src, hash });
    return hash;
  }

  function hashPixels(canvas) {
    context.drawImage(canvas, 0, 0, SIDE, SIDE);
    const words = new Uint32Array(context.getImageData(0, 0, SIDE, SIDE).data.buffer);
    let hash = 0;
    for (let k = 0; k < words.length; k++) hash = (Math.imul(hash, 31) + words[k]) | 0;
    return hash;
  }

  function hash(selector) {
    const found = document.querySelector(selector);
    if (found instanceof HTMLImageElement)
      return found.complete && found.naturalWidth ? hashFile(found) : null;
    return found?.width ? hashPixels(found) : null;
  }

  function look() {
    const start = performance.now();
    // An output that is replaced just now shows nothing: what was there before still stands.
    const keys = panels.map((selector, k) => hash(selector) ?? drawn.keys[k] ?? null);
    drawn = { keys, fresh: !document.querySelector(".lzu-stale") };
    if (notes) notes.cost += performance.now() - start;
  }

  function frame() {
    const now = performance.now();
    if (notes) {
      notes.frames += 1;
      // The first panel says which picture it is; the others should change in the same frame.
      const changed = drawn.keys.map((key, k) => key !== seen.keys[k]);
      if (changed[0]) notes.pictures.push([now, String(drawn.keys[0]), changed.every(Boolean)]);
      if (drawn.fresh !== seen.fresh) notes.fresh.push([now, drawn.fresh]);
    }
    seen = drawn;
    if (waiting?.(now)) waiting = null;
    pulse.style.width = pulse.style.width === "1px" ? "2px" : "1px";
    requestAnimationFrame(frame);
  }

  return {
    mark,
    current: () => String(seen.keys[0]),
    notes: () => notes,

    /** Watch the pictures that these selectors find, from now on. */
    start(selectors) {
      panels = selectors;
      look();
      seen = drawn;
      mark();
      if (running) return;
      running = true;
      document.body.append(pulse);
      frameEnd.observe(pulse);
      requestAnimationFrame(frame);
    },

    /**
     * Wait until nothing has changed for `quiet` ms; since the mark there must have been a new
     * picture (`change`), or the picture must be one of `wanted`; and with `answered` the network's
     * answer must be there as well. Gives false after `limit` ms.
     */
    rest({ quiet, limit, change = false, wanted = null, answered = false }) {
      const start = performance.now();
      return new Promise((resolve) => {
        waiting = (now) => {
          const last = Math.max(notes.since, notes.pictures.at(-1)?.[0] ?? 0);
          const good =
            now - last >= quiet &&
            (!change || notes.pictures.length > 0) &&
            (!wanted || wanted.includes(String(seen.keys[0]))) &&
            (!answered || seen.fresh);
          if (!good && now - start < limit) return false;
          resolve(good);
          return true;
        };
      });
    },
  };
})();
