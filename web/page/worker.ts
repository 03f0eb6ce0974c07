/** Does the page's work beside its thread, so that the page stays at hand while a large photo is searched. */

import { type Detections, LipSegmenter, Lipstick, type LipstickStyle, type Tracker, type Wearer } from "../src/index.js";
import type { Answer, Reply, Request } from "./messages.js";

let segmenter: LipSegmenter;
let tracker: Tracker;
let photo: ImageBitmap | null = null;
let found: Detections | null = null;
let lipstick: { style: string; made: Lipstick } | null = null;

/** Returns the lipstick of a style; a new one goes on with what the last has learnt of the lips. */
function lipstickOf(style: LipstickStyle): Lipstick {
  const key = JSON.stringify(style);
  if (lipstick?.style !== key) {
    const made = new Lipstick(segmenter.card, style);
    if (lipstick) made.remember(lipstick.made);
    lipstick = { style: key, made };
  }
  return lipstick.made;
}

/** Of a photo's lips those that are painted: a mouth that is probably none stays bare, as in a video and as `lipseg makeup` has it. */
const sure = ({ lips }: Detections): Wearer[] => lips.filter(({ score }) => score >= segmenter.card.constants.tracking.params.min_score);

async function painted(image: ImageBitmap, wearers: readonly Wearer[], style: LipstickStyle | null): Promise<Pick<Answer, "patches" | "painting">> {
  const start = performance.now();
  const patches = style && wearers.length ? await lipstickOf(style).apply(image, wearers) : [];
  return { patches, painting: performance.now() - start };
}

async function answer(request: Request): Promise<Reply> {
  switch (request.kind) {
    case "load": {
      const { modelUrl, runtimeUrl, threads } = request;
      segmenter = await LipSegmenter.load(modelUrl, { runtimeUrl, threads });
      return { kind: "loaded", card: segmenter.card };
    }
    case "photo": {
      photo?.close();
      photo = request.bitmap;
      const start = performance.now();
      found = await segmenter.segment(photo);
      const spent = performance.now() - start;
      return { kind: "answer", answer: { found, ids: [], spent, ...(await painted(photo, sure(found), request.style)) } };
    }
    case "repaint": {
      if (!photo || !found) throw new Error("there is no photo to paint");
      return { kind: "answer", answer: { found, ids: [], spent: 0, ...(await painted(photo, sure(found), request.style)) } };
    }
    case "begin":
      tracker = segmenter.tracker();
      return { kind: "begun" };
    case "frame": {
      const { bitmap, time, style } = request;
      const start = performance.now();
      const frame = await tracker.next(bitmap, time);
      const spent = performance.now() - start;
      const { mouths, width, height } = frame;
      const { no_face } = segmenter.card.constants.finding;
      const seen = { lips: mouths.map(({ lips }) => lips), width, height, reason: mouths.length ? "" : no_face };
      const paint = await painted(bitmap, mouths, style);
      return { kind: "answer", answer: { found: seen, ids: mouths.map(({ id }) => id), spent, bitmap, ...paint } };
    }
  }
}

addEventListener("message", async ({ data, ports }: MessageEvent<Request>) => {
  let reply: Reply;
  try {
    reply = await answer(data);
  } catch (error) {
    reply = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  const moved: Transferable[] =
    reply.kind === "answer"
      ? [...reply.answer.patches.map(({ image }) => image.data.buffer), ...(reply.answer.bitmap ? [reply.answer.bitmap] : [])]
      : [];
  ports[0]!.postMessage(reply, moved);
});
