/** The worker, as functions. */

import type { Card, LipstickStyle } from "../src/index.js";
import type { Answer, Reply, Request } from "./messages.js";

export class Engine {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });

  async load(modelUrl: string, runtimeUrl: string, threads?: number): Promise<Card> {
    const reply = await this.ask({ kind: "load", modelUrl, runtimeUrl, threads });
    if (reply.kind !== "loaded") throw new Error("the worker gave no card");
    return reply.card;
  }

  photo(bitmap: ImageBitmap, style: LipstickStyle | null): Promise<Answer> {
    return this.answer({ kind: "photo", bitmap, style }, [bitmap]);
  }

  repaint(style: LipstickStyle | null): Promise<Answer> {
    return this.answer({ kind: "repaint", style });
  }

  async begin(): Promise<void> {
    await this.ask({ kind: "begin" });
  }

  frame(bitmap: ImageBitmap, time: number, style: LipstickStyle | null): Promise<Answer> {
    return this.answer({ kind: "frame", bitmap, time, style }, [bitmap]);
  }

  private async answer(request: Request, moved: Transferable[] = []): Promise<Answer> {
    const reply = await this.ask(request, moved);
    if (reply.kind !== "answer") throw new Error("the worker gave no answer");
    return reply.answer;
  }

  private ask(request: Request, moved: Transferable[] = []): Promise<Reply> {
    const { port1, port2 } = new MessageChannel();
    return new Promise((resolve, reject) => {
      port1.onmessage = ({ data }: MessageEvent<Reply>) => {
        port1.close();
        if (data.kind === "failed") reject(new Error(data.message));
        else resolve(data);
      };
      this.worker.onerror = (event) => reject(new Error(event.message || "the worker could not be started"));
      this.worker.postMessage(request, [...moved, port2]);
    });
  }
}
