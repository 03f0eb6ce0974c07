/** lipseg in the browser: lips in pictures and video as contours, masks and lipstick. */

export type { Box, Corners, Point } from "./box.js";
export type { Card, Convention, OneEuroParams, TrackParams } from "./card.js";
export type { FaceDetector } from "./detector.js";
export { bezierControls, smooth, svgPath } from "./curves.js";
export { LipsegError } from "./errors.js";
export { faceRecord, toMaskPng, toRecord, toSvg } from "./formats.js";
export type { Detections, Lips } from "./lips.js";
export { Lipstick, type LipstickStyle, type Patch, type Wearer } from "./makeup/lipstick.js";
export { LABELS, labelMap, type Matte, matte } from "./masks.js";
export type { Backend } from "./network.js";
export type { ImageSource, Picture, Raster } from "./picture.js";
export { LipSegmenter, type LoadOptions, type SegmentOptions } from "./segmenter.js";
export { type TrackedFrame, type TrackedLips, Tracker } from "./tracking/tracker.js";
