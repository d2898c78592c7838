// Announcements for screen readers, without moving the focus.

import { signal } from "@preact/signals";

export const announcement = signal("");

export const announce = (text: string): void => {
  announcement.value = text;
};
