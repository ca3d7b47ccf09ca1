/**
 * The results of the explorer, computed in the page: what the Python modules `result` and
 * `protocol` compute where there is a kernel.
 *
 * @import { CellValues, Edges, FeatureMap, KernelMap, Level, NetworkEntry, NumberMap } from "./types.d.ts"
 * @import { PagePrediction, PageResult, SaliencyMap, Size, State, Warp } from "./types.d.ts"
 *
 * @typedef {object} Source a photo.
 * @property {Level[]} mipmap
 * @property {?{box: Edges, mask: Uint8Array}} truth the true box, and the true mask of `maskSize`.
 *
 * @typedef {(network: string, image: Float32Array, size: Size, names: string[]) =>
 *     Promise<Record<string, FeatureMap>>} Run as `Networks.run` does.
 */
import { approximationError, roundTripError } from "./approximation.js";
import { boxIou, decodeOutputs } from "./detections.js";
import { bilinearTaps, norms, normsAt, sampleAt } from "./feature_maps.js";
import { fromDetections, fromEdges, fromProbabilities } from "./image_saliency.js";
import { magnification, zoomedMap } from "./inverse.js";
import { maskIou, maskOf, shareOf } from "./masks.js";
import { outputNames, planes } from "./networks.js";
import { roundHalfEven } from "./numbers.js";
import { zoomPicture, zoomToFloats } from "./resampling.js";
import { linesOf, summaryOf } from "./result_text.js";
import { UNIFORM_FIELDS, saliencyOf, warpOf } from "./state_to_warp.js";
import { folds, identityWarp } from "./warp.js";

/** Longest side of a predicted mask, in pixels. */
const MASK_SIDE = 640;
/** Longest side of the map of the round trip, in pixels. */
const MAP_SIDE = 256;
const NO_NUMBER = 255;
const PERSON = "person";
/** Size of the map of which the highest magnification is shown. */
const MAGNIFICATION_SIZE = /** @type {const} */ ([120, 180]);
const IDENTITY = identityWarp(1, 1);

/** The results for the states of one photo. */
export class PageExplorer {
  /**
   * @param {Source} source
   * @param {Record<string, NetworkEntry>} networks by name.
   * @param {Run} run
   */
  constructor(source, networks, run) {
    this.source = source;
    this.networks = networks;
    this.run = run;
    const { width, height } = source.mipmap[0];
    /** @type {Size} */
    this.size = { rows: height, columns: width };
    this.maskSize = atMost(source.mipmap[0], MASK_SIDE);
    /** @type {Map<string, Promise<Record<string, FeatureMap>>>} outputs for the uniform image. */
    this.uniformOutputs = new Map();
    /** @type {?{key: string, prediction: PagePrediction}} */
    this.lastUniform = null;
  }

  /**
   * The result of a state.
   *
   * @param {State} state
   * @param {string[]} views the names of the views whose maps are computed.
   * @returns {Promise<PageResult>}
   * @throws {Error} if the warp is folded.
   */
  async explore(state, views) {
    const imageSaliency = await this.imageSaliency(state);
    const { map, warp } = this.warpOf(state, imageSaliency);
    const { mipmap } = this.source;
    const side = state.input_size;
    const zoomed = zoomToFloats(mipmap, warp, square(side), state.antialias);
    const entry = this.networks[state.network];
    const featureViews = ["features_zoomed", "features_unzoomed"].filter((name) =>
      views.includes(name),
    );
    /** @type {Record<string, NumberMap>} */
    const maps = {};
    let [uniform, prediction] = [noPrediction(), noPrediction()];
    if (entry) {
      const level = levelOf(entry, state);
      const names = outputNames(entry);
      if (featureViews.length) names.push(`features_${level}`);
      const outputs = await this.run(state.network, planes(zoomed), square(side), names);
      prediction = this.predict(outputs, entry, warp, state);
      uniform = await this.uniformPrediction(state, entry);
      if (featureViews.length) Object.assign(maps, featureMaps(outputs[`features_${level}`], warp));
    }
    const error = approximationError(state, map, this.size);
    maps.approximation = error;
    if (views.includes("round_trip")) maps.round_trip = this.roundTrip(zoomed, warp, side);
    const squares = error.values.reduce((total, value) => total + value * value, 0);
    const numbers = {
      peakMagnification: largest(magnification(warp, ...MAGNIFICATION_SIZE)),
      errorRms: Math.sqrt(squares / error.values.length),
      errorWorst: largest(error.values),
      roundTripError: roundTripError(warp, this.size),
      colourChange: maps.round_trip ? meanOf(maps.round_trip.values) : null,
    };
    return {
      state,
      summary: summaryOf(state, uniform, prediction),
      lines: linesOf(state, uniform, prediction, numbers),
      uniform,
      zoom: prediction,
      maps: encodeMaps(maps, views),
      saliency: imageSaliency && {
        ...imageSaliency,
        cells: new Uint8Array(Float32Array.from(imageSaliency.cells).buffer),
      },
    };
  }

  /**
   * The IoU of both systems in a state; null without ground truth or without a network.
   *
   * @param {State} state
   */
  async scores(state) {
    const entry = this.networks[state.network];
    if (!entry || !this.source.truth) return null;
    const { warp } = this.warpOf(state, await this.imageSaliency(state));
    const side = state.input_size;
    const image = planes(zoomToFloats(this.source.mipmap, warp, square(side), state.antialias));
    const outputs = await this.run(state.network, image, square(side), outputNames(entry));
    const uniform = await this.uniformPrediction(state, entry);
    const { iou } = this.predict(outputs, entry, warp, state);
    return uniform.iou === null || iou === null ? null : { uniform: uniform.iou, zoom: iou };
  }

  /**
   * The features of the selected stride in four cells of the zoomed map, of the channel whose
   * weighted sum is the largest.
   *
   * @param {State} state
   * @param {number[]} cells indices.
   * @param {number[]} weights of the cells.
   * @returns {Promise<?CellValues>} null without a network.
   */
  async cellValues(state, cells, weights) {
    const entry = this.networks[state.network];
    if (!entry) return null;
    const { warp } = this.warpOf(state, await this.imageSaliency(state));
    const size = square(state.input_size);
    const image = planes(zoomToFloats(this.source.mipmap, warp, size, state.antialias));
    const name = `features_${levelOf(entry, state)}`;
    const { channels, rows, columns, data } = (await this.run(state.network, image, size, [name]))[
      name
    ];
    const valuesOf = (/** @type {number} */ channel) =>
      cells.map((cell) => data[channel * rows * columns + cell]);
    const sums = Array.from({ length: channels }, (_, channel) =>
      valuesOf(channel).reduce((total, value, index) => total + weights[index] * value, 0),
    );
    const channel = sums.indexOf(Math.max(...sums));
    return { channel, channels, values: valuesOf(channel) };
  }

  /**
   * @param {State} state
   * @param {?SaliencyMap} imageSaliency
   */
  warpOf(state, imageSaliency) {
    const { width, height } = this.source.mipmap[0];
    const map = saliencyOf(state, { width, height }, imageSaliency);
    if (!map)
      throw new Error(`the page cannot compute the saliency '${state.saliency_kind}' by itself`);
    const warp = warpOf(state, map);
    const folded = folds(warp);
    if (folded.length) {
      const [row, column] = folded[0];
      throw new Error(
        `the warp is folded in ${folded.length} of its pieces, first in row ${row}, column ${column}`,
      );
    }
    return { map, warp };
  }

  /**
   * The outputs of a state's network for the uniformly downsampled photo, computed once.
   *
   * @param {State} state
   */
  uniform({ network, input_size: side, antialias }) {
    const key = `${network} ${side} ${antialias}`;
    let outputs = this.uniformOutputs.get(key);
    if (!outputs) {
      const image = planes(zoomToFloats(this.source.mipmap, IDENTITY, square(side), antialias));
      outputs = this.run(network, image, square(side), outputNames(this.networks[network]));
      this.uniformOutputs.set(key, outputs);
    }
    return outputs;
  }

  /**
   * The prediction for the uniformly downsampled photo, which stays while a fovea is dragged.
   *
   * @param {State} state
   * @param {NetworkEntry} entry
   */
  async uniformPrediction(state, entry) {
    const key = UNIFORM_FIELDS.map((field) => state[field]).join();
    if (this.lastUniform?.key !== key) {
      const prediction = this.predict(await this.uniform(state), entry, IDENTITY, state);
      this.lastUniform = { key, prediction };
    }
    return this.lastUniform.prediction;
  }

  /**
   * The prediction of a network in the source frame.
   *
   * @param {Record<string, FeatureMap>} outputs
   * @param {NetworkEntry} entry
   * @param {Warp} warp
   * @param {State} state
   * @returns {PagePrediction}
   */
  predict(outputs, entry, warp, state) {
    const { truth } = this.source;
    const maps = outputNames(entry).map((name) => outputs[name]);
    if (entry.task === "segmentation") {
      const mask = maskOf(maps[0], warp, this.maskSize, state.probability / 100);
      const iou = truth ? maskIou(mask.cells, truth.mask) : null;
      const share = shareOf(mask);
      return { ...noPrediction(), found: share > 0, share, iou, mask };
    }
    const found = decodeOutputs(maps, warp, {
      strides: entry.strides,
      size: [state.input_size, state.input_size],
      upsampleFactor: entry.upsample_factor,
      threshold: state.score / 100,
    });
    const people = found.filter(({ label }) => entry.classes[label] === PERSON);
    return {
      ...noPrediction(),
      found: found.length > 0,
      iou: truth ? Math.max(0, ...people.map(({ box }) => boxIou(box, truth.box))) : null,
      boxes: found.map(({ box, label, score }) => [
        box,
        `${entry.classes[label]} ${score.toFixed(2)}`,
      ]),
    };
  }

  /**
   * The saliency of the photo, for the kinds that need it.
   *
   * @param {State} state
   * @returns {Promise<?SaliencyMap>}
   */
  async imageSaliency(state) {
    const size = { rows: state.columns / 2, columns: state.columns };
    if (state.saliency_kind === "edges") return fromEdges(this.source.mipmap[0], size);
    if (state.saliency_kind !== "network") return null;
    const entry = this.networks[state.network];
    if (!entry) return fromDetections([], 1, size);
    const outputs = await this.uniform(state);
    const maps = outputNames(entry).map((name) => outputs[name]);
    if (entry.task === "segmentation") {
      const [logits] = maps;
      const probabilities = logits.data.map((logit) => 1 / (1 + Math.exp(-logit)));
      return fromProbabilities(probabilities, logits, size);
    }
    const found = decodeOutputs(maps, IDENTITY, {
      strides: entry.strides,
      size: [state.input_size, state.input_size],
      upsampleFactor: 1,
      threshold: state.score / 100,
    });
    const boxes = found.map(({ box }) => box);
    return fromDetections(boxes, state.relative_sigma / 100, size);
  }

  /**
   * The mean absolute change of the photo by zoom and unzoom, in grey levels.
   *
   * @param {Float32Array} zoomed RGBA.
   * @param {Warp} warp
   * @param {number} side
   * @returns {NumberMap & {values: Float32Array}}
   */
  roundTrip(zoomed, warp, side) {
    const size = atMost(this.source.mipmap[0], MAP_SIDE);
    const { rows, columns } = size;
    const before = new Float32Array(rows * columns * 4);
    zoomPicture(this.source.mipmap, IDENTITY, rows, columns, true, before);
    const points = zoomedMap(warp, rows, columns);
    const taps = bilinearTaps({ rows: side, columns: side }, points);
    const channels = planes(zoomed);
    const values = new Float32Array(rows * columns).map((_, pixel) => {
      if (Number.isNaN(points[2 * pixel])) return NaN;
      const change = [0, 1, 2].map((channel) => {
        const after = 255 * sampleAt(channels, channel * side * side, taps, pixel);
        return Math.abs(after - before[4 * pixel + channel]);
      });
      return (change[0] + change[1] + change[2]) / 3;
    });
    return { ...size, values };
  }
}

/** @returns {PagePrediction} */
const noPrediction = () => ({ found: false, share: null, iou: null, mask: null, boxes: [] });

/** @returns {Size} */
const square = (/** @type {number} */ side) => ({ rows: side, columns: side });

/**
 * The level of the feature map that a state selects.
 *
 * @param {NetworkEntry} entry
 * @param {State} state
 */
function levelOf({ strides }, state) {
  return strides.length > 1 ? Math.max(strides.indexOf(Number(state.stride)), 0) : 0;
}

/**
 * The norms of a feature map in both frames.
 *
 * @param {FeatureMap} map
 * @param {Warp} warp
 */
function featureMaps(map, warp) {
  const { rows, columns } = map;
  const taps = bilinearTaps(map, zoomedMap(warp, rows, columns));
  return {
    features_zoomed: { rows, columns, values: norms(map) },
    features_unzoomed: { rows, columns, values: normsAt(map, taps) },
  };
}

/**
 * Maps as bytes, 0 to 254 for values from 0 to the maximum, 255 for NaN. Zoomed and unzoomed
 * features share one scale.
 *
 * @param {Record<string, NumberMap>} maps
 * @param {string[]} views
 */
function encodeMaps(maps, views) {
  const names = Object.keys(maps).filter((name) => views.includes(name));
  const isFeatures = (/** @type {string} */ name) => name.startsWith("features");
  const top = (/** @type {string} */ name) => largest(maps[name].values) || 1;
  const shared = Math.max(...names.filter(isFeatures).map(top));
  /** @type {Record<string, KernelMap>} */
  const encoded = {};
  for (const name of names) {
    const { rows, columns, values } = maps[name];
    const maximum = isFeatures(name) ? shared : top(name);
    const data = Uint8Array.from(values, (value) =>
      Number.isNaN(value) ? NO_NUMBER : Math.round((value * (NO_NUMBER - 1)) / maximum),
    );
    encoded[name] = { rows, columns, maximum, data };
  }
  return encoded;
}

/** @param {ArrayLike<number>} values */
function largest(values) {
  let maximum = 0;
  for (let index = 0; index < values.length; index++)
    if (values[index] > maximum && Number.isFinite(values[index])) maximum = values[index];
  return maximum;
}

/** @param {ArrayLike<number>} values */
function meanOf(values) {
  let [total, count] = [0, 0];
  for (let index = 0; index < values.length; index++) {
    if (Number.isNaN(values[index])) continue;
    total += values[index];
    count += 1;
  }
  return total / count;
}

/**
 * The size of a picture, reduced so that its longest side is at most `side`.
 *
 * @param {{width: number, height: number}} picture
 * @param {number} side
 * @returns {Size}
 */
function atMost({ width, height }, side) {
  const scale = Math.min(1, side / Math.max(width, height));
  return { rows: roundHalfEven(height * scale), columns: roundHalfEven(width * scale) };
}
