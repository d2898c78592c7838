// The changes of a write: each field, with its old and new value.

import type { WriteReviewView } from "../../../contract/api/writes.ts";
import { Said } from "../lib/text.tsx";

export function Changes({ changes }: { changes: WriteReviewView["about"]["changes"] }) {
  if (changes.length === 0) return null;
  return (
    <section>
      <h2>What changes</h2>
      <table class="changes">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Before</th>
            <th scope="col">After</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ field, from, to, now }) => (
            <tr key={field}>
              <th scope="row">
                <Said text={field} />
              </th>
              <td>
                <Before from={from} now={now} />
              </td>
              <td>
                <Said text={to} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The value read for the proposal, and the current one if it differs. */
const Before = ({ from, now }: { from: string | null; now: string | null }) => (
  <>
    {from === null ? <span class="aside">not known</span> : <Said text={from} />}
    {now !== null && now !== from && (
      <span class="aside">
        {" "}
        (last seen as <Said text={now} />)
      </span>
    )}
  </>
);
