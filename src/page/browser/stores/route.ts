// The current view: the fragment of the address.

import { signal } from "@preact/signals";

export const VIEWS = ["inbox", "running", "events", "conversations", "plots"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** A write of the inbox, a session of the conversations. */
  id: string | undefined;
}

export const route = signal<Route>(read());

export const hrefOf = (view: View, id?: string): string =>
  `#/${view}${id === undefined ? "" : `/${encodeURIComponent(id)}`}`;

export const startRoute = (): void => {
  addEventListener("hashchange", () => {
    route.value = read();
  });
};

function read(): Route {
  const [, name = "", id = ""] = location.hash.split("/");
  const view = VIEWS.find((one) => one === name) ?? "inbox";
  return { view, id: decoded(id) };
}

function decoded(id: string): string | undefined {
  try {
    return decodeURIComponent(id) || undefined;
  } catch {
    return undefined; // not an address of this page
  }
}
