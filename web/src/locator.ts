/** From a face box to the mouth's box and whether a mouth can be seen; see lipseg/inference/locator.py. */

import { type Box, makeBox, type Point, side } from "./box.js";
import { offset, type Runtime } from "./card.js";
import { fromUnit, viewToImage } from "./geometry.js";
import type { Network } from "./network.js";
import type { Picture } from "./picture.js";
import { warp } from "./resample.js";

/** Middles of a mouth box's sides: left, right, top, bottom. */
const POINTS = 4;
export const LOCATOR_OUTPUTS = ["points_unit", "presence"];

export interface Sighting {
  mouth: Box;
  /** Logit of the probability that a mouth can be seen. */
  presence: number;
}

export class Locator {
  constructor(
    private readonly network: Network,
    private readonly constants: NonNullable<Runtime["locator"]>,
    private readonly smallest: number,
  ) {}

  /** Returns the mouth of each face, of which there is at least one. */
  async locate(picture: Picture, faces: readonly Box[]): Promise<Sighting[]> {
    const { view, relation, passes } = this.constants;
    let at = [...faces];
    let sightings: Sighting[] = [];
    for (let pass = 0; pass < passes; pass++) {
      if (pass) {
        at = sightings.map(({ mouth }, index) => {
          const length = mouth.width / relation.width;
          const off = offset(relation, mouth);
          const first = side(faces[index]!);
          const near = Math.min(Math.max(length, 0.5 * first), 2 * first);
          return { ...mouth, cx: mouth.cx - off.x * length, cy: mouth.cy - off.y * length, width: near, height: near };
        });
      }
      const maps = at.map((face) => viewToImage(face, view.margin * side(face), view.margin * side(face), view.size));
      const views = maps.map((map) => warp(picture, map, view.size, true));
      const found = await this.network.look(views, view.size, LOCATOR_OUTPUTS);
      sightings = maps.map((map, index) => {
        const points = fromUnit(found["points_unit"]!, 2 * POINTS * index, POINTS, view.size, map);
        const mouth = mouthOf(points, this.smallest, faces[index]!);
        return { mouth, presence: found["presence"]![index]! };
      });
    }
    return sightings;
  }
}

/** Returns the box whose side middles are four points; score and origin are the face's. */
export function mouthOf(points: readonly Point[], smallest: number, face: Box): Box {
  const [[lx, ly], [rx, ry], [tx, ty], [bx, by]] = points as readonly [Point, Point, Point, Point];
  const roll = Math.atan2(ry - ly, rx - lx);
  const width = Math.max(Math.hypot(rx - lx, ry - ly), smallest);
  const height = Math.max(Math.cos(roll) * (by - ty) - Math.sin(roll) * (bx - tx), 0.1 * width);
  const box = makeBox((lx + rx + tx + bx) / 4, (ly + ry + ty + by) / 4, width, height, roll, face.origin);
  return { ...box, score: face.score };
}
