/** What `npm pack` gives can be installed elsewhere: it has types, is bundled, and finds lips. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";
import { apart, golden, type XY } from "./golden.js";

const web = fileURLToPath(new URL("..", import.meta.url));

const CONSUMER = `
import { LipSegmenter, type Lips } from "lipseg";
const lips = await LipSegmenter.load("/consumer/model", { threads: 1 });
const image = await createImageBitmap(await (await fetch("/golden/smile.png")).blob());
const found: Lips[] = (await lips.segment(image)).lips;
(globalThis as { answer?: unknown }).answer = found.map(({ landmarks }) => landmarks);
`;

test("a project of its own installs the package, checks its types, bundles it and finds lips", async ({ page }) => {
  test.setTimeout(240_000);
  const project = mkdtempSync(join(tmpdir(), "lipseg-consumer-"));
  try {
    const [packed] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--pack-destination", project], { cwd: web, encoding: "utf8" }),
    ) as { filename: string; files: { path: string }[] }[];
    const paths = packed!.files.map(({ path }) => path);
    for (const path of ["LICENSE", "README.md", "package.json", "dist/lib/lipseg.js", "dist/lib/model/card.json"]) {
      expect(paths).toContain(path);
    }
    expect(paths.filter((path) => !/^(dist\/lib\/|LICENSE|README\.md|package\.json)/.test(path))).toEqual([]);

    const installed = join(project, "node_modules", "lipseg");
    mkdirSync(installed, { recursive: true });
    execFileSync("tar", ["xzf", join(project, packed!.filename), "--strip-components=1", "-C", installed]);
    // Its one dependency, as npm would put it there.
    symlinkSync(join(web, "node_modules", "onnxruntime-web"), join(project, "node_modules", "onnxruntime-web"));
    writeFileSync(join(project, "main.ts"), CONSUMER);
    writeFileSync(join(project, "index.html"), '<!doctype html><title>consumer</title><script type="module" src="./main.ts"></script>');
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    const tsc = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"];
    execFileSync(join(web, "node_modules", ".bin", "tsc"), [...tsc, "--lib", "es2023,dom", "main.ts"], { cwd: project });
    const target = join(web, "dist", "consumer");
    execFileSync(
      join(web, "node_modules", ".bin", "vite"),
      ["build", "--base", "/consumer/", "--outDir", target, "--emptyOutDir", "--target", "es2022"],
      { cwd: project },
    );
    cpSync(join(installed, "dist", "lib", "model"), join(target, "model"), { recursive: true });
    expect(readFileSync(join(target, "index.html"), "utf8")).toContain("/consumer/assets/");
    await page.goto("/consumer/");
    await page.waitForFunction(() => "answer" in globalThis, undefined, { timeout: 60_000 });
    const [landmarks] = (await page.evaluate(() => (globalThis as { answer?: unknown }).answer)) as XY[][];
    expect(apart(landmarks!, golden.pictures["smile"]!.lips[0]!.landmarks)).toBeLessThan(0.5);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});
