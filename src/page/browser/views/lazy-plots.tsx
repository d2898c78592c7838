// Loads the plots on demand: their library is as large as everything else.

import { signal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";

const loaded = signal<FunctionComponent | undefined>(undefined);
const problem = signal("");

export function LazyPlots() {
  useEffect(() => {
    import("./plots.tsx").then(
      ({ Plots }) => {
        loaded.value = Plots;
      },
      () => {
        problem.value = "The plots cannot be loaded: the page's server cannot be reached.";
      },
    );
  }, []);
  const Plots = loaded.value;
  return Plots ? <Plots /> : <p class="empty">{problem.value || "Loading the plots…"}</p>;
}
