// Copies ONNX Runtime's smallest build (WebAssembly alone) to the folder that the page serves it from, with a limit.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const [SCRIPT, WASM] = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
// Pages of 64 KB: 1 GB instead of 4, which a few bytes of a network can ask for.
const PAGES = 16384;
const from = new URL("../node_modules/onnxruntime-web/dist/", import.meta.url);
const to = new URL("../public/ort/", import.meta.url);
await mkdir(to, { recursive: true });
await copyFile(fileURLToPath(new URL(WASM, from)), fileURLToPath(new URL(WASM, to)));
const script = await readFile(new URL(SCRIPT, from), "utf8");
const parts = script.split("maximum:65536");
if (parts.length !== 2) throw new Error(`${SCRIPT}: no longer says how much memory it may take`);
await writeFile(new URL(SCRIPT, to), parts.join(`maximum:${PAGES}`));
