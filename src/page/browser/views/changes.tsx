// What a write changes: each field, from what to what.

import type { ReviewView } from "../lib/shapes.ts";
import { plain, Said } from "../lib/text.tsx";

export function Changes({ changes }: { changes: ReviewView["about"]["changes"] }) {
  if (changes.length === 0) return null;
  return (
    <section>
      <h3>What changes</h3>
      <table class="changes">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Now</th>
            <th scope="col">Then</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ field, from, to }) => (
            <tr key={field}>
              <th scope="row">
                <Said text={field} />
              </th>
              <td>
                <Value value={from} />
              </td>
              <td>
                <Value value={to} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const Value = ({ value }: { value: unknown }) =>
  plain(value) === "" ? <span class="aside">not known</span> : <Said text={plain(value)} />;
