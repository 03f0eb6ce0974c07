import { defaultClientConditions, defineConfig } from "vite";

// ONNX Runtime without its WebAssembly packed in: that is served as a file of its own, compiled while it arrives.
const conditions = [...defaultClientConditions, "onnxruntime-web-use-extern-wasm"];

export default defineConfig(({ mode }) => ({
  root: mode === "harness" ? "tests/harness" : "page",
  base: "./",
  publicDir: mode === "harness" ? false : "../public",
  resolve: { conditions },
  worker: { format: "es" },
  build: {
    outDir: mode === "harness" ? "../../dist/harness" : "../dist/page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
  },
}));
