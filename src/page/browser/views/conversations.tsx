// Sessions as conversations: who said what, newest last.

import { laidOut, Said, SaidLines } from "../lib/text.tsx";
import { ago, clockTime } from "../lib/time.ts";
import { now } from "../stores/clock.ts";
import {
  type Conversation,
  conversation,
  type Message,
  readMessages,
  sessions,
  sessionsProblem,
} from "../stores/conversations.ts";
import { hrefOf, route } from "../stores/route.ts";
import { Heading } from "./heading.tsx";

export function Conversations() {
  const { id } = route.value;
  return (
    <div class={id ? "inbox has-open" : "inbox"}>
      <section class="proposals" aria-label="Sessions">
        <Heading isAside={id !== undefined}>Conversations</Heading>
        {sessionsProblem.value && <p class="problem">{sessionsProblem.value}</p>}
        {sessions.value?.length === 0 && <p class="empty">nexusd is in no session.</p>}
        <ul>
          {sessions.value?.map(({ sessionId, alias, state, lastPolledAt, reason }) => (
            <li key={sessionId}>
              <a
                href={hrefOf("conversations", sessionId)}
                aria-current={id === sessionId ? "true" : undefined}
              >
                <span class="about">{alias ?? sessionId}</span>
                <span class="why">
                  {state}
                  {reason && `: ${reason.message}`}
                </span>
                <span class="when">{lastPolledAt && `read ${ago(lastPolledAt, now.value)}`}</span>
              </a>
            </li>
          ))}
        </ul>
      </section>
      {id && (
        <Opened key={id} id={id} talk={conversation.value?.id === id ? conversation.value : undefined} />
      )}
    </div>
  );
}

function Opened({ id, talk }: { id: string; talk: Conversation | undefined }) {
  const session = sessions.value?.find(({ sessionId }) => sessionId === id);
  return (
    <article class="review talk" aria-label="One conversation">
      <p class="back">
        <a href={hrefOf("conversations")}>Back to the conversations</a>
      </p>
      <Heading>{session?.alias ?? id}</Heading>
      {session && (
        <p class="aside">
          {session.baseUrl}, as {session.agentId}
          {session.members && `; in it: ${session.members.join(", ")}`}
        </p>
      )}
      {talk?.problem && <p class="problem">{talk.problem}</p>}
      {talk && talk.from > 0 && (
        <button type="button" class="quiet" onClick={() => readMessages(id, true)}>
          Look further back
        </button>
      )}
      {talk?.messages.length === 0 && <p class="empty">No message is here.</p>}
      <ol class="messages">
        {talk?.messages.map((message) => (
          <Line key={message.sequence} message={message} />
        ))}
      </ol>
      <p class="aside">What others said. What nexusd itself sent is among the writes.</p>
    </article>
  );
}

const Line = ({ message: { time, agentId, text, json, isVerified } }: { message: Message }) => (
  <li>
    <p class="who">
      <strong>
        <Said text={agentId} />
      </strong>{" "}
      <time dateTime={time}>{clockTime(time, now.peek())}</time>
      {!isVerified && <span class="aside"> not verified</span>}
    </p>
    {text && (
      <p>
        <SaidLines text={text} />
      </p>
    )}
    {json && <pre class="json">{laidOut(json)}</pre>}
  </li>
);
