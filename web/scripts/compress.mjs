// Writes FILE.br beside every larger file of a folder: what web servers send to browsers that take Brotli.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const compress = promisify(brotliCompress);
const SMALLEST = 1024;
const folder = process.argv[2];
const sizes = { files: 0, before: 0, after: 0 };
for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || /\.(br|png|jpg|woff2|tgz|mjpeg)$/.test(entry.name)) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const content = await readFile(path);
  if (content.length < SMALLEST) continue;
  const small = await compress(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  await writeFile(`${path}.br`, small);
  sizes.files += 1;
  sizes.before += content.length;
  sizes.after += small.length;
}
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`${folder}: ${sizes.files} files compressed, ${megabytes(sizes.before)} to ${megabytes(sizes.after)}`);
