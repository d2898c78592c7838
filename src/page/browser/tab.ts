// What this browser shows to the page's server with each request, beside the cookie that the browser adds by itself.

import { TAB_HEADER, TAB_STORAGE } from "../names.ts";

export const keepTab = (value: string): void => localStorage.setItem(TAB_STORAGE, value);

/** For every request to `/v1/`. */
export const tabHeaders = (): Record<string, string> => ({
  [TAB_HEADER]: localStorage.getItem(TAB_STORAGE) ?? "",
});
