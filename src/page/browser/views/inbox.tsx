// The inbox: the proposals, and the open one.

import { opened } from "../stores/review.ts";
import { ProposalList } from "./proposal-list.tsx";
import { Review } from "./review.tsx";

export const Inbox = () => (
  <div class={opened.value ? "inbox has-open" : "inbox"}>
    <ProposalList />
    {opened.value && <Review key={opened.value.id} opened={opened.value} />}
  </div>
);
