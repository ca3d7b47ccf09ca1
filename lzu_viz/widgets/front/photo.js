/**
 * Photos: decoded for drawing, and reduced for the kernel.
 *
 * @import { BinaryData } from "./types.d.ts"
 */
import { context2d } from "./paint.js";

const MAX_SENT_PIXELS = 2_000_000;
const MAX_DECODED_PIXELS = 100_000_000;
const MAX_BYTES = 200_000_000;
const JPEG_QUALITY = 0.92;

/**
 * Copy bytes to a buffer of their own: those from a kernel may start anywhere in its message.
 *
 * @param {BinaryData} bytes
 */
export function copyBytes({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength).slice().buffer;
}

/**
 * Decode an image file to RGBA pixels.
 *
 * @param {BinaryData} bytes
 */
export async function decodePhoto(bytes) {
  const image = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = context2d(canvas);
  context.drawImage(image, 0, 0);
  image.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/**
 * Reduce a photo of the user to the size that the kernel accepts, as a JPEG.
 *
 * @param {File} file
 * @returns {Promise<{width: number, height: number, file: DataView<ArrayBuffer>}>} with the original size.
 * @throws {Error} if the photo cannot be read, or is too large or too small.
 */
export async function reducePhoto(file) {
  if (file.size > MAX_BYTES)
    throw new Error(
      `the file has ${Math.round(file.size / 1e6)} MB, the limit is ${MAX_BYTES / 1e6} MB`,
    );
  // The header is read first: a small file may hold a huge picture.
  const { width, height } = await measurePhoto(file);
  if (Math.min(width, height) < 2)
    throw new Error(`it has ${width} x ${height} pixels, at least 2 x 2 are needed`);
  if (width * height > MAX_DECODED_PIXELS) {
    const megapixels = Math.round((width * height) / 1e6);
    throw new Error(`it has ${megapixels} megapixels, the limit is ${MAX_DECODED_PIXELS / 1e6}`);
  }
  const scale = Math.min(1, Math.sqrt(MAX_SENT_PIXELS / (width * height)));
  const [across, down] = [width, height].map((side) => Math.max(2, Math.floor(side * scale)));
  const image = await createImageBitmap(
    file,
    scale < 1 ? { resizeWidth: across, resizeHeight: down, resizeQuality: "high" } : {},
  );
  const canvas = new OffscreenCanvas(across, down);
  const context = context2d(canvas);
  context.fillStyle = "white"; // behind transparent pixels
  context.fillRect(0, 0, across, down);
  context.drawImage(image, 0, 0, across, down);
  image.close();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
  return { width, height, file: new DataView(await blob.arrayBuffer()) };
}

/**
 * The size of a picture in a file, without decoding it.
 *
 * @param {File} file
 * @returns {Promise<{width: number, height: number}>}
 */
function measurePhoto(file) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    const url = URL.createObjectURL(file);
    image.onload = () => {
      URL.revokeObjectURL(url);
      resolve({ width: image.naturalWidth, height: image.naturalHeight });
    };
    image.onerror = () => {
      URL.revokeObjectURL(url);
      reject(new Error("this browser cannot read it as an image"));
    };
    image.src = url;
  });
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));
