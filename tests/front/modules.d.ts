/** The modules that a test loads from a copy of the front end, by file name. */
export interface FrontModules {
  "attraction.js": typeof import("../../lzu_viz/widgets/front/attraction.js");
  "curves.js": typeof import("../../lzu_viz/widgets/front/curves.js");
  "explore.js": typeof import("../../lzu_viz/widgets/front/explore.js");
  "film_store.js": typeof import("../../lzu_viz/widgets/front/film_store.js");
  "follow.js": typeof import("../../lzu_viz/widgets/front/follow.js");
  "inverse.js": typeof import("../../lzu_viz/widgets/front/inverse.js");
  "layout.js": typeof import("../../lzu_viz/widgets/front/layout.js");
  "mipmap.js": typeof import("../../lzu_viz/widgets/front/mipmap.js");
  "resampling.js": typeof import("../../lzu_viz/widgets/front/resampling.js");
  "paint.js": typeof import("../../lzu_viz/widgets/front/paint.js");
  "saliency.js": typeof import("../../lzu_viz/widgets/front/saliency.js");
  "state_to_warp.js": typeof import("../../lzu_viz/widgets/front/state_to_warp.js");
  "store.js": typeof import("../../lzu_viz/widgets/front/store.js");
  "timeline.js": typeof import("../../lzu_viz/widgets/front/timeline.js");
  "video_loop.js": typeof import("../../lzu_viz/widgets/front/video_loop.js");
  "warp.js": typeof import("../../lzu_viz/widgets/front/warp.js");
}
