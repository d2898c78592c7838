// Small values that the nodes of a fleet share, each changed by comparing and swapping.

export interface SharedValue {
  /** Grows by 1 with each change. */
  version: number;
  text: string;
}

export interface SharedValues {
  /** @returns undefined: there is none of this name. @throws StoreError */
  read(name: string): Promise<SharedValue | undefined>;
  /**
   * Sets the value if its version is still this one (0: there is none).
   * @returns whether it did. @throws StoreError: it may have been set, or still be
   */
  swap(name: string, version: number, text: string): Promise<boolean>;
}
