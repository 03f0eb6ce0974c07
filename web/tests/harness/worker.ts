import { LipSegmenter } from "../../src/index.js";

addEventListener("message", async ({ data }: MessageEvent<string>) => {
  const response = await fetch(`/golden/${data}`);
  const picture = await createImageBitmap(await response.blob());
  const lips = await LipSegmenter.load("/model", { runtimeUrl: "/ort/", threads: 1 });
  const { lips: found } = await lips.segment(picture);
  postMessage(found.map(({ landmarks }) => landmarks));
});
