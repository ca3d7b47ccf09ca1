/** Types that several modules share. They are read by the type checker only. */

export interface Size {
  rows: number;
  columns: number;
}

/** A map of positive numbers over the source frame, row by row, that sums to 1. */
export interface SaliencyMap extends Size {
  cells: Float64Array;
}

/**
 * A warp maps the zoomed frame to the source frame and is bilinear on each of rows x columns
 * pieces. `grid` holds the source point (x, y) of every node, row by row; for a separable warp
 * `axes` holds the same for each axis. A warp must not be modified: results derived from it are
 * cached.
 */
export interface Warp extends Size {
  grid: Float64Array;
  axes: Axes | null;
}

export interface Axes {
  x: Float64Array;
  y: Float64Array;
}

export type Point = [x: number, y: number];
export type Rgb = [red: number, green: number, blue: number];

/** Left, top, right, bottom in [-1, 1]. */
export type Edges = [left: number, top: number, right: number, bottom: number];

export type Bytes = Uint8ClampedArray<ArrayBuffer>;

/** RGBA in 0..255, row by row; bytes round and clip by themselves. */
export type Pixels = Bytes | Float32Array<ArrayBuffer>;

/** Bytes from Python: a view of the message from a kernel, an array in a static page. */
export type BinaryData = DataView<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** RGBA, row by row. */
export interface Picture {
  width: number;
  height: number;
  data: Bytes;
}

/** A level of a mipmap: RGB, row by row; `extent` is the part (x, y) that the picture takes up. */
export interface Level {
  width: number;
  height: number;
  extent: [x: number, y: number];
  data: Float32Array;
}

/** The rectangle of a canvas, in its pixels, that shows a frame. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Numbers over a frame, row by row; NaN where there is none. `maximum` is the upper end, if given. */
export interface NumberMap extends Size {
  values: Float64Array | Float32Array;
  maximum?: number;
}

// --- The model: what Python and the page exchange. `state.py` and `protocol.py` define the fields. ---

export interface FoveaState {
  x: number;
  y: number;
  /** The standard deviation in percent of the frame's sides; of a box, its width. */
  width: number;
}

export interface BoxState extends FoveaState {
  height: number;
}

/** A moved node of the control grid, and how far it is moved in the source frame. */
export interface NodeState {
  row: number;
  column: number;
  dx: number;
  dy: number;
}

export interface State {
  saliency_kind: string;
  /** What dragging moves: "saliency" (foveas or boxes) or "nodes". */
  drag_target: string;
  foveas: FoveaState[];
  boxes: BoxState[];
  nodes: NodeState[];
  strength: number;
  /** The standard deviation of a box's Gaussian, in percent of the box's sides. */
  relative_sigma: number;
  bandwidth: number;
  columns: number;
  pieces: number;
  fwhm: number;
  separable: boolean;
  anti_crop: boolean;
  morph: number;
  input_size: number;
  antialias: boolean;
  network: string;
  probability: number;
  score: number;
  /** The stride of the feature map that is shown, as text. */
  stride: string;
  serial?: string;
  /** Of a message: that the page computes the result itself. */
  is_computed?: boolean;
}

/** What a network predicts in one view. */
export interface Prediction {
  found: boolean;
  /** Intersection over union with the ground truth, if that is known. */
  iou?: number | null;
  /** The part of the image that the mask covers, in 0..1. */
  share?: number | null;
  /** A PNG; from a network in the page, an image. */
  mask?: BinaryData | ImageBitmap | null;
  /** The edges of each box, and its label. */
  boxes?: [Edges, string][];
}

/** What the kernel computes for a state, or the error that it raised. */
export interface Result {
  /** The serial number of the message that it answers. */
  serial?: string | number | null;
  state?: State | null;
  error?: string;
  /** What zooming changed, as a sentence. */
  summary?: string;
  lines?: string[];
  took_ms?: number;
  /** The saliency of the photo, for the kinds that the page cannot compute. */
  saliency?: (Size & { cells: BinaryData }) | null;
  uniform?: Prediction;
  zoom?: Prediction;
  maps?: Record<string, KernelMap>;
}

/** A map as bytes: 0..254 stand for 0..maximum, 255 for no number. */
export interface KernelMap extends Size {
  data: BinaryData;
  maximum: number;
}

// --- Networks that run in the page. ---

/** A map `channels rows columns`. */
export interface FeatureMap extends Size {
  channels: number;
  data: Float32Array;
}

/** What the page has to know of a network. */
export interface NetworkEntry {
  task: "detection" | "segmentation";
  /** Of its maps in pixels of its input. */
  strides: number[];
  classes: string[];
  /** Size of the unzoomed outputs relative to the network's own. */
  upsample_factor: number;
}

export interface PagePrediction {
  found: boolean;
  share: number | null;
  iou: number | null;
  mask: (Size & { cells: Uint8Array }) | null;
  boxes: [Edges, string][];
}

/** A file of the networks; the page may hold it itself, compressed, as bytes or as base64. */
export interface NetworkFile {
  bytes: number;
  sha256: string;
  gzip?: string | BinaryData;
}

/** The files of a network from a kernel, or the error. */
export interface NetworkMessage {
  name: string;
  error?: string;
  worker: string;
  files: Record<string, NetworkFile>;
  networks: Record<string, NetworkEntry>;
  colour: number[];
  truth: { box: Edges; mask: BinaryData } | null;
}

/** What `network_worker.js` is asked for. */
export type WorkerRequest =
  | {
      kind: "start";
      base: string;
      files: Record<string, NetworkFile>;
      networks: Record<string, NetworkEntry>;
    }
  | { kind: "files"; files: Record<string, NetworkFile> }
  | { kind: "load"; serial: string; network: string }
  | { kind: "photo"; picture: Picture; truth: Truth | null }
  | { kind: "explore"; serial: string; state: State; views: string[]; colour: number[] }
  | { kind: "score"; serial: string; state: State }
  | { kind: "cells"; serial: string; state: State; cells: number[]; weights: number[] };

/** The prediction of the uniform system; null if it is that of the last result. */
export interface DrawnUniform {
  uniform: Prediction | null;
}

/** What it answers. */
export type WorkerAnswer =
  | { kind: "progress"; loaded: number; total: number }
  | { kind: "loaded"; serial: string }
  | { kind: "result"; serial: string; result: Omit<Result, "uniform"> & DrawnUniform }
  | { kind: "error" | "failed"; serial: string; text: string }
  | { kind: "score"; serial: string; score: ScorePair | null }
  | { kind: "cells"; serial: string; cells: CellValues | null };

/** The features of one channel in the cells that were asked for. */
export interface CellValues {
  channel: number;
  channels: number;
  values: number[];
}

export interface PageResult {
  state: State;
  summary: string;
  lines: string[];
  uniform: PagePrediction;
  zoom: PagePrediction;
  maps: Record<string, KernelMap>;
  saliency: (Size & { cells: Uint8Array<ArrayBuffer> }) | null;
}

export interface GroundTruth {
  box?: Edges;
  outline?: BinaryData;
}

export interface View {
  name: string;
  caption: string;
  frame: string;
  unit: string;
  /** "from 0", or "about 1" on a logarithmic scale. */
  scale: string;
}

export interface Control {
  name: string;
  label: string;
  legend: string;
  group: string;
  /** Whether it is one of those that matter most. */
  main: boolean;
  unit: string;
  low: number;
  high: number;
  step: number;
  options: string[];
  /** A field of the state and its values for which the control is shown. */
  when: [keyof State, unknown[]] | null;
  shown: boolean;
}

export interface Colours {
  prediction: string;
  ground_truth: string;
  fold: string;
  fovea: string;
  grid: string;
  ink: string;
  /** RGB of 256 steps. */
  map: Uint8Array;
  /** RGB of 256 steps, about the middle. */
  diverging: Uint8Array;
}

/** The IoU of both systems. */
export interface ScorePair {
  uniform: number;
  zoom: number;
}

/** A state with a title. */
export interface Preset {
  title: string;
  state: State;
}

/** The traits of the widget. */
export interface Traits {
  _state: State;
  _result: Result;
  _photo: BinaryData;
  _ground_truth: GroundTruth;
  _views: View[];
  _controls: Control[];
  /** The minimum and the maximum number of entries of each list of the state. */
  _lists: Record<ListName | "nodes", [number, number]>;
  _colours: Omit<Colours, "map" | "diverging"> & { map: BinaryData; diverging: BinaryData };
  /** Whether the photo is one of the reader's own. */
  _is_uploaded: boolean;
  /** A photo; without a file, the request to go back to the first one. */
  _presets: Preset[];
  /** A state to which the page shall go. */
  _goal: { serial: number; state?: State };
  /** A state whose score is wanted, and the answer; undefined where there is no kernel. */
  _question: { serial?: string; state?: State } | undefined;
  _score: { serial?: string; score?: ScorePair | null } | undefined;
  /** The cells whose features the page asks for, and the answer; null without a network. */
  _follow: { serial?: string; state?: State; cells?: number[]; weights?: number[] } | undefined;
  _followed: { serial?: string; cells?: CellValues | null } | undefined;
  /** The network whose files the page asks the kernel for, and the answer. */
  _wanted_network: { name?: string; hasRuntime?: boolean } | undefined;
  _network: NetworkMessage | undefined;
  _upload: {
    serial?: string | number;
    width?: number;
    height?: number;
    file?: DataView<ArrayBuffer>;
    back?: boolean;
  };
}

/** The part of an anywidget model that the page uses. */
export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on(event: string, listener: (model?: { comm_live?: boolean }) => void): void;
  save_changes(): void;
}

/** A state with a button, and its result. */
export interface Prepared {
  title: string;
  state: State;
  result: Result;
}

/** The true box of a photo, and the true mask, of the size of predicted masks. */
export interface Truth {
  box: Edges;
  mask: Uint8Array;
}

/** What Python writes into a page without a kernel. */
export interface PageData {
  values: Traits;
  prepared: Prepared[];
  truth: Truth | null;
  /** The state whose foveas and boxes a photo of the reader begins with. */
  middle: State;
  networks: NetworkData | null;
}

/** What a page needs to run networks. */
export interface NetworkData {
  /** The module of the worker. */
  worker: string;
  /** The address of the folder with the files. */
  base: string;
  files: Record<string, NetworkFile>;
  networks: Record<string, NetworkEntry>;
  /** RGB of masks. */
  colour: number[];
}

export type ListName = "foveas" | "boxes";

/** What a pointer or a key acts on: an entry of a list of the state, or a node of the grid. */
export type TargetKind = ListName | "nodes";

// --- The figure. ---

export interface FigureTraits {
  description: string;
  /** "light" or "dark". */
  theme: string;
}

export interface FigureModel {
  get<Name extends keyof FigureTraits>(name: Name): FigureTraits[Name];
  set<Name extends keyof FigureTraits>(name: Name, value: FigureTraits[Name]): void;
  on(event: "change:description", listener: () => void): void;
  save_changes(): void;
}

// --- The quest. ---

export interface QuestTraits {
  chosen: string;
  _question: string;
  _options: { text: string; why: string; is_right: boolean; is_shown: boolean }[];
}

export interface QuestModel {
  get<Name extends keyof QuestTraits>(name: Name): QuestTraits[Name];
  set<Name extends keyof QuestTraits>(name: Name, value: QuestTraits[Name]): void;
  on(event: "change:chosen", listener: () => void): void;
  save_changes(): void;
}

// --- The player. `film_worker.py` defines the messages. ---

/** Left, top, right, bottom in [-1, 1], and class and score as text. */
export type FoundBox = [edges: Edges, label: string];

export interface Film {
  count: number;
  rows: number;
  columns: number;
  /** Frames per second. */
  rate: number;
  /** Number of frames after the shown one that are computed in advance. */
  ahead: number;
  /** Rows and columns of the networks' input. */
  input: [rows: number, columns: number];
  /** The name of the zooming system. */
  system: string;
  /** The name of the class that is followed and shown; empty for all classes. */
  followed: string;
}

/** What the zooming system found in a frame, and the warp by which it zoomed. */
export interface ZoomAnswer {
  boxes: FoundBox[];
  /** The boxes of previous frames, from which the warp was made. */
  expected: Edges[];
  /** The nodes of the warp on each axis. */
  x: number[];
  y: number[];
}

/** A message from the kernel; a frame comes with the JPEGs of its pictures. */
export type FilmMessage =
  | {
      kind: "frame";
      index: number;
      uniform: { boxes: FoundBox[] } | null;
      zoom: ZoomAnswer | null;
    }
  | { kind: "progress"; start: number; uniform: number[]; zoom: number[] }
  | { kind: "error"; index: number; text: string };

/** What the page asks the kernel for. */
export interface FilmRequest {
  serial: string;
  frame: number;
  wanted: number[];
  seen: boolean;
  known: number;
  closed?: boolean;
}

export interface PlayerTraits {
  frame: number;
  _film: Film;
  _colours: PlayerColours;
  _request: FilmRequest;
}

export interface PlayerColours {
  /** Of the boxes that each system finds. */
  uniform: string;
  zoom: string;
  grid: string;
  ink: string;
}

/** The part of the player's anywidget model that the page uses. */
export interface PlayerModel {
  get<Name extends keyof PlayerTraits>(name: Name): PlayerTraits[Name];
  set<Name extends keyof PlayerTraits>(name: Name, value: PlayerTraits[Name]): void;
  on(event: "change:frame", listener: () => void): void;
  on(event: "msg:custom", listener: (message: FilmMessage, buffers: BinaryData[]) => void): void;
  save_changes(): void;
}

// --- The page on film. ---

/** How the detections of one frame become the warp of the next; as `Loop` in Python. */
export interface LoopSettings {
  amplitude: number;
  relativeSigma: number;
}

export interface LiveDetection {
  box: Edges;
  score: number;
  name: string;
}

/** Milliseconds of each stage. */
export interface StageTimes {
  zoom: number;
  network: number;
  decode: number;
}

/** What `live_worker.js` is asked for; without boxes, the frame is downsampled uniformly. */
export type LiveRequest =
  | {
      kind: "start";
      base: string;
      files: Record<string, NetworkFile>;
      networks: Record<string, NetworkEntry>;
    }
  | {
      kind: "detect";
      frame: Picture;
      boxes: Edges[] | null;
      loop: LoopSettings;
      size: Size;
      score: number;
    };

/** What it found in a frame, in the source frame, and the input of the network. */
export interface LiveResult {
  detections: LiveDetection[];
  axes: Axes | null;
  input: ImageBitmap;
  took: StageTimes;
}

/** What it answers: requests are answered in order. */
export type LiveAnswer =
  | { kind: "progress"; loaded: number; total: number }
  | { kind: "loaded" }
  | ({ kind: "detected" } & LiveResult)
  | { kind: "error" | "failed"; text: string };

/** What the reader can choose. */
export interface LiveSettings extends LoopSettings {
  size: Size;
  patience: number;
  score: number;
  /** Name of the class that is followed and counted; "" for all. */
  followed: string;
}

/** The data that Python writes into the page. */
export interface LiveData {
  worker: string;
  base: string;
  files: Record<string, NetworkFile>;
  networks: Record<string, NetworkEntry>;
  /** Address of the film that is shown first, and of whom it is. */
  film: string;
  credit: string;
  sizes: Size[];
  presets: { title: string; text: string; settings: LiveSettings }[];
  colours: PlayerColours;
}

// --- The story of the front page. ---

/** What is shown in a step of the story. */
export interface StoryStep {
  /** Name of the picture. */
  picture: string;
  /** Whether it has as few pixels as the input of the network. */
  isInput: boolean;
  /** How far it is zoomed, and how visible the grid is, in 0..1. */
  morph: number;
  grid: number;
  /** Description of the picture. */
  text: string;
}

export interface StoryData {
  /** JPEG files in base64, of the source frame. */
  pictures: Record<string, string>;
  axes: { x: number[]; y: number[] };
  /** Of the input of the network. */
  size: Size;
  gridColour: string;
  steps: StoryStep[];
}
