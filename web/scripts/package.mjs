// Puts beside the library what its npm package takes along: the model's folder and the licence.
import { copyFile, cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
await cp(place("../public/model"), place("../dist/lib/model"), { recursive: true });
await copyFile(place("../../LICENSE"), place("../LICENSE"));
