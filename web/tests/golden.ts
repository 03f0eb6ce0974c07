/** What lipseg in Python answers: written by web/python/golden.py. */

import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import type { Box } from "../src/box.js";

export type XY = [number, number];

export type GoldenBox = Omit<Box, "score" | "origin">;

export interface GoldenLips {
  box: GoldenBox;
  score: number;
  component: number;
  responsibilities: number[];
  landmarks: XY[];
  record: { width: number; opening: number; opening_px: number; areas: Record<string, number> };
}

export interface Golden {
  views: { picture: string; box: GoldenBox; matrix: number[][]; pixels: string; again: { box: GoldenBox; pixels: string }; points: XY[]; score: number; component: number }[];
  attempts: { picture: string; attempts: (GoldenBox & { score: number; origin: string })[][] }[];
  locator: { picture: string; face: GoldenBox; pixels: string; mouth: GoldenBox; presence: number }[];
  pictures: Record<string, { reason: string; lips: GoldenLips[] }>;
  boxed: { picture: string; corners: [number, number, number, number]; lips: GoldenLips };
  conventions: { picture: string; each: { name: string; lips: GoldenLips; tracked: XY[] }[] };
  labels: string;
  matte: string;
  svg: string;
  json: Record<string, unknown>;
  lipstick: { colour: [number, number, number]; opacity: number; finishes: Record<string, string> };
  tracked: { fps: number; detections: number; frames: { id: number; landmarks: XY[] }[][] };
}

export const golden = JSON.parse(readFileSync(new URL("../golden/cases.json", import.meta.url), "utf8")) as Golden;

/** Returns the mean distance between two rows of points. */
export function apart(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return a.reduce((sum, [x, y], k) => sum + Math.hypot(x! - b[k]![0]!, y! - b[k]![1]!), 0) / a.length;
}

/** Returns the largest distance between two rows of points. */
export function farthest(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return Math.max(...a.map(([x, y], k) => Math.hypot(x! - b[k]![0]!, y! - b[k]![1]!)));
}

export async function openHarness(page: Page): Promise<void> {
  await page.goto("/harness/");
  await page.waitForFunction(() => "h" in globalThis);
}
