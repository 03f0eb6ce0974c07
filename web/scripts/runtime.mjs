// Copies ONNX Runtime's smallest build (WebAssembly alone) to the folder that the page serves it from.
import { copyFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const from = new URL("../node_modules/onnxruntime-web/dist/", import.meta.url);
const to = new URL("../public/ort/", import.meta.url);
await mkdir(to, { recursive: true });
for (const name of ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]) {
  await copyFile(fileURLToPath(new URL(name, from)), fileURLToPath(new URL(name, to)));
}
