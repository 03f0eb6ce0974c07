/** The page: a photo or the camera in; contours, lipstick, meters and downloads out. */

import { type Card, type Detections, type Lips, type LipstickStyle, svgPath, toMaskPng, toRecord, toSvg } from "../src/index.js";
import drawnFaces from "./drawn-faces.jpg";
import { Engine } from "./engine.js";
import type { Answer } from "./messages.js";

const COLOURS: readonly (readonly [name: string, css: string])[] = [
  ["Ruby", "#9e1a3a"],
  ["Coral", "#e4572e"],
  ["Rose", "#d4578a"],
  ["Berry", "#6d1a4d"],
  ["Nude", "#b5715f"],
  ["Plum", "#46203f"],
];

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

const view = element<HTMLCanvasElement>("view");
const frame = element("frame");
const status = element("status");
const rate = element("rate");
const cameraButton = element<HTMLButtonElement>("camera");
const opacity = element<HTMLInputElement>("opacity");
const contours = element<HTMLInputElement>("contours");
const faceChoice = element<HTMLSelectElement>("face");
const downloads = ["mask", "svg", "json"].map((id) => element<HTMLButtonElement>(id));
const context = view.getContext("2d")!;

const engine = new Engine();
let card: Card;
let picture: ImageBitmap | null = null;
let answer: Answer | null = null;
let name = "picture";
let camera: { stream: MediaStream; video: HTMLVideoElement } | null = null;
/** Counts the pictures and cameras that were chosen: what comes late for an earlier one is dropped. */
let turn = 0;

function say(text: string, bad = false): void {
  status.classList.toggle("bad", bad);
  if (status.textContent !== text) status.textContent = text;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the lipstick that is chosen, or null for none. */
function style(): LipstickStyle | null {
  const chosen = document.querySelector<HTMLInputElement>("input[name=colour]:checked")!.value;
  const finish = document.querySelector<HTMLInputElement>("input[name=finish]:checked")!.value;
  if (chosen === "none") return null;
  const colour = chosen === "own" ? element<HTMLInputElement>("own-colour").value : chosen;
  return { colour, opacity: Number(opacity.value) / 100, finish };
}

function radio(group: string, value: string, label: string, checked: boolean): HTMLLabelElement {
  const outer = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name: group, value, checked });
  outer.append(input);
  if (group === "colour") {
    outer.title = label;
    input.setAttribute("aria-label", label);
  } else {
    const text = document.createElement("span");
    text.textContent = label;
    outer.append(text);
  }
  return outer;
}

function buildChoices(): void {
  const swatches = element("swatches");
  const none = radio("colour", "none", "No lipstick", true);
  none.className = "none";
  const own = radio("colour", "own", "A colour of your own", false);
  own.className = "own";
  const paints = COLOURS.map(([label, css]) => {
    const made = radio("colour", css, label, false);
    made.style.setProperty("--paint", css);
    return made;
  });
  const picker = document.createElement("input");
  Object.assign(picker, { type: "color", id: "own-colour", value: "#8c2f8f", hidden: true });
  picker.setAttribute("aria-label", "Your own colour");
  swatches.append(none, ...paints, own, picker);
  const finishes = Object.keys(card.constants.lipstick.finishes);
  element("finishes").append(...finishes.map((finish) => radio("finish", finish, finish, finish === "satin")));
  const states = element("states");
  states.append(...Array.from({ length: card.runtime.components }, () => document.createElement("span")));
}

// What is drawn.

function draw(): void {
  if (!picture) return;
  if (view.width !== picture.width || view.height !== picture.height) {
    view.width = picture.width;
    view.height = picture.height;
  }
  context.drawImage(picture, 0, 0);
  if (!answer) return;
  for (const { x, y, image } of answer.patches) context.putImageData(image, x, y);
  if (contours.checked) answer.found.lips.forEach(drawContours);
}

function drawContours(lips: Lips): void {
  const { outer, inner } = card.constants.drawing;
  context.save();
  // The curves count from the middle of the first pixel, the canvas from its corner.
  context.translate(0.5, 0.5);
  context.lineJoin = "round";
  // As wide on the screen for a small mouth as for a large one, but for very large ones.
  const pixel = view.width / Math.max(view.clientWidth, 1);
  const width = Math.max(1.6 * pixel, lips.width / 120);
  for (const [points, colour] of [[lips.outer, outer], [lips.inner, inner]] as const) {
    const path = new Path2D(svgPath(points));
    context.strokeStyle = "rgb(0 0 0 / 0.45)";
    context.lineWidth = 2 * width;
    context.stroke(path);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }
  context.restore();
}

// What is told.

function percent(value: number): string {
  return `${Math.round(100 * value)} %`;
}

function tell(): void {
  const found = answer?.found;
  const lips = found?.lips ?? [];
  const more = lips.length > 1;
  element("faces").hidden = !more;
  if (faceChoice.options.length !== lips.length) {
    faceChoice.replaceChildren(...lips.map((_, index) => new Option(`${index + 1} of ${lips.length}`, String(index))));
  }
  const shown = lips[Math.max(0, faceChoice.selectedIndex)] ?? lips[0];
  element<HTMLMeterElement>("opening").value = shown?.opening ?? 0;
  element<HTMLMeterElement>("score").value = shown?.score ?? 0;
  element("opening-value").textContent = shown ? `${percent(shown.opening)} of width` : "no mouth yet";
  element("score-value").textContent = shown ? percent(shown.score) : "no mouth yet";
  element("state-value").textContent = shown ? `${shown.component + 1} of ${card.runtime.components}` : "no mouth yet";
  element("states").querySelectorAll("span").forEach((bar, index) => {
    bar.style.setProperty("--share", String(shown?.responsibilities[index] ?? 0));
    bar.classList.toggle("most", index === shown?.component);
  });
  downloads.forEach((button) => (button.disabled = !lips.length));
  const what = camera ? "Camera picture" : "Photo";
  const count = lips.length === 1 ? "one mouth" : `${lips.length} mouths`;
  const label = found ? `${what} with ${count} outlined` : "No picture yet";
  if (view.getAttribute("aria-label") !== label) view.setAttribute("aria-label", label);
}

function found(detections: Detections, spent: number): void {
  const { lips, reason } = detections;
  if (lips.length) {
    const count = lips.length === 1 ? "One mouth" : `${lips.length} mouths`;
    say(`${count} found in ${Math.round(spent)} ms.`);
  } else {
    const word = reason.charAt(0).toUpperCase() + reason.slice(1);
    say(`${word}. Try a picture in which the face is larger, well lit and not covered.`, true);
  }
}

// Photos.

async function show(blob: Blob, called: string): Promise<void> {
  stopCamera();
  const mine = ++turn;
  say("Reading the picture …");
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    say(`${called} cannot be read as a picture. Choose a JPEG, PNG, WebP or AVIF file; a HEIC photo has to be converted first.`, true);
    return;
  }
  if (mine !== turn) return;
  frame.classList.remove("empty");
  view.classList.remove("mirrored");
  rate.hidden = true;
  picture?.close();
  picture = bitmap;
  answer = null;
  name = called.replace(/\.[^.]*$/, "") || "picture";
  draw();
  tell();
  say("Looking for lips …");
  try {
    await ready;
    const seen = await engine.photo(await createImageBitmap(bitmap), style());
    if (mine !== turn) return;
    answer = seen;
    draw();
    tell();
    found(seen.found, seen.spent);
  } catch (error) {
    if (mine === turn) say(message(error), true);
  }
}

/** Paints the photo anew; while one is being painted, only the newest wish waits. */
let painting = false;
let again = false;
async function repaint(): Promise<void> {
  if (camera || !answer) return;
  if (painting) {
    again = true;
    return;
  }
  painting = true;
  const mine = turn;
  try {
    do {
      again = false;
      const seen = await engine.repaint(style());
      if (mine !== turn) return;
      answer = seen;
      draw();
    } while (again);
  } catch (error) {
    say(message(error), true);
  } finally {
    painting = false;
  }
}

// The camera.

const REFUSED: Record<string, string> = {
  NotAllowedError: "The camera was refused. Allow it for this page (the symbol beside its address), then start the camera again.",
  NotFoundError: "There is no camera. Plug one in and start the camera again, or choose a photo.",
  NotReadableError: "Another program is using the camera. Close it, then start the camera again.",
};

async function startCamera(): Promise<void> {
  const mine = ++turn;
  say("Waiting for the camera: your browser may ask for leave …");
  let stream: MediaStream;
  try {
    if (!navigator.mediaDevices) throw new DOMException("no secure page", "SecurityError");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
  } catch (error) {
    const kind = error instanceof DOMException ? error.name : "";
    say(REFUSED[kind] ?? "The camera cannot be used here. Open the page on localhost or over https, or choose a photo.", true);
    return;
  }
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, srcObject: stream });
  try {
    await Promise.all([video.play(), ready]);
    await engine.begin();
  } catch (error) {
    stream.getTracks().forEach((track) => track.stop());
    say(message(error), true);
    return;
  }
  if (mine !== turn) {
    stream.getTracks().forEach((track) => track.stop());
    return;
  }
  camera = { stream, video };
  name = "camera";
  cameraButton.textContent = "Stop the camera";
  frame.classList.remove("empty");
  view.classList.add("mirrored");
  rate.hidden = false;
  stream.getVideoTracks()[0]?.addEventListener("ended", () => {
    if (mine !== turn) return;
    stopCamera();
    say("The camera has stopped. Start it again, or choose a photo.", true);
  });
  void follow(mine, video);
}

function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}

async function follow(mine: number, video: HTMLVideoElement): Promise<void> {
  const start = performance.now();
  let [last, each, spent] = [start, 0, 0];
  let seenAny: boolean | null = null;
  document.body.dataset["frames"] = "0";
  document.body.dataset["lost"] = "0";
  try {
    while (mine === turn) {
      await nextFrame(video);
      const bitmap = await createImageBitmap(video);
      const seen = await engine.frame(bitmap, (performance.now() - start) / 1000, style());
      if (mine !== turn) return;
      picture?.close();
      picture = seen.bitmap!;
      answer = seen;
      draw();
      tell();
      const now = performance.now();
      each += 0.1 * (now - last - each);
      spent += 0.1 * (seen.spent - spent);
      last = now;
      rate.textContent = `${Math.round(1000 / Math.max(each, 1))} frames/s · ${spent.toFixed(1)} ms a frame`;
      const { dataset } = document.body;
      dataset["frames"] = String(Number(dataset["frames"]) + 1);
      dataset["ids"] = seen.ids.join(" ");
      dataset["spent"] = spent.toFixed(2);
      if (!seen.found.lips.length && seenAny) dataset["lost"] = String(Number(dataset["lost"]) + 1);
      const any = seen.found.lips.length > 0;
      if (any !== seenAny) {
        say(any ? "Following your mouth." : "No face found. Come nearer, look at the camera, and let there be light.", !any);
        seenAny = any;
      }
    }
  } catch (error) {
    if (mine !== turn) return;
    stopCamera();
    say(message(error), true);
  }
}

function stopCamera(): void {
  if (!camera) return;
  camera.stream.getTracks().forEach((track) => track.stop());
  camera = null;
  turn++;
  rate.hidden = true;
  cameraButton.textContent = "Start the camera";
  say("The camera is off.");
}

// Downloads.

function save(blob: Blob, ending: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function download(kind: string): Promise<void> {
  if (!answer) return;
  const { found } = answer;
  if (kind === "mask") save(await toMaskPng(found, card), ".mask.png");
  if (kind === "svg") save(new Blob([toSvg(found, name, card)], { type: "image/svg+xml" }), ".svg");
  if (kind === "json") {
    save(new Blob([`${JSON.stringify(toRecord(found, name), null, 1)}\n`], { type: "application/json" }), ".json");
  }
}

// What the user does.

function listen(): void {
  const file = element<HTMLInputElement>("file");
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    if (chosen) void show(chosen, chosen.name);
    file.value = "";
  });
  cameraButton.addEventListener("click", () => (camera ? stopCamera() : void startCamera()));
  element("drawn").addEventListener("click", async () => {
    const response = await fetch(drawnFaces);
    await show(await response.blob(), "drawn-faces.jpg");
  });
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (pasted) void show(pasted, pasted.name || "pasted.png");
    else say("There is no picture on the clipboard. Copy a picture first, then paste it here.", true);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    frame.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) frame.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    frame.classList.remove("dropping");
    const dropped = event.dataTransfer?.files[0];
    if (dropped) void show(dropped, dropped.name);
    else say("That was no file. Save the picture first, then drop its file here.", true);
  });
  opacity.addEventListener("input", () => {
    element("opacity-value").textContent = `${opacity.value} %`;
    void repaint();
  });
  for (const id of ["swatches", "finishes"]) {
    element(id).addEventListener("input", () => {
      const own = document.querySelector<HTMLInputElement>("input[name=colour]:checked")!.value === "own";
      element("own-colour").hidden = !own;
      void repaint();
    });
  }
  contours.addEventListener("change", draw);
  // The lines' width on the screen stays when the window's changes.
  new ResizeObserver(draw).observe(view);
  faceChoice.addEventListener("change", tell);
  downloads.forEach((button) => button.addEventListener("click", () => void download(button.id)));
}

async function load(): Promise<void> {
  const threads = new URLSearchParams(location.search).get("threads");
  const base = new URL(".", location.href);
  card = await engine.load(new URL("model/", base).href, new URL("ort/", base).href, threads ? Number(threads) : undefined);
  buildChoices();
  tell();
  element("origin").textContent = location.host;
  document.body.dataset["ready"] = String(Math.round(performance.now()));
}

const ready = load();
listen();
ready.then(
  () => {
    if (!picture && !camera) say("Ready. Drop, paste or choose a photo, or start the camera.");
  },
  (error: unknown) => say(`The model cannot be loaded: ${message(error)}`, true),
);
