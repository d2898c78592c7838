// What a screen reader is told of, without the focus moving there.

import { signal } from "@preact/signals";

export const announcement = signal("");

export const announce = (text: string): void => {
  announcement.value = text;
};
