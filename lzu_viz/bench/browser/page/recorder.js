/**
 * Runs inside the page that is measured and records when the pointer moved, and when which picture
 * was visible.
 *
 * A picture is identified by a hash of its pixels, reduced to 32 x 32; one from matplotlib by a hash
 * of its file. The pictures are hashed at the end of each frame, after everything in it has been
 * drawn, and count as visible when the next frame begins: by then the frame is on its way to the
 * screen.
 */
(() => {
  /**
   * @typedef {{keys: (?number)[], fresh: boolean, answered: number}} Shown hashes of the pictures,
   *     whether the network's answer belongs to the current state, and when the state was changed
   *     to that of the answer.
   *
   * @typedef {object} Notes times in ms, as `performance.now()`.
   * @property {number} since
   * @property {[time: number, clientX: number][]} moves
   * @property {number[]} down
   * @property {number[]} up
   * @property {[time: number, key: string, together: boolean][]} pictures each change of the first
   *     picture, and whether all others changed in the same frame.
   * @property {[time: number, fresh: boolean][]} fresh
   * @property {[time: number, changed: number][]} answers
   * @property {number} frames
   * @property {number} cost of recording.
   */

  const SIDE = 32;
  const small = document.createElement("canvas");
  Object.assign(small, { width: SIDE, height: SIDE });
  const context = /** @type {CanvasRenderingContext2D} */ (
    small.getContext("2d", { willReadFrequently: true })
  );
  // Otherwise transparent pixels would be blended with the previous picture.
  context.globalCompositeOperation = "copy";
  // Resize observers are called at the end of each frame in which a size has changed. A task of our
  // own would come too late: while the mouse is dragged, Chromium delays tasks for seconds.
  const pulse = document.createElement("div");
  pulse.style.cssText = "position: fixed; top: 0; height: 1px; contain: strict; visibility: hidden";
  const frameEnd = new ResizeObserver(() => hashPictures());
  /** @type {WeakMap<HTMLImageElement, {src: string, hash: number}>} */
  const files = new WeakMap();
  /** @type {string[]} */
  let selectors = [];
  /** @type {Shown} */
  let drawn = { keys: [], fresh: true, answered: 0 };
  let visible = drawn;
  let running = false;
  let notes = emptyNotes();
  let recording = false;
  /** @type {((now: number) => boolean) | null} */
  let waiting = null;

  /** @returns {Notes} */
  function emptyNotes() {
    return {
      since: performance.now(),
      moves: [],
      down: [],
      up: [],
      pictures: [],
      fresh: [],
      answers: [],
      frames: 0,
      cost: 0,
    };
  }

  /** Discard all notes; what is visible now is the start. */
  function mark() {
    notes = emptyNotes();
    recording = true;
  }

  /** @param {PointerEvent} event */
  function note(event) {
    if (!recording || !event.isTrusted) return;
    if (event.type === "pointerdown") notes.down.push(event.timeStamp);
    else if (event.type === "pointerup") notes.up.push(event.timeStamp);
    else {
      // Moves during a long task are coalesced into one event; each keeps its own time.
      const coalesced = event.getCoalescedEvents();
      for (const { timeStamp, clientX } of coalesced.length ? coalesced : [event])
        notes.moves.push([timeStamp, clientX]);
    }
  }
  for (const type of /** @type {const} */ (["pointerdown", "pointermove", "pointerup"]))
    addEventListener(type, note, true);

  /** @param {HTMLImageElement} image */
  function hashFile(image) {
    const known = files.get(image);
    if (known?.src === image.src) return known.hash;
    let hash = image.src.length;
    for (let k = 0; k < image.src.length; k += 61)
      hash = (Math.imul(hash, 31) + image.src.charCodeAt(k)) | 0;
    files.set(image, { src: image.src, hash });
    return hash;
  }

  /** @param {CanvasImageSource} canvas */
  function hashPixels(canvas) {
    context.drawImage(canvas, 0, 0, SIDE, SIDE);
    const words = new Uint32Array(context.getImageData(0, 0, SIDE, SIDE).data.buffer);
    let hash = 0;
    for (let k = 0; k < words.length; k++) hash = (Math.imul(hash, 31) + words[k]) | 0;
    return hash;
  }

  /**
   * @param {string} selector
   * @returns {?number} null where there is no picture yet.
   */
  function hash(selector) {
    const found = document.querySelector(selector);
    if (found instanceof HTMLImageElement)
      return found.complete && found.naturalWidth ? hashFile(found) : null;
    return found instanceof HTMLCanvasElement && found.width ? hashPixels(found) : null;
  }

  function hashPictures() {
    const start = performance.now();
    // An output that is just being replaced shows nothing: its previous picture still counts.
    const keys = selectors.map((selector, k) => hash(selector) ?? drawn.keys[k] ?? null);
    const root = document.querySelector(".lzu");
    const answered = root instanceof HTMLElement ? Number(root.dataset.answered ?? 0) : 0;
    drawn = { keys, fresh: !document.querySelector(".lzu-stale"), answered };
    if (recording) notes.cost += performance.now() - start;
  }

  function onFrame() {
    const now = performance.now();
    if (recording) {
      notes.frames += 1;
      // The first picture identifies the frame; the others should change in the same frame.
      const changed = drawn.keys.map((key, k) => key !== visible.keys[k]);
      if (changed[0]) notes.pictures.push([now, String(drawn.keys[0]), changed.every(Boolean)]);
      if (drawn.fresh !== visible.fresh) notes.fresh.push([now, drawn.fresh]);
      if (drawn.answered !== visible.answered) notes.answers.push([now, drawn.answered]);
    }
    visible = drawn;
    if (waiting?.(now)) waiting = null;
    pulse.style.width = pulse.style.width === "1px" ? "2px" : "1px";
    requestAnimationFrame(onFrame);
  }

  const lzuBench = {
    mark,
    current: () => String(visible.keys[0]),
    notes: () => notes,

    /**
     * Record the pictures that match these selectors, from now on.
     *
     * @param {string[]} pictures
     */
    start(pictures) {
      selectors = pictures;
      hashPictures();
      visible = drawn;
      mark();
      if (running) return;
      running = true;
      document.body.append(pulse);
      frameEnd.observe(pulse);
      requestAnimationFrame(onFrame);
    },

    /**
     * Wait until nothing has changed for some time.
     *
     * @param {object} options
     * @param {number} options.quiet that time, in ms.
     * @param {number} options.limit to wait at most, in ms.
     * @param {boolean} [options.change] whether there must have been a new picture since the mark.
     * @param {?string[]} [options.wanted] pictures, one of which must be visible.
     * @param {boolean} [options.answered] whether the network's answer must be current.
     * @returns {Promise<boolean>} false after the limit.
     */
    rest({ quiet, limit, change = false, wanted = null, answered = false }) {
      const start = performance.now();
      return new Promise((resolve) => {
        waiting = (now) => {
          const last = Math.max(notes.since, notes.pictures.at(-1)?.[0] ?? 0);
          const good =
            now - last >= quiet &&
            (!change || notes.pictures.length > 0) &&
            (!wanted || wanted.includes(String(visible.keys[0]))) &&
            (!answered || visible.fresh);
          if (!good && now - start < limit) return false;
          resolve(good);
          return true;
        };
      });
    },
  };
  Object.assign(globalThis, { lzuBench });
})();
