/** Networks in ONNX Runtime. */

import * as wasm from "onnxruntime-web/wasm";
import { inBrief, LipsegError } from "./errors.js";
import { checkOnnx } from "./onnxFile.js";

type Runtime = typeof wasm;
export type Outputs = Record<string, Float32Array>;
/** The outputs that are wanted, and how many numbers each has for a view. */
export type Wanted = Readonly<Record<string, number>>;

/** What the networks run on: WebAssembly, the graphics card, or whichever of the two answers sooner here. */
export type Backend = "wasm" | "webgpu" | "fastest";

export interface RuntimeOptions {
  /** Threads of WebAssembly; more than one only where the page is cross-origin isolated. */
  threads?: number;
  /** Folder that ONNX Runtime's own .mjs and .wasm files are served from; by default beside its script. */
  runtimeUrl?: string | URL;
  backend?: Backend;
}

/** Views that go through a network at once. */
const CHUNK = 32;

/** What the runtimes were last told; WebGPU's comes later, and as a script of its own knows nothing of it. */
let told: RuntimeOptions = {};

/** Sets what can be set only before the first network is opened. */
export function configure(options: RuntimeOptions): void {
  told = options;
  set(options, wasm);
}

function set(options: RuntimeOptions, runtime: Runtime): void {
  const isolated = globalThis.crossOriginIsolated === true;
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  runtime.env.wasm.numThreads = isolated ? (options.threads ?? Math.min(4, Math.max(1, cores >> 1))) : 1;
  if (options.runtimeUrl !== undefined) {
    const folder = String(options.runtimeUrl);
    runtime.env.wasm.wasmPaths = folder.endsWith("/") ? folder : `${folder}/`;
  }
  runtime.env.logLevel = "error";
}

/** Has the runtime fetched and compiled while the model's files come: it has no call for that, so it is given no network. */
export function startRuntime(): void {
  wasm.InferenceSession.create(new Uint8Array(), { logSeverityLevel: 4 }).catch(() => {});
}

/** A network ready to run. */
export class Network {
  private constructor(
    private readonly runtime: Runtime,
    private readonly session: wasm.InferenceSession,
    readonly backend: "wasm" | "webgpu",
    private readonly origin: string,
  ) {}

  /**
   * Opens a network.
   *
   * @param content of the ONNX file
   * @param origin what the file is called in messages
   * @throws LipsegError if it is no network that ONNX Runtime can load, or asks for what no network of lipseg needs
   */
  static async open(content: Uint8Array, origin: string, backend: "wasm" | "webgpu" = "wasm"): Promise<Network> {
    checkOnnx(content, origin);
    try {
      const runtime = backend === "webgpu" ? ((await import("onnxruntime-web/webgpu")) as unknown as Runtime) : wasm;
      if (runtime !== wasm) set(told, runtime);
      const session = await runtime.InferenceSession.create(content, {
        executionProviders: [backend],
        graphOptimizationLevel: "all",
        logSeverityLevel: 4,
      });
      return new Network(runtime, session, backend, origin);
    } catch (error) {
      throw new LipsegError(`${origin}: ONNX Runtime cannot load it (${inBrief(error)})`);
    }
  }

  /**
   * Returns outputs by their names; whole numbers come as floats too.
   *
   * @param wanted how many numbers each output must have
   * @throws LipsegError if the network does not run, or gives other than so many finite numbers
   */
  async run(type: "uint8" | "float32", data: Uint8Array | Float32Array, shape: number[], wanted: Wanted): Promise<Outputs> {
    const outputs: Outputs = {};
    try {
      const tensor =
        type === "uint8"
          ? new this.runtime.Tensor("uint8", data as Uint8Array, shape)
          : new this.runtime.Tensor("float32", data as Float32Array, shape);
      const found = await this.session.run({ [this.session.inputNames[0]!]: tensor }, Object.keys(wanted));
      for (const [name, count] of Object.entries(wanted)) {
        const values = found[name]!.data;
        if (values.length !== count) throw new Misfit(`gives ${values.length} numbers as "${name}", not ${count}`);
        if (values instanceof Float32Array) outputs[name] = values;
        else if (values instanceof BigInt64Array) outputs[name] = Float32Array.from(values, Number);
        else throw new Misfit(`gives "${name}" as another type of number than lipseg's networks do`);
        if (!finite(outputs[name])) throw new Misfit(`gives what is no number as "${name}"`);
      }
    } catch (error) {
      const what = error instanceof Misfit ? error.message : `ONNX Runtime cannot run it (${inBrief(error)})`;
      throw new LipsegError(`${this.origin}: ${what}; get the folder again`);
    }
    return outputs;
  }

  /** Returns the outputs for `size` x `size` RGB views, any number of them; throws as `run` does. */
  async look(views: readonly Uint8Array[], size: number, wanted: Wanted): Promise<Outputs> {
    const parts: Outputs[] = [];
    for (let start = 0; start < views.length; start += CHUNK) {
      const chunk = views.slice(start, start + CHUNK);
      const data = new Uint8Array(3 * size * size * chunk.length);
      chunk.forEach((view, index) => data.set(view, index * view.length));
      const counts = Object.fromEntries(Object.entries(wanted).map(([name, each]) => [name, each * chunk.length]));
      parts.push(await this.run("uint8", data, [chunk.length, size, size, 3], counts));
    }
    if (parts.length === 1) return parts[0]!;
    return Object.fromEntries(Object.keys(wanted).map((name) => [name, joined(parts.map((part) => part[name]!))]));
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** A network that gives what none of lipseg's does. */
class Misfit extends Error {}

/** A number less itself is 0, and no number where it is infinite or none: many times faster than asking each. */
function finite(values: Float32Array): boolean {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at]! - values[at]!;
  return sum === 0;
}

function joined(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** Opens a network that sees views, on the backend that was asked for; for "fastest" both are timed on a black view. */
export async function openViews(
  content: Uint8Array,
  origin: string,
  size: number,
  wanted: Wanted,
  backend: Backend,
): Promise<Network> {
  if (backend !== "fastest") return Network.open(content, origin, backend);
  const slow = await Network.open(content, origin);
  if (!("gpu" in (globalThis.navigator ?? {}))) return slow;
  let quick: Network;
  try {
    quick = await Network.open(content, origin, "webgpu");
  } catch {
    return slow;
  }
  const [cpu, gpu] = [await timed(slow, size, wanted), await timed(quick, size, wanted)];
  const [kept, dropped] = gpu < cpu ? [quick, slow] : [slow, quick];
  await dropped.release();
  return kept;
}

/** Returns the milliseconds of the quickest of a few runs. */
async function timed(network: Network, size: number, wanted: Wanted): Promise<number> {
  const view = [new Uint8Array(3 * size * size)];
  let best = Infinity;
  for (let run = 0; run < 5; run++) {
    const start = performance.now();
    await network.look(view, size, wanted);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
