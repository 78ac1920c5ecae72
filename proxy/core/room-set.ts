/** The rooms of a session or a stream, with a mark by which a change is seen without comparing. */
import type { BareKey } from '../xml/address.ts';

export class RoomSet extends Set<BareKey> {
  /** Grows with each change. */
  version = 0;

  override add(key: BareKey): this {
    if (!this.has(key)) this.version += 1;
    return super.add(key);
  }

  override delete(key: BareKey): boolean {
    const isDeleted = super.delete(key);
    if (isDeleted) this.version += 1;
    return isDeleted;
  }

  override clear(): void {
    if (this.size > 0) this.version += 1;
    super.clear();
  }
}
