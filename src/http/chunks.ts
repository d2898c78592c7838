// The bytes of a body as they arrive, copied together: otherwise a server that sends them one by one would cost a
// hundred times their size.

const FIRST_CAPACITY = 16 * 1024;
const NOTHING = Buffer.alloc(0);

export class Chunks {
  #bytes: Buffer = NOTHING;
  #length = 0;
  /** The bytes belong to others, and nothing may be written after them. */
  #isForeign = false;

  get length(): number {
    return this.#length;
  }

  add(chunk: Buffer): void {
    // Nearly all bodies arrive at once: those are not copied.
    if (this.#length === 0) {
      this.#bytes = chunk;
      this.#length = chunk.length;
      this.#isForeign = true;
      return;
    }
    const length = this.#length + chunk.length;
    if (this.#isForeign || length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.#length, FIRST_CAPACITY));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
      this.#isForeign = false;
    }
    chunk.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** All of them; nothing may be added afterwards. */
  whole(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
