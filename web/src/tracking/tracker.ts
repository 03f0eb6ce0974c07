/** Following mouths through a video; see lipseg/tracking. */

import { type Box, longer, near, withoutDoubles } from "../box.js";
import type { TrackParams, TrackingConstants } from "../card.js";
import { LipsegError } from "../errors.js";
import type { Lips } from "../lips.js";
import { type ImageSource, openPicture, type Picture } from "../picture.js";
import type { LipSegmenter } from "../segmenter.js";
import { associate, type Gate, gateOf } from "./matching.js";
import { Schedule } from "./schedule.js";
import { Track } from "./track.js";

/** One mouth in one frame. */
export interface TrackedLips {
  /** The same from frame to frame; counts from 1. */
  id: number;
  /** With the smoothed landmarks. */
  lips: Lips;
  /** As the model gave them. */
  raw: Lips;
}

export interface TrackedFrame {
  index: number;
  /** Seconds. */
  time: number;
  width: number;
  height: number;
  /** By their ids. */
  mouths: TrackedLips[];
  /** Whether the face detector was asked in this frame. */
  detected: boolean;
}

/** Follows every mouth from frame to frame: `const { mouths } = await tracker.next(video)`. */
export class Tracker {
  readonly params: TrackParams;
  /** How often the face detector was asked. */
  detections = 0;
  private readonly known: TrackingConstants;
  private readonly minScore: number;
  private readonly schedule = new Schedule(0);
  private tracks: Track[] = [];
  private ids = 0;
  private time = -Infinity;
  private size: readonly [number, number] | null = null;
  private busy = false;

  constructor(
    private readonly segmenter: LipSegmenter,
    params: Partial<TrackParams> = {},
  ) {
    this.known = segmenter.card.constants.tracking;
    this.params = { ...this.known.params, ...params };
    const { detect_every, search_every, patience, unconfirmed, max_mouths } = this.params;
    if (Math.min(detect_every, search_every, patience, unconfirmed, max_mouths ?? 1) < 1) {
      throw new LipsegError("detect_every, search_every, patience, unconfirmed and max_mouths must be at least 1");
    }
    this.minScore = Math.max(this.params.min_score, segmenter.minScore);
  }

  /**
   * Returns the mouths of the next frame.
   *
   * @param time in seconds; without it frames come at the rate on the card
   * @throws LipsegError if the frame cannot be read, or the last one is still being looked at
   */
  async next(frame: ImageSource, time?: number): Promise<TrackedFrame> {
    if (this.busy) throw new LipsegError("wait for one frame before the next: await tracker.next(frame)");
    this.busy = true;
    try {
      const picture = await openPicture(frame);
      try {
        return await this.nextPicture(picture, time);
      } finally {
        picture.close();
      }
    } finally {
      this.busy = false;
    }
  }

  private async nextPicture(picture: Picture, time?: number): Promise<TrackedFrame> {
    const index = this.schedule.index;
    const now = time ?? (index === 0 ? 0 : this.time + 1 / this.known.fps);
    if (!Number.isFinite(now)) throw new LipsegError(`the time of a frame must be a finite number of seconds, not ${now}`);
    this.time = Math.max(now, this.time);
    const { width, height } = picture;
    if (index > 0 && (this.size?.[0] !== width || this.size[1] !== height)) {
      this.tracks = [];
      this.schedule.atOnce();
    }
    this.size = [width, height];
    this.tracks = this.tracks.filter((track) => !track.lost || this.time - track.time <= this.params.keep_lost_s);
    for (const track of this.tracks) track.predict(this.time);
    for (const track of this.followed()) {
      const { cx, cy } = track.predicted;
      if (!(cx >= -0.5 && cx <= width - 0.5 && cy >= -0.5 && cy <= height - 0.5)) this.lose(track);
    }
    let searched = this.schedule.due();
    const tentative = searched ? await this.search(picture) : [];
    const mouths = await this.look(picture, [...this.followed(), ...tentative]);
    if (!searched && this.schedule.due()) {
      // A mouth was lost just now.
      searched = true;
      mouths.push(...(await this.look(picture, await this.search(picture))));
    }
    if (searched) this.wait();
    this.schedule.index += 1;
    const kept = this.withoutDoubles(mouths).sort((a, b) => a.id - b.id);
    return { index, time: now, width, height, mouths: kept, detected: searched };
  }

  private followed(): Track[] {
    return this.tracks.filter((track) => !track.lost);
  }

  private lose(track: Track): void {
    track.lost = true;
    this.schedule.atOnce();
  }

  private newTrack(box: Box, id = 0): Track {
    return new Track(box, this.known, this.params.smooth, this.segmenter.card, id);
  }

  /** Asks the detector; returns tentative tracks: of lost mouths that may be seen again, and of new people. */
  private async search(picture: Picture): Promise<Track[]> {
    const found = await this.segmenter.asReference(picture);
    let detections = found.lips.map((lips) => lips.box).sort((a, b) => longer(b) - longer(a));
    this.detections += 1;
    const followed = this.followed();
    const gate = gateOf(this.known.followed);
    let pairs = associate(
      followed.map((track) => [track.predicted, gate]),
      detections,
    );
    followed.forEach((track, position) => {
      track.misses = pairs.has(position) ? 0 : track.misses + 1;
      track.lost = track.misses >= this.params.unconfirmed || (track.misses > 0 && track.lowScores > 0);
    });
    let taken = new Set(pairs.values());
    detections = detections.filter((_, position) => !taken.has(position));
    const lost = this.tracks.filter((track) => track.lost);
    pairs = associate(
      lost.map((track) => [track.predicted, this.lostGate(track)]),
      detections,
    );
    const tentative = [...pairs].map(([t, d]) => this.newTrack(detections[d]!, lost[t]!.id));
    if (this.params.new_people) {
      taken = new Set(pairs.values());
      const others = detections.filter((_, position) => !taken.has(position));
      const limit = this.params.max_mouths;
      const room = limit === null ? others.length : Math.max(0, limit - followed.length - tentative.length);
      tentative.push(...others.slice(0, room).map((box) => this.newTrack(box)));
    }
    return tentative;
  }

  private lostGate(track: Track): Gate {
    const { lost_shift, lost_shift_per_s, lost_most, lost_size } = this.known;
    const shift = lost_shift + lost_shift_per_s * (this.time - track.time);
    return { shift: Math.min(shift, lost_most), size: lost_size, turn: Infinity };
  }

  /** Sets when the next detection is due, by how the mouths fared in this one. */
  private wait(): void {
    const followed = this.followed();
    const { detect_every, search_every } = this.params;
    const limit = followed.length ? detect_every : Math.min(detect_every, search_every);
    let settled: boolean | null = null;
    if (followed.some((track) => track.misses === 1)) settled = false;
    else if (followed.length && !this.tracks.some((track) => track.lost || track.misses)) settled = true;
    this.schedule.wait(limit, settled);
  }

  /** Shows the model the mouths of tracks; returns what is seen of them, and keeps or loses the tracks. */
  private async look(picture: Picture, tracks: Track[]): Promise<TrackedLips[]> {
    if (!tracks.length) return [];
    const boxes = tracks.map((track) => track.viewBox());
    const { lips: every } = await this.segmenter.asReference(picture, boxes);
    const mouths: TrackedLips[] = [];
    tracks.forEach((track, index) => {
      const raw = every[index]!;
      const fresh = !track.confirmed;
      const low = !(raw.score >= this.minScore);
      track.lowScores = low ? track.lowScores + 1 : 0;
      const box = track.gate(raw.landmarks, picture.width, picture.height);
      if (!box || track.lowScores >= this.params.patience || (fresh && low)) {
        if (!fresh) this.lose(track);
        return;
      }
      if (track.lowScores === 1) this.schedule.atOnce();
      const smoothed = track.update(raw, box, this.time);
      if (fresh && !this.admit(track)) return;
      // Moved at the very end: the track, and so the next frame's view, follows the reference's answer.
      mouths.push({ id: track.id, lips: this.segmenter.inConvention(smoothed), raw: this.segmenter.inConvention(raw) });
    });
    return mouths;
  }

  /** Takes up a new track, in the place of the lost one whose id it has; not if its mouth is followed already. */
  private admit(track: Track): boolean {
    if (this.followed().some((other) => near(track.box, other.box, this.known.same_mouth))) return false;
    if (track.id) this.tracks = this.tracks.filter((other) => other.id !== track.id);
    else track.id = ++this.ids;
    this.tracks.push(track);
    return true;
  }

  /** Loses all but one of the tracks that have come to lie on one mouth; returns the mouths that are left. */
  private withoutDoubles(mouths: TrackedLips[]): TrackedLips[] {
    const followed = this.followed().sort((a, b) => a.id - b.id);
    if (followed.length > 1) {
      const kept = new Set(
        withoutDoubles(
          followed.map((track) => track.box),
          followed.map((track) => -track.innovation),
          (a, b) => near(a, b, this.known.same_mouth),
        ),
      );
      followed.forEach((track, position) => {
        if (kept.has(position)) return;
        // Where it was before it jumped says better where its mouth will be seen again.
        track.undoUpdate();
        this.lose(track);
      });
    }
    const ids = new Set(this.followed().map((track) => track.id));
    return mouths.filter((mouth) => ids.has(mouth.id));
  }
}
