// Serves folders on localhost as a static web server would: `node scripts/serve.mjs FOLDER [/PATH=FOLDER …] [--port N]`.
// Its headers isolate the page, so that WebAssembly may use threads, and keep it from asking other servers for anything.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".onnx": "application/octet-stream",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
const arguments_ = process.argv.slice(2);
const flag = arguments_.indexOf("--port");
const port = flag < 0 ? 5173 : Number(arguments_.splice(flag, 2)[1]);
const roots = arguments_.map((text) => (text.includes("=") ? text.split("=") : ["/", text]));
roots.sort((a, b) => b[0].length - a[0].length);

function fileOf(path) {
  const [prefix, folder] = roots.find(([prefix]) => path.startsWith(prefix)) ?? [];
  if (!folder) return null;
  let file = normalize(join(folder, path.slice(prefix.length)));
  if (file !== normalize(folder) && !file.startsWith(normalize(folder + sep))) return null;
  if (existsSync(file) && statSync(file).isDirectory()) file = join(file, "index.html");
  return existsSync(file) ? file : null;
}

const server = createServer((request, response) => {
  const file = fileOf(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  if (!file) return void response.writeHead(404).end("not found\n");
  const headers = {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    // What Vite writes carries a hash in its name; the rest is asked for again, and answered briefly if it is the same.
    "Cache-Control": file.includes(`${sep}assets${sep}`) ? "public, max-age=31536000, immutable" : "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy":
      "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; " +
      "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' blob:; style-src 'self'",
    "X-Content-Type-Options": "nosniff",
    Vary: "Accept-Encoding",
  };
  const packed = /\bbr\b/.test(request.headers["accept-encoding"] ?? "") && existsSync(`${file}.br`);
  if (packed) headers["Content-Encoding"] = "br";
  const sent = packed ? `${file}.br` : file;
  const { size, mtimeMs } = statSync(sent);
  headers.ETag = `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`;
  if (request.headers["if-none-match"] === headers.ETag) return void response.writeHead(304, headers).end();
  headers["Content-Length"] = size;
  response.writeHead(200, headers);
  if (request.method === "HEAD") response.end();
  else createReadStream(sent).pipe(response);
});
server.on("error", (error) => {
  console.error(`error: port ${port} cannot be used (${error.code}); choose another with --port`);
  process.exit(1);
});
server.listen(port, "127.0.0.1", () => console.log(`lipseg in the browser: http://localhost:${port}/ (stop with Ctrl-C)`));
