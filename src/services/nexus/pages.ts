// What a watch remembers of the pages of its last pass: one that comes again byte for byte has no edges, and need be
// neither parsed nor compared with what is stored. Lost with the process; then every page is looked at once more.

export interface SeenPage {
  /** Of the bytes of the answer. */
  digest: string;
  /** The id of its last row; undefined: it had none. */
  upTo: string | undefined;
  /** Until when its rows mean what they meant, in milliseconds since the epoch; NaN: not any more. */
  until: number;
}

export interface PageMemory {
  /**
   * Begins a pass that reads and judges by all that `key` says. Only pages that were seen in the pass before are
   * given: from page to page they lie one behind the other, so that what is stored within each is as it left it.
   */
  begin(key: string): void;
  /** The page that followed this id. */
  seen(after: string): SeenPage | undefined;
  /** Once all that follows from the page is stored. */
  keep(after: string, page: SeenPage): void;
}

export const createPageMemory = (): PageMemory => {
  let readBy = "";
  let before = new Map<string, SeenPage>();
  let now = new Map<string, SeenPage>();
  return {
    begin(key) {
      before = key === readBy ? now : new Map();
      now = new Map();
      readBy = key;
    },
    seen: (after) => before.get(after),
    keep: (after, page) => {
      now.set(after, page);
    },
  };
};
