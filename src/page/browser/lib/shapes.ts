// What the page is told of a write that is open, and of what was measured.

import type { ShownWrite } from "../../../contract/api/writes.ts";

export interface ReviewView {
  write: ShownWrite;
  preview: string;
  about: {
    text: string;
    target: { kind: string; id: string; label?: string } | null;
    changes: { field: string; from: unknown; to: unknown }[];
  };
  previous: {
    id: string;
    decidedAt: string;
    lines: { kind: "same" | "added" | "removed"; text: string }[];
  } | null;
  history: { id: string; operation: string; state: string; at: string; reason?: string }[];
}
