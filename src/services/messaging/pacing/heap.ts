// A heap of session slots by a number: smallest first; moving or removing any slot takes O(log n). Each node has four
// children: half as deep as a binary heap, and half as many cache misses.

export interface Heap {
  size(): number;
  /** The slot with the smallest key, the lower slot among equals; -1 if the heap is empty. */
  top(): number;
  /** Infinity if the heap is empty. */
  topKey(): number;
  has(slot: number): boolean;
  /** Inserts the slot, or moves it to its new key. */
  set(slot: number, key: number): void;
  /** Takes the slot out, if it is in. */
  delete(slot: number): void;
}

/** Positions of slots, which several heaps may share if no slot is in two of them at once. */
export type Positions = number[];

/**
 * @param positions where the heap keeps its slots; shared by heaps that never hold the same slot
 * @param work counts the comparisons, so that a test can tell O(log n) from O(n) without a clock
 */
export function createHeap(work: { count: number }, positions: Positions = []): Heap {
  const slots: number[] = [];
  const keys: number[] = [];
  // Never past the end: after one such read, an array returns its numbers boxed.
  const keyAt = (index: number) => keys[index] ?? Number.POSITIVE_INFINITY;
  const slotAt = (index: number) => slots[index] ?? -1;

  function isBefore(key: number, slot: number, index: number): boolean {
    work.count += 1;
    const other = keyAt(index);
    return key < other || (key === other && slot < slotAt(index));
  }

  function write(index: number, slot: number, key: number): void {
    slots[index] = slot;
    keys[index] = key;
    positions[slot] = index;
  }

  /** Finds the place of a slot, starting at a free index. */
  function place(start: number, slot: number, key: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 2;
      if (!isBefore(key, slot, parent)) break;
      write(index, slotAt(parent), keyAt(parent));
      index = parent;
    }
    for (let first = 4 * index + 1; first < slots.length; first = 4 * index + 1) {
      let child = first;
      const end = Math.min(first + 4, slots.length);
      for (let other = first + 1; other < end; other++)
        if (isBefore(keyAt(other), slotAt(other), child)) child = other;
      if (isBefore(key, slot, child)) break;
      write(index, slotAt(child), keyAt(child));
      index = child;
    }
    write(index, slot, key);
  }

  /** The slot's position in this heap; -1: it is not in it, or in another one that shares the positions. */
  function find(slot: number): number {
    const index = positions[slot] ?? -1;
    return index >= 0 && slots[index] === slot ? index : -1;
  }

  return {
    size: () => slots.length,
    top: () => (slots.length > 0 ? slotAt(0) : -1),
    topKey: () => (slots.length > 0 ? keyAt(0) : Number.POSITIVE_INFINITY),
    has: (slot) => find(slot) >= 0,
    set(slot, key) {
      const index = find(slot);
      if (index >= 0) return place(index, slot, key);
      slots.push(slot);
      keys.push(key);
      place(slots.length - 1, slot, key);
    },
    delete(slot) {
      const index = find(slot);
      if (index < 0) return;
      positions[slot] = -1;
      const lastSlot = slots.pop() ?? -1;
      const lastKey = keys.pop() ?? 0;
      if (lastSlot !== slot) place(index, lastSlot, lastKey);
    },
  };
}
