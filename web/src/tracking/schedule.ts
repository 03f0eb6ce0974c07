/** When the detector is asked: rarely while all goes well, at once when a mouth is lost, then ever more rarely. */
export class Schedule {
  /** Of the current frame, counted from 0. */
  index = 0;
  private gap = 1;

  constructor(private following: number) {}

  /** Whether the current frame is to be searched. */
  due(): boolean {
    return this.index >= this.following;
  }

  /** Makes the current frame due, or the next one if this frame is over. */
  atOnce(): void {
    this.following = this.index;
    this.gap = 1;
  }

  /** Sets when the next detection is due: settled waits the whole limit, unsettled a frame, null twice as long as last. */
  wait(limit: number, settled: boolean | null): void {
    if (settled !== null) this.gap = settled ? limit : 1;
    this.following = this.index + Math.min(this.gap, limit);
    this.gap = Math.min(2 * this.gap, limit);
  }
}
