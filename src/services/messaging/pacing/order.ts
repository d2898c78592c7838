// Finds the largest of many growing indices without looking at all of them.
//
// The scale of the index is divided into levels, each a fifth above the one below. A slot is in the heap of its level,
// keyed by the time when it will cross into the next one, so it is only looked at then: everything in the highest level
// is within RATIO of the largest index, and the top of its heap is about to be the first to leave it. A slot that has
// just been polled is far below the levels that matter, and would climb through dozens of them: it sleeps instead,
// until it reaches `entry`, the level above which a sixteenth of the slots were at the last count. So there are one to
// three crossings per turn, whatever n, each O(log n). When none is above `entry`, or more than a sixth are, all are
// counted again, in O(n): at least n/16 turns (or removals) lie between two counts, so a turn's share of it is
// constant.

import { type Curves, PRECISION } from "./estimates.ts";
import { createHeap, type Heap, type Positions } from "./heap.ts";

/** The chosen index is at least the largest divided by this. Timing goes with its root: at most 10 % off. */
const RATIO = 1.2;
/** The share of the slots that is awake after a count, and the share that triggers the next count. */
const COUNTED = 1 / 16;
const CROWDED = 1 / 6;
const LEVELS = 320;
/** The level of an index of 1 (about a message waiting for a second); the range is 10^-12 to 10^13. */
const LEVEL_OF_ONE = 152;
/** Above every index: slots that come first, ordered by key. */
const FIRST = LEVELS;
const ASLEEP = -1;
const ABSENT = -2;

const LOG_RATIO = Math.log(RATIO);
/** In levels: how far a crossing computed by reachedAt may miss its level. */
const SLACK = (2 * PRECISION) / LOG_RATIO;

const levelOf = (index: number) => {
  if (index <= 0) return 0;
  const level = Math.floor(Math.log(index) / LOG_RATIO + SLACK) + LEVEL_OF_ONE;
  return Math.min(LEVELS - 1, Math.max(0, level));
};
const bottomOf = (level: number) => RATIO ** (level - LEVEL_OF_ONE);

export interface Order {
  /** Inserts a slot by its curve, or again if the curve has changed. */
  set(slot: number, nowMs: number): void;
  /** Puts a slot before all those inserted by their curves; the smallest key comes first. */
  setFirst(slot: number, key: number): void;
  delete(slot: number): void;
  /** The slot with the largest index, to within RATIO; -1: there is none. `nowMs` does not go back. */
  top(nowMs: number): number;
}

/** @param work counts comparisons and evaluations of an index */
export function createOrder(curves: Curves, work: { count: number }): Order {
  const positions: Positions = [];
  const sleeping = createHeap(work, positions);
  const heaps: Heap[] = Array.from({ length: LEVELS + 1 }, () => createHeap(work, positions));
  const levels: number[] = [];
  let awake = 0;
  let size = 0;
  let entry = 0;
  let highest = 0;
  let turnsSinceCount = 0;

  const heapOf = (level: number): Heap => heaps[level] ?? sleeping;

  function insert(slot: number, level: number, key: number): void {
    levels[slot] = level;
    heapOf(level).set(slot, key);
    size += 1;
    if (level === ASLEEP) return;
    awake += 1;
    if (level < FIRST) highest = Math.max(highest, level);
  }

  function take(slot: number): void {
    const level = levels[slot] ?? ABSENT;
    if (level === ABSENT) return;
    heapOf(level).delete(slot);
    levels[slot] = ABSENT;
    size -= 1;
    if (level !== ASLEEP) awake -= 1;
  }

  function put(slot: number, nowMs: number): void {
    work.count += 1;
    const level = levelOf(curves.indexAt(slot, nowMs));
    const isAsleep = level < entry;
    const goal = isAsleep ? entry : level + 1;
    // Later than now despite rounding: otherwise a crossed slot would be looked at again and again.
    const key =
      goal < LEVELS ? Math.max(nowMs + 1, curves.reachedAt(slot, bottomOf(goal))) : Number.POSITIVE_INFINITY;
    insert(slot, isAsleep ? ASLEEP : level, key);
  }

  /** Moves slots whose time has come up to the level that they have reached. */
  function promote(heap: Heap, nowMs: number): void {
    while (heap.topKey() <= nowMs) {
      const slot = heap.top();
      take(slot);
      put(slot, nowMs);
    }
  }

  function countAgain(nowMs: number): void {
    const count = new Uint32Array(LEVELS);
    const slots: number[] = [];
    for (const [slot, level = ABSENT] of levels.entries()) {
      if (level === ABSENT || level === FIRST) continue;
      slots.push(slot);
      work.count += 1;
      const reached = levelOf(curves.indexAt(slot, nowMs));
      count[reached] = (count[reached] ?? 0) + 1;
    }
    let above = 0;
    for (entry = LEVELS; entry > 0 && above < slots.length * COUNTED; ) above += count[--entry] ?? 0;
    highest = entry;
    for (const slot of slots) {
      take(slot);
      put(slot, nowMs);
    }
    turnsSinceCount = 0;
  }

  return {
    set(slot, nowMs) {
      take(slot);
      put(slot, nowMs);
    },
    setFirst(slot, key) {
      take(slot);
      insert(slot, FIRST, key);
    },
    delete: take,
    top(nowMs) {
      const first = heapOf(FIRST).top();
      if (first >= 0) return first;
      if (size === 0) return -1;
      promote(sleeping, nowMs);
      turnsSinceCount += 1;
      if (awake === 0 || (awake > size * CROWDED && turnsSinceCount > size * COUNTED)) countAgain(nowMs);
      for (let level = entry; level <= highest; level++) promote(heapOf(level), nowMs);
      while (highest > 0 && heapOf(highest).size() === 0) highest -= 1;
      return heapOf(highest).top();
    },
  };
}
