import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { defineConfig } from "@playwright/test";

const PORT = 5199;
// As scripts/missing.sh looks for it.
const folders = process.env["PATH"]?.split(delimiter) ?? [];
const chromium =
  process.env["CHROMIUM"] ??
  ["chromium", "chromium-browser", "google-chrome"].flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);

export default defineConfig({
  testDir: "tests",
  timeout: 120_000,
  workers: 1,
  // Other work on the machine can hold a camera or a page up beyond a limit; what fails three times is wrong.
  retries: 2,
  reporter: [["list"]],
  use: {
    baseURL: `http://localhost:${PORT}`,
    browserName: "chromium",
    launchOptions: {
      executablePath: chromium,
      // As root and in small containers Chromium needs these two.
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    },
  },
  webServer: {
    command: `node scripts/serve.mjs dist/page /harness=dist/harness /consumer=dist/consumer /golden=golden --port ${PORT}`,
    port: PORT,
    reuseExistingServer: false,
  },
});
