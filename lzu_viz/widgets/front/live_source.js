/**
 * Where the frames of the page on film come from: a film, a file of the reader, or the camera.
 *
 * @import { Picture } from "./types.d.ts"
 *
 * @typedef {{canvas: HTMLCanvasElement, picture: Picture}} LiveFrame
 */
import { element, fitCanvas } from "./dom.js";
import { messageOf } from "./photo.js";
import { context2d } from "./paint.js";

/** Longest side of a frame, in pixels; larger frames are reduced. */
const MAX_SIDE = 768;

/** What a browser calls the reasons for which there is no camera. */
const CAMERA_ERRORS = /** @type {Record<string, string>} */ ({
  NotAllowedError:
    "The camera was refused. Allow it for this page in the browser, then choose it again.",
  NotFoundError: "No camera was found. Connect one, then choose it again.",
  NotReadableError: "The camera cannot be read. Does another program use it?",
});

export class LiveSource {
  /**
   * @param {object} handlers
   * @param {() => void} handlers.onFrame called when there is a new frame.
   * @param {(text: string) => void} handlers.onLost called when the camera has been disconnected.
   */
  constructor({ onFrame, onLost }) {
    this.onFrame = onFrame;
    this.onLost = onLost;
    /** @type {?HTMLVideoElement} */
    this.video = null;
    /** @type {?MediaStream} */
    this.stream = null;
    // Two, by turns: while one frame is shown with its boxes, the next one is read.
    this.contexts = [0, 1].map(() => context2d(element("canvas"), { willReadFrequently: true }));
  }

  get isCamera() {
    return this.stream !== null;
  }

  /** Whether there are frames to come: not from a camera that is off. */
  get hasFrames() {
    return Boolean(this.video && (this.stream || !this.video.srcObject));
  }

  /**
   * Show a film, again and again.
   *
   * @param {string} address
   * @throws {Error} if the browser cannot read it; the last source then stays.
   */
  async openFilm(address) {
    const video = newVideo();
    video.loop = true;
    video.src = address;
    await firstFrame(video);
    this.replace(video, null);
  }

  /**
   * Ask for the camera, and show what it sees.
   *
   * @throws {Error} with a sentence for the reader; the last source then stays.
   */
  async openCamera() {
    if (!navigator.mediaDevices)
      throw new Error("The camera needs a secure address: https, or localhost.");
    const video = newVideo();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
      video.srcObject = stream;
      await firstFrame(video);
    } catch (error) {
      for (const track of stream?.getTracks() ?? []) track.stop();
      const name = error instanceof DOMException ? error.name : "";
      throw new Error(CAMERA_ERRORS[name] ?? `The camera cannot be used: ${messageOf(error)}`);
    }
    this.replace(video, stream);
    for (const track of stream.getVideoTracks())
      track.addEventListener("ended", () => {
        this.onLost("The camera was disconnected. Its last frame stays.");
        this.closeCamera();
      });
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {?MediaStream} stream
   */
  replace(video, stream) {
    this.closeCamera();
    this.video?.pause();
    if (this.video?.src.startsWith("blob:")) URL.revokeObjectURL(this.video.src);
    Object.assign(this, { video, stream });
    this.watch(video);
  }

  /**
   * Tell of each new frame of a video, as long as it is the source.
   *
   * @param {HTMLVideoElement} video
   */
  watch(video) {
    const next = () => {
      if (this.video !== video) return;
      this.onFrame();
      this.watch(video);
    };
    // Older browsers have no such method, though the type says so.
    const tellsOfFrames = "requestVideoFrameCallback" in HTMLVideoElement.prototype;
    if (tellsOfFrames) video.requestVideoFrameCallback(next);
    else waitForTime(video, video.currentTime, next);
  }

  /** Switch the camera off. */
  closeCamera() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
  }

  play() {
    // A browser may refuse, for example in a tab in the background: then the frame stays.
    this.video?.play().catch(() => {});
  }

  pause() {
    this.video?.pause();
  }

  /**
   * The current frame. Its canvas keeps it until the second frame after it is read.
   *
   * @returns {?LiveFrame}
   */
  grab() {
    if (!this.video?.videoWidth) return null;
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, MAX_SIDE / Math.max(videoWidth, videoHeight));
    const [width, height] = [videoWidth, videoHeight].map((side) => scale * side);
    this.contexts.reverse();
    const [context] = this.contexts;
    const { canvas } = context;
    fitCanvas(canvas, Math.max(2, width), Math.max(2, height));
    context.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    return { canvas, picture: context.getImageData(0, 0, canvas.width, canvas.height) };
  }
}

/**
 * Wait until a video shows another time, in browsers that do not tell of its frames.
 *
 * @param {HTMLVideoElement} video
 * @param {number} before
 * @param {() => void} next
 */
function waitForTime(video, before, next) {
  requestAnimationFrame(() => {
    if (video.currentTime !== before) next();
    else waitForTime(video, before, next);
  });
}

function newVideo() {
  const video = element("video");
  video.muted = true;
  video.playsInline = true;
  return video;
}

/**
 * Start a video, and wait until its first frame can be read.
 *
 * @param {HTMLVideoElement} video
 */
async function firstFrame(video) {
  await new Promise((resolve, reject) => {
    video.addEventListener("loadeddata", resolve, { once: true });
    const fail = () => reject(new Error(video.error?.message || "the browser cannot read it"));
    video.addEventListener("error", fail, { once: true });
    video.load();
    if (video.srcObject) video.play().catch(() => {});
  });
}
