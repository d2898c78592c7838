// What a watch remembers of the pages of its last pass: a page that is unchanged byte for byte has no changes, and need
// be neither parsed nor compared with what is stored. Lost with the process; then every page is compared once more.

export interface SeenPage {
  /** Of the bytes of the answer. */
  digest: string;
  /** The id of its last row; undefined: it had none. */
  upTo: string | undefined;
  /** Until when its rows keep their meaning, in milliseconds since the epoch; NaN: not any more. */
  until: number;
}

export interface PageMemory {
  /**
   * Starts a pass whose reading and judging depend on `key`. Returns only pages of the previous pass: they follow each
   * other, so what is stored within each is as it left it.
   */
  begin(key: string): void;
  /** The page that followed this id. */
  seen(after: string): SeenPage | undefined;
  /** Called once everything that follows from the page is stored. */
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
