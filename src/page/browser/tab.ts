// What this browser sends to the page's server with each request, besides the cookie that the browser adds itself.

import { TAB_HEADER, TAB_STORAGE } from "../names.ts";

export const keepTab = (value: string): void => localStorage.setItem(TAB_STORAGE, value);

/** For every request to `/v1/`. */
export const tabHeaders = (): Record<string, string> => ({
  [TAB_HEADER]: localStorage.getItem(TAB_STORAGE) ?? "",
});
