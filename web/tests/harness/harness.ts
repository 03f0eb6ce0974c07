/** The library and its rooms, within reach of the tests' `page.evaluate`. */

import * as box from "../../src/box.js";
import { parseCard } from "../../src/card.js";
import { YuNet } from "../../src/detector.js";
import * as geometry from "../../src/geometry.js";
import * as lipseg from "../../src/index.js";
import { makeLips } from "../../src/lips.js";
import { Network } from "../../src/network.js";
import { LOCATOR_OUTPUTS, mouthOf } from "../../src/locator.js";
import { openPicture } from "../../src/picture.js";
import * as resample from "../../src/resample.js";

async function bitmap(name: string): Promise<ImageBitmap> {
  const response = await fetch(`/golden/${name}`);
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

async function imageData(name: string): Promise<ImageData> {
  const picture = await bitmap(name);
  const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d")!;
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, picture.width, picture.height);
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

let loaded: Promise<lipseg.LipSegmenter> | null = null;

/** Returns the segmenter that all tests of a page share: one thread. */
function segmenter(): Promise<lipseg.LipSegmenter> {
  loaded ??= lipseg.LipSegmenter.load("/model", { runtimeUrl: "/ort/", threads: 1 });
  return loaded;
}

const networks = new Map<string, Promise<Network>>();

/** Returns a network of the model's folder. */
function network(name: string): Promise<Network> {
  if (!networks.has(name)) {
    const content = fetch(`/model/${name}`).then(async (response) => new Uint8Array(await response.arrayBuffer()));
    networks.set(name, content.then((bytes) => Network.open(bytes, name)));
  }
  return networks.get(name)!;
}

/** Says in a worker of the page what the library finds there. */
function inWorker(name: string): Promise<unknown> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(name);
  });
}

const harness = {
  ...lipseg,
  box,
  geometry,
  resample,
  network,
  LOCATOR_OUTPUTS,
  makeLips,
  parseCard,
  mouthOf,
  YuNet,
  openPicture,
  bitmap,
  imageData,
  bytes,
  segmenter,
  inWorker,
};
export type Harness = typeof harness;
declare global {
  var h: Harness;
}
globalThis.h = harness;
